internal import Glibc
internal import Synchronization

/// Keeps what a node knows of tokens true to the store, as polls find it.
public protocol TokenKeeper: AnyObject, Sendable {
  /// This moment, in changes that were made here. Noted before a poll begins.
  func moment() -> UInt64
  /// Takes what a poll found.
  ///
  /// - Parameters:
  ///   - tokens: all tokens; `nil` when they are as the poll before found them.
  ///   - moment: what `moment` said before the poll began.
  ///   - began: when the poll began, by `StoreClock.uptimeNanoseconds`: every commit before that is in it.
  /// - Returns: false when it was not taken, because something was changed here meanwhile.
  func take(_ tokens: [TokenRecord]?, at moment: UInt64, began: UInt64) -> Bool
  /// No further polls come until somebody is interested: what is known is no longer kept true.
  func rest(confirmed: UInt64)
}

/// Finds out what other nodes committed to a store that several have open: which followed spaces moved, and which tokens there are.
///
/// One thread with one reader of its own, however many follow and whatever they follow. Each poll is a statement for the mark of the tokens and one
/// for the followed spaces. While anybody follows a space or calls with a token, one begins every 25 ms, or later when polls take long, at most
/// 80 ms after the one before. A second after the last interest it stops, until there is some again.
public final class NodePoller: Sendable {
  private let board: RevisionBoard
  private let clock: StoreClock
  private let keeper: any TokenKeeper
  private let onTrouble: @Sendable (StoreError?) -> Void
  private let schedule = Mutex(PollSchedule())
  private let alarm = Alarm()
  private let isUsed = Atomic<Bool>(false)
  private let isAsleep = Atomic<Bool>(false)
  private let isClosed = Atomic<Bool>(false)
  private let polls = Atomic<UInt64>(0)
  private let thread = Mutex<WorkerThread?>(nil)

  /// Opens a reader and starts the thread.
  ///
  /// - Parameters:
  ///   - board: hears of spaces that moved.
  ///   - keeper: hears of tokens.
  ///   - random: any 64 bits each time it is called.
  ///   - onTrouble: called on the poller's thread with the first error, and with `nil` when polls succeed again.
  public init(
    store: any EntityStore, clock: StoreClock, board: RevisionBoard, keeper: any TokenKeeper,
    random: @escaping @Sendable () -> UInt64, onTrouble: @escaping @Sendable (StoreError?) -> Void = { _ in }
  ) throws {
    self.board = board
    self.clock = clock
    self.keeper = keeper
    self.onTrouble = onTrouble
    // The reader belongs to the thread from here on; nothing else keeps it.
    nonisolated(unsafe) let reader = try store.openReader()
    thread.withLock { $0 = WorkerThread { [self] in run(reader, random) } }
    board.whenFollowed { [weak self] in self?.ask() }
  }

  /// Says that what is known of tokens is used: it is kept true for a second from now on. Cheap: for each call.
  public func noteUse() {
    guard !isUsed.load(ordering: .relaxed) else { return }
    isUsed.store(true, ordering: .sequentiallyConsistent)
    if isAsleep.load(ordering: .sequentiallyConsistent) { alarm.ring() }
  }

  /// Wants a poll that begins from now on, within a few milliseconds. However many ask, one poll answers them.
  public func ask() {
    schedule.withLock { $0.ask() }
    alarm.ring()
  }

  /// How many polls there were.
  public var pollCount: UInt64 { polls.load(ordering: .relaxed) }

  /// Ends the thread, after the poll on its way.
  public func close() {
    board.whenFollowed(nil)
    isClosed.store(true, ordering: .sequentiallyConsistent)
    alarm.ring()
    let worker = thread.withLock { worker in
      defer { worker = nil }
      return worker
    }
    worker?.join()
  }

  // MARK: The thread

  private func run(_ reader: any StoreReader, _ random: () -> UInt64) {
    var memory = Memory()
    while !isClosed.load(ordering: .sequentiallyConsistent) {
      switch next() {
      case .poll: poll(reader, &memory, random)
      case .wait(let nanoseconds): alarm.wait(nanoseconds: nanoseconds)
      case .sleep: sleep()
      }
    }
  }

  /// What the thread remembers from poll to poll.
  private struct Memory {
    /// The mark of the tokens that were taken last.
    var tokenMark: UInt64?
    /// What `TokenKeeper.moment` said then.
    var moment: UInt64?
    var isInTrouble = false
  }

  private func next() -> PollSchedule.Step {
    let isWanted = isUsed.exchange(false, ordering: .sequentiallyConsistent) || board.isFollowed
    let now = clock.uptimeNanoseconds()
    return schedule.withLock { $0.next(now: now, isWanted: isWanted) }
  }

  private func sleep() {
    if let confirmed = schedule.withLock({ $0.confirmed }) { keeper.rest(confirmed: confirmed) }
    isAsleep.store(true, ordering: .sequentiallyConsistent)
    // Who came before that did not ring.
    if !isUsed.load(ordering: .sequentiallyConsistent), !board.isFollowed { alarm.wait() }
    isAsleep.store(false, ordering: .sequentiallyConsistent)
  }

  private func poll(_ reader: any StoreReader, _ memory: inout Memory, _ random: () -> UInt64) {
    let moment = keeper.moment()
    let began = clock.uptimeNanoseconds()
    schedule.withLock { $0.begin(now: began) }
    let followed = board.followed
    var failure: StoreError?
    var isStale = false
    do {
      let (mark, tokens, moved) = try reader.read { snapshot in
        let mark = try snapshot.tokenMark()
        return (
          mark, mark == memory.tokenMark && moment == memory.moment ? nil : try snapshot.tokens(),
          try snapshot.moved(since: followed)
        )
      }
      if keeper.take(tokens, at: moment, began: began) {
        (memory.tokenMark, memory.moment) = (mark, moment)
      } else {
        isStale = true
      }
      board.publish(moved)
    } catch {
      failure = error as? StoreError ?? StoreError(.failed, "\(error)")
    }
    polls.add(1, ordering: .relaxed)
    let now = clock.uptimeNanoseconds()
    schedule.withLock { schedule in
      schedule.end(now: now, isGood: failure == nil, random: random())
      if isStale { schedule.ask() }
    }
    if (failure != nil) != memory.isInTrouble {
      memory.isInTrouble = failure != nil
      onTrouble(failure)
    }
  }
}

/// Lets a thread wait until it is rung for, or for a time.
///
/// `@unchecked Sendable`: every access to `isRung` holds `mutex`.
private final class Alarm: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var isRung = false

  init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Ends the wait, or the next one when nobody waits.
  func ring() {
    pthread_mutex_lock(mutex)
    isRung = true
    pthread_mutex_unlock(mutex)
    pthread_cond_signal(condition)
  }

  func wait() {
    pthread_mutex_lock(mutex)
    while !isRung { pthread_cond_wait(condition, mutex) }
    isRung = false
    pthread_mutex_unlock(mutex)
  }

  func wait(nanoseconds: UInt64) {
    var end = timespec()
    clock_gettime(CLOCK_MONOTONIC, &end)
    let total = UInt64(max(end.tv_nsec, 0)) &+ min(nanoseconds, 3_600_000_000_000)
    end.tv_sec += Int(total / 1_000_000_000)
    end.tv_nsec = Int(total % 1_000_000_000)
    pthread_mutex_lock(mutex)
    while !isRung, pthread_cond_timedwait(condition, mutex, &end) == 0 {}
    isRung = false
    pthread_mutex_unlock(mutex)
  }
}
