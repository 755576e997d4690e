import CTidemarkWire

/// Counts the connections of a server to its database.
public struct StoreConnections: Hashable, Sendable {
  /// How many connections are kept.
  public var sizeMax: UInt32 = 0
  /// How many more may be open while they are needed.
  public var overflowMax: UInt32 = 0
  /// Connections on which nothing runs.
  public var idle: UInt32 = 0
  /// Connections with a transaction.
  public var inUse: UInt32 = 0
  /// Transactions that wait for a connection.
  public var waiting: UInt32 = 0
  /// Transactions that asked for a connection since the start.
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
  /// Connections that were closed because they, or one that was used later, were lost.
  public var closedBroken: UInt64 = 0
  /// Connections that were closed because they were more than are kept.
  public var closedOverflow: UInt64 = 0
  /// Connections that were found lost when a transaction began on them, and were replaced.
  public var checksFailed: UInt64 = 0

  public init() {}

  init(_ message: Tidemark__V1__StoreConnections) {
    sizeMax = message.size_max
    overflowMax = message.overflow_max
    idle = message.idle
    inUse = message.in_use
    waiting = message.waiting
    leases = message.leases
    waits = message.waits
    waitedMicroseconds = message.waited_us
    timeouts = message.timeouts
    opened = message.opened
    openFailures = message.open_failures
    closedRecycled = message.closed_recycled
    closedBroken = message.closed_broken
    closedOverflow = message.closed_overflow
    checksFailed = message.checks_failed
  }

  func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__StoreConnections> {
    let message = try arena.make(.storeConnections)
    message.pointee.size_max = sizeMax
    message.pointee.overflow_max = overflowMax
    message.pointee.idle = idle
    message.pointee.in_use = inUse
    message.pointee.waiting = waiting
    message.pointee.leases = leases
    message.pointee.waits = waits
    message.pointee.waited_us = waitedMicroseconds
    message.pointee.timeouts = timeouts
    message.pointee.opened = opened
    message.pointee.open_failures = openFailures
    message.pointee.closed_recycled = closedRecycled
    message.pointee.closed_broken = closedBroken
    message.pointee.closed_overflow = closedOverflow
    message.pointee.checks_failed = checksFailed
    return message
  }
}
