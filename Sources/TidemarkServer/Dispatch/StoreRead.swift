internal import NIOCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// One read of the store for a call: waits while its connection may not have more, runs on a reader's thread, and ends on the loop.
///
/// ```
///            ┌──── may not read yet ────> postponed ── the call is cancelled or late ──> ended
/// submitted ─┤                              │  ^
///            └─> on a reader's thread <─────┘  │
///                  ├── larger than expected ───┘
///                  └── finished on the loop
/// ```
struct StoreRead: Sendable {
  /// What was read.
  struct Found: Sendable {
    /// The memory it takes, in bytes; about what its encoding will take.
    var bytes: Int
    /// Answers the call, on its loop.
    var finish: @Sendable (LoopDispatcher) -> Void
  }

  let name: LoopDispatcher.CallName
  let account: AnswerAccount
  /// Nothing is read after this point of `StoreClock.uptimeNanoseconds`; `nil` for no deadline.
  var deadline: UInt64?
  /// It was read before and found to be more than little.
  var isLarge = false
  /// Reads, on a reader's thread.
  let read: @Sendable (Result<any StoreSnapshot, StoreError>) -> Found
  /// Ends the call without having read, on its loop.
  let end: @Sendable (LoopDispatcher, RPCStatus) -> Void

  /// Answers smaller than this are not counted.
  private static let uncountedBytesMax = 1024

  var mayStart: Bool { account.mayRead || (!isLarge && account.mayReadLittle) }

  func isExpired(_ clock: StoreClock) -> Bool { deadline.map { clock.uptimeNanoseconds() >= $0 } ?? false }

  /// Runs on a reader's thread.
  func run(_ snapshot: Result<any StoreSnapshot, StoreError>, _ clock: StoreClock, _ mailbox: LoopMailbox) {
    if isExpired(clock) { return mailbox.perform { end($0, .expired) } }
    if account.isClosed { return mailbox.perform { end($0, .cancelled) } }
    guard mayStart else { return mailbox.perform { $0.postpone(self) } }
    let found = read(snapshot)
    if found.bytes > AnswerBudget.littleBytes, !account.mayRead {
      // Read again when there is room: kept, it would be what there is no room for.
      var large = self
      large.isLarge = true
      return mailbox.perform { [large] in $0.postpone(large) }
    }
    guard found.bytes >= StoreRead.uncountedBytesMax else { return mailbox.perform(found.finish) }
    account.reserve(found.bytes)
    mailbox.perform {
      found.finish($0)
      account.release(found.bytes)
    }
  }
}

/// The reads of one loop that wait until clients have taken the answers before them.
///
/// Nobody tells when there is room again: they are looked through every few milliseconds while there are any.
struct PostponedReads {
  private var reads: [LoopDispatcher.CallName: StoreRead] = [:]
  /// In the order in which they began to wait; may name some that are gone.
  private var order: [LoopDispatcher.CallName] = []

  var isEmpty: Bool { reads.isEmpty }

  /// How long to wait before they are looked through: longer when they are many.
  var interval: TimeAmount { .milliseconds(5 + Int64(reads.count / 500)) }

  mutating func add(_ read: StoreRead) {
    if reads.updateValue(read, forKey: read.name) == nil { order.append(read.name) }
  }

  mutating func remove(_ name: LoopDispatcher.CallName) -> StoreRead? { reads.removeValue(forKey: name) }

  /// Takes out those that should not wait any longer: at most `limit` that may be read, and all that nobody waits for.
  mutating func takeReady(limit: Int, _ clock: StoreClock) -> [StoreRead] {
    var ready: [StoreRead] = []
    var startable = 0
    var rest: [LoopDispatcher.CallName] = []
    for name in order {
      guard let read = reads[name] else { continue }
      let isOver = read.account.isClosed || read.isExpired(clock)
      if !isOver {
        guard startable < limit, read.mayStart else {
          rest.append(name)
          continue
        }
        startable += 1
      }
      reads[name] = nil
      ready.append(read)
    }
    order = rest
    return ready
  }
}

extension RPCStatus {
  static let cancelled = RPCStatus(.cancelled, "The call was cancelled.")
}

/// An answer that knows about how much memory it takes.
protocol SizedAnswer: EncodableMessage {
  /// In bytes.
  var heldBytes: Int { get }
}
