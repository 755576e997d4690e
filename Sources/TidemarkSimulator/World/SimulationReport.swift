/// What came of one seed.
public struct SimulationReport: Sendable {
  /// What was counted, by name.
  public struct Counts: Sendable, Hashable {
    public var requests = 0
    public var resent = 0
    public var lost = 0
    public var repeated = 0
    public var commits = 0
    public var changes = 0
    public var replays = 0
    public var reads = 0
    public var powerLosses = 0
    public var kills = 0
    public var ioErrors = 0
    public var fullDisks = 0
    public var restarts = 0
    public var diskSteps = 0
    /// How often a connection to the database was cut while it was used, or the database crashed.
    public var cuts = 0
    /// How often a commit was of unknown outcome.
    public var unknowns = 0
    /// How many writes were answered as not done.
    public var unavailable = 0
    public var checks = 0

    mutating func add(_ other: Counts) {
      requests += other.requests
      resent += other.resent
      lost += other.lost
      repeated += other.repeated
      commits += other.commits
      changes += other.changes
      replays += other.replays
      reads += other.reads
      powerLosses += other.powerLosses
      kills += other.kills
      ioErrors += other.ioErrors
      fullDisks += other.fullDisks
      restarts += other.restarts
      diskSteps += other.diskSteps
      cuts += other.cuts
      unknowns += other.unknowns
      unavailable += other.unavailable
      checks += other.checks
    }
  }

  public var seed: UInt64
  /// How many events happened.
  public var events: Int
  public var counts: Counts
  /// Follows from every line of the trace: the same for the same seed.
  public var traceDigest: UInt64
  /// The last lines of the trace.
  public var tail: [String]
  /// The first promise that was not kept.
  public var violation: Violation?
}

extension SimulationReport.Counts {
  /// The counts of several seeds together.
  public static func sum(_ counts: [Self]) -> Self { counts.reduce(into: Self()) { $0.add($1) } }
}
