import Synchronization

/// Counts the answers that all connections of a listener hold because nobody has read them yet.
///
/// Whatever reads from the store asks the account of its connection first and waits while it may not: large answers wait in the store, not in
/// memory. A connection may go on while it and all together are below their limits. Connections that hold little may together go on to twice
/// the limit, so those who read what they ask for are served beside those who do not.
public final class AnswerBudget: Sendable {
  /// What anybody may hold: answers up to this size need not wait for others, in bytes.
  public static let littleBytes = 16 * 1024

  private let bytesMax: Int
  private let connectionBytesMax: Int
  private let held = Atomic<Int>(0)

  public init(limits: ServerLimits) {
    bytesMax = limits.answerBytesMax
    connectionBytesMax = limits.answerBytesPerConnectionMax
  }

  /// What all connections hold, in bytes.
  public var heldBytes: Int { held.load(ordering: .relaxed) }

  /// True while only connections that hold little may go on.
  public var isTight: Bool { heldBytes >= bytesMax }

  /// The account of a new connection.
  public func openAccount() -> AnswerAccount { AnswerAccount(self) }

  fileprivate func add(_ bytes: Int) { held.wrappingAdd(bytes, ordering: .relaxed) }

  fileprivate func mayRead(held own: Int, stuck: Int) -> Bool {
    let total = heldBytes
    if stuck < connectionBytesMax, total < bytesMax { return true }
    // Twice the limit, without overflow for any setting.
    return own <= AnswerBudget.littleBytes && total / 2 < bytesMax
  }
}

/// What one connection holds of answers that nobody has read yet: read for it, queued, or waiting for its socket.
///
/// Everything here may be called from any thread. The numbers are exact; what is decided with them may be a moment old.
public final class AnswerAccount: Sendable {
  public let budget: AnswerBudget
  private let held = Atomic<Int>(0)
  private let heldForCredit = Atomic<Int>(0)
  private let closed = Atomic<Bool>(false)

  fileprivate init(_ budget: AnswerBudget) { self.budget = budget }

  /// What the connection holds, in bytes.
  public var heldBytes: Int { held.load(ordering: .relaxed) }

  /// True while more may be read for this connection, whatever its size.
  public var mayRead: Bool {
    let own = heldBytes
    // Messages that wait for credit do not stop the streams that have some: a client may read one after the other.
    return budget.mayRead(held: own, stuck: own - heldForCredit.load(ordering: .relaxed))
  }

  /// True while what turns out to be little may be read for this connection, whatever the others hold.
  public var mayReadLittle: Bool { heldBytes <= AnswerBudget.littleBytes }

  /// True when the connection is gone: nobody waits for what would be read.
  public var isClosed: Bool { closed.load(ordering: .relaxed) }

  /// Counts what was read for this connection until the same is released.
  public func reserve(_ bytes: Int) {
    held.wrappingAdd(bytes, ordering: .relaxed)
    budget.add(bytes)
  }

  /// Gives back what was reserved.
  public func release(_ bytes: Int) { reserve(0 - bytes) }

  func setHeldForCredit(_ bytes: Int) { heldForCredit.store(bytes, ordering: .relaxed) }

  func close() { closed.store(true, ordering: .relaxed) }
}
