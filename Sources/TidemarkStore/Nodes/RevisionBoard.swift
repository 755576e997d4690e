internal import Synchronization
internal import TidemarkCore

/// The latest revisions of the spaces that somebody on this node follows, and who is to be woken when they move.
///
/// A commit of this node is published here once it is durable, and before anybody is told of it; commits of other nodes are found by a
/// `NodePoller`, where there may be any. Revisions only grow. A space that was deleted is gone for good: one that is made again under its name
/// has another number.
///
/// Whoever follows a space and then reads it misses nothing: a commit that the read did not see wakes the listener afterwards. It may be woken
/// for a commit that the read has seen, too.
///
/// ```
/// event loop 1 ── listen ──> listener 1 ── follows ──> space 5, space 9       commit of 5 and 9: one wake-up each for
/// event loop 2 ── listen ──> listener 2 ── follows ──> space 9                1 and 2; then `take` tells what moved
/// ```
/// Safe to use from any thread.
public final class RevisionBoard: Sendable {
  /// Names one listener, such as an event loop.
  public struct Listener: Hashable, Sendable {
    fileprivate let number: UInt64
  }

  private let state = Mutex(RevisionBoardState())
  /// How many spaces are followed: nothing is looked up while nobody follows any.
  private let followedCount = Atomic<Int>(0)

  public init() {}

  /// Adds a listener. `wake` is called without a lock on the thread that publishes: once, and not again before `take`. It must not block.
  public func listen(_ wake: @escaping @Sendable () -> Void) -> Listener { state.withLock { $0.listen(wake) } }

  /// Ends a listener and all that it follows.
  public func end(_ listener: Listener) { change { $0.end(listener) } }

  /// Wakes a listener from now on when a space moves. Each `follow` needs its `unfollow`.
  public func follow(_ space: SpaceID, by listener: Listener) {
    let onInterest = change { state in
      state.follow(space, by: listener)
      return state.onInterest
    }
    onInterest?()
  }

  /// Takes one `follow` back.
  public func unfollow(_ space: SpaceID, by listener: Listener) { change { $0.unfollow(space, by: listener) } }

  /// What moved among the spaces that a listener follows since it took last, each space once with its latest revision: `nil` for one that is
  /// gone. In the order of the numbers.
  public func take(_ listener: Listener) -> [SpaceMark] { state.withLock { $0.take(listener) } }

  /// Takes what was committed. Older than what is known does nothing.
  public func publish(_ marks: [SpaceMark]) {
    guard followedCount.load(ordering: .sequentiallyConsistent) > 0, !marks.isEmpty else { return }
    for wake in state.withLock({ $0.publish(marks) }) { wake() }
  }

  /// The spaces that are followed, as far as they are known, in no order. Those that are gone are not among them.
  public var followed: [SpaceMark] { state.withLock { $0.followed } }

  /// Whether any space is followed.
  public var isFollowed: Bool { followedCount.load(ordering: .sequentiallyConsistent) > 0 }

  /// Says whom to call when a space begins to be followed: who looks for commits of other nodes.
  func whenFollowed(_ onInterest: (@Sendable () -> Void)?) { state.withLock { $0.onInterest = onInterest } }

  /// Takes the changes of a commit.
  func publish(_ changes: [StoredChanges]) {
    guard isFollowed else { return }
    publish(changes.compactMap { part in part.changes.last.map { SpaceMark(space: part.space, revision: $0.entity.revision) } })
  }

  @discardableResult
  private func change<Result>(_ body: (inout RevisionBoardState) -> sending Result) -> sending Result {
    state.withLock { state in
      let result = body(&state)
      followedCount.store(state.spaces.count, ordering: .sequentiallyConsistent)
      return result
    }
  }
}

/// What a board knows: a value.
struct RevisionBoardState {
  typealias Wake = @Sendable () -> Void

  struct Space {
    /// `nil` while nothing is known.
    var revision: Revision?
    var isGone = false
    /// How often each listener follows it.
    var listeners: [RevisionBoard.Listener: Int] = [:]
  }

  private struct Ear {
    var wake: Wake
    var spaces: Set<SpaceID> = []
    /// What moved since it took last.
    var moved: Set<SpaceID> = []
    var isWoken = false
  }

  private(set) var spaces: [SpaceID: Space] = [:]
  private var ears: [RevisionBoard.Listener: Ear] = [:]
  private var nextNumber: UInt64 = 1
  var onInterest: Wake?

  mutating func listen(_ wake: @escaping Wake) -> RevisionBoard.Listener {
    defer { nextNumber += 1 }
    let listener = RevisionBoard.Listener(number: nextNumber)
    ears[listener] = Ear(wake: wake)
    return listener
  }

  mutating func end(_ listener: RevisionBoard.Listener) {
    guard let ear = ears.removeValue(forKey: listener) else { return }
    for space in ear.spaces { forget(space, by: listener) }
  }

  mutating func follow(_ space: SpaceID, by listener: RevisionBoard.Listener) {
    guard ears[listener]?.spaces.insert(space) != nil else { return }
    spaces[space, default: Space()].listeners[listener, default: 0] += 1
  }

  mutating func unfollow(_ space: SpaceID, by listener: RevisionBoard.Listener) {
    guard let count = spaces[space]?.listeners[listener] else { return }
    guard count == 1 else {
      spaces[space]?.listeners[listener] = count - 1
      return
    }
    ears[listener]?.spaces.remove(space)
    ears[listener]?.moved.remove(space)
    forget(space, by: listener)
  }

  private mutating func forget(_ space: SpaceID, by listener: RevisionBoard.Listener) {
    spaces[space]?.listeners[listener] = nil
    if spaces[space]?.listeners.isEmpty == true { spaces[space] = nil }
  }

  /// - Returns: who is to be woken.
  mutating func publish(_ marks: [SpaceMark]) -> [Wake] {
    var wakes: [Wake] = []
    for mark in marks {
      guard var space = spaces[mark.space], !space.isGone else { continue }
      if let revision = mark.revision {
        guard space.revision.map({ $0 < revision }) ?? true else { continue }
        space.revision = revision
      } else {
        space.isGone = true
      }
      spaces[mark.space] = space
      for listener in space.listeners.keys {
        ears[listener]?.moved.insert(mark.space)
        guard let ear = ears[listener], !ear.isWoken else { continue }
        ears[listener]?.isWoken = true
        wakes.append(ear.wake)
      }
    }
    return wakes
  }

  mutating func take(_ listener: RevisionBoard.Listener) -> [SpaceMark] {
    guard let moved = ears[listener]?.moved else { return [] }
    ears[listener]?.moved = []
    ears[listener]?.isWoken = false
    return moved.sorted().compactMap { id in
      spaces[id].map { SpaceMark(space: id, revision: $0.isGone ? nil : $0.revision) }
    }
  }

  var followed: [SpaceMark] {
    spaces.compactMap { $0.value.isGone ? nil : SpaceMark(space: $0.key, revision: $0.value.revision) }
  }
}
