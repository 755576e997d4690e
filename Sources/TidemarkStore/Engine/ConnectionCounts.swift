/// The connections of an engine to its database: how many there are, and what became of them since the store was opened.
public struct ConnectionCounts: Hashable, Sendable {
  /// How many are kept.
  public var sizeMax = 0
  /// How many more may be open for as long as they are needed.
  public var overflowMax = 0

  /// Connections on which nothing runs.
  public var idle = 0
  /// Connections with a transaction.
  public var inUse = 0
  /// Transactions that wait for a connection.
  public var waiting = 0

  /// Transactions that asked for a connection.
  public var leases: UInt64 = 0
  /// Those that had to wait for one.
  public var waits: UInt64 = 0
  /// How long all of these waited together, in microseconds.
  public var waitedMicroseconds: UInt64 = 0
  /// Transactions that got none within the time for which they may wait.
  public var timeouts: UInt64 = 0

  /// Connections that were opened.
  public var opened: UInt64 = 0
  /// Attempts to open one that failed.
  public var openFailures: UInt64 = 0
  /// Connections that were closed because of their age.
  public var closedRecycled: UInt64 = 0
  /// Connections that were closed because they were lost, or because one that was used later was.
  public var closedBroken: UInt64 = 0
  /// Connections that were closed because they were more than the pool keeps.
  public var closedOverflow: UInt64 = 0
  /// Connections that were found lost when a transaction began on them, and were replaced.
  public var checksFailed: UInt64 = 0

  public init() {}

  /// All connections that are open.
  public var open: Int { idle + inUse }
}
