/// How a client spreads its calls over several connections and servers.
public struct PoolOptions: Hashable, Sendable {
  /// The most connections, those that are still finishing calls before they close included. At least 1.
  public var connectionsMax = 4
  /// The most calls and streams on one connection at a time. At least 1.
  public var callsPerConnectionMax = 100
  /// The most calls that wait for a free place; further ones fail at once.
  public var waitersMax = 1_000
  /// How long a call waits for a free place, or for a server that may be tried again.
  public var waitMax: Duration = .seconds(5)
  /// A connection without calls for this long is asked for a sign of life before it is used.
  public var idleBeforePing: Duration = .seconds(30)
  /// How long that sign of life may take.
  public var pingTimeout: Duration = .seconds(2)
  /// A connection is replaced once it is this old, give or take an eighth, so that not all are replaced at once. Calls on it
  /// finish first.
  public var ageMax: Duration = .seconds(1_800)
  /// Begin with any of the servers, so that clients spread over all of them. Otherwise with the first. From there they are taken in turn.
  public var startsAtRandom = true
  /// The waits before a server that failed is tried again.
  public var backoff = Backoff()

  public init() {}
}
