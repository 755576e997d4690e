internal import Synchronization
public import TidemarkCore

/// Committed states of entities that were read a moment ago, so that reading them again takes neither the store nor another thread.
///
/// What it answers is the latest committed state, as a read of the store that begins at the same moment would find it:
///
/// - Before a commit, the writer marks the entities that it changes: from here until it is durable they are answered from the store.
///   After it, and before anybody is told, the new states take the place of the old ones.
/// - What a reader read is kept only when no commit that the read may have missed has changed it, or is about to: the reader notes the
///   moment before its read begins, and each place remembers when it was changed last.
/// - Administrative work (spaces, schemas) forgets everything.
///
/// True only while nobody else writes to the store. Safe to use from any thread.
public final class RecentEntities: Sendable {
  /// A moment before a read began.
  public struct Moment: Sendable {
    fileprivate let commits: UInt64
  }

  /// An entity as it was committed, and the epoch of its space.
  public struct Found: Sendable {
    public var entity: Entity
    public var epoch: Epoch
  }

  private final class Shard: Sendable {
    let state: Mutex<State>
    init(bytesMax: Int) { state = Mutex(State(bytesMax: bytesMax)) }
  }

  private struct State {
    let entities: EntityCache
    var spaces: [SpaceName: (id: SpaceID, epoch: Epoch)] = [:]
    /// For each bucket of entities the commit that changed one of them last: `underWay` while it is not known to be durable.
    var changed = [UInt64](repeating: 0, count: RecentEntities.bucketCount)
    /// The administrative work that ended last: `underWay` while it is not known to be durable.
    var administered: UInt64 = 0

    init(bytesMax: Int) { entities = EntityCache(bytesMax: bytesMax) }

    mutating func forgetAll() {
      entities.forgetAll()
      spaces = [:]
    }
  }

  fileprivate static let shardCount = 8
  private static let bucketCount = 512
  private static let underWay = UInt64.max

  private let shards: [Shard]
  /// Commits and administrative work that have ended.
  private let commits = Atomic<UInt64>(0)

  /// - Parameter bytesMax: the most memory it takes, in bytes; taken only when entities are kept.
  public init(bytesMax: Int) {
    shards = (0..<RecentEntities.shardCount).map { _ in Shard(bytesMax: bytesMax / RecentEntities.shardCount) }
  }

  // MARK: Reading

  /// The latest committed state of an entity; `nil` when the store has to be asked.
  public func entity(_ key: EntityKey, in space: SpaceName) -> Found? {
    let place = place(of: key)
    return place.shard.state.withLock { state in
      guard let space = state.spaces[space], state.changed[place.bucket] != RecentEntities.underWay,
        let entity = state.entities.entity(key, in: space.id)
      else { return nil }
      return Found(entity: entity, epoch: space.epoch)
    }
  }

  /// This moment. To be noted before a read begins whose result is to be kept.
  public func moment() -> Moment { Moment(commits: commits.load(ordering: .sequentiallyConsistent)) }

  /// Keeps an entity that a read found which began after `moment`, unless it may have changed since.
  public func keep(_ entity: Entity, in space: SpaceRecord, readAfter moment: Moment) {
    let place = place(of: entity.key)
    place.shard.state.withLock { state in
      // A commit under way is later than every moment.
      guard state.changed[place.bucket] <= moment.commits, state.administered <= moment.commits else { return }
      state.spaces[space.name] = (space.id, space.epoch)
      state.entities.put(entity, in: space.id)
    }
  }

  // MARK: The writer's thread

  /// Marks what a commit will change. Called inside its transaction, as the last thing.
  func willCommit(_ changes: [StoredChanges]) {
    forEach(changes) { state, bucket, _, _ in state.changed[bucket] = RecentEntities.underWay }
  }

  /// Takes the states of a commit, which is durable.
  func didCommit(_ changes: [StoredChanges]) {
    let ended = commits.add(1, ordering: .sequentiallyConsistent).newValue
    forEach(changes) { state, bucket, entity, space in
      state.changed[bucket] = ended
      state.entities.putAgain(entity, in: space)
    }
  }

  /// Takes marks back: nothing of the commit was stored.
  func didUndo(_ changes: [StoredChanges]) {
    let ended = commits.add(1, ordering: .sequentiallyConsistent).newValue
    forEach(changes) { state, bucket, _, _ in state.changed[bucket] = ended }
  }

  /// Forgets everything, and keeps nothing until `didAdminister`. Called inside the transaction, as the last thing.
  func willAdminister() { forgetAll(administered: RecentEntities.underWay) }

  /// The administrative work is durable, or undone.
  func didAdminister() { forgetAll(administered: commits.add(1, ordering: .sequentiallyConsistent).newValue) }

  private func forgetAll(administered: UInt64) {
    for shard in shards {
      shard.state.withLock { state in
        state.forgetAll()
        state.administered = administered
      }
    }
  }

  private func forEach(_ changes: [StoredChanges], _ body: (inout State, _ bucket: Int, Entity, SpaceID) -> Void) {
    for part in changes {
      for (shard, indices) in zip(shards, part.places) where !indices.isEmpty {
        shard.state.withLock { state in
          for place in indices { body(&state, place.bucket, part.changes[place.change].entity, part.space) }
        }
      }
    }
  }

  private func place(of key: EntityKey) -> (shard: Shard, bucket: Int) {
    let (shard, bucket) = RecentEntities.numbers(of: key)
    return (shards[shard], bucket)
  }

  /// The shard of an entity, and its bucket there.
  fileprivate static func numbers(of key: EntityKey) -> (shard: Int, bucket: Int) {
    let hash = UInt(bitPattern: key.hashValue)
    return (Int(hash % UInt(shardCount)), Int(hash / UInt(shardCount) % UInt(bucketCount)))
  }
}

/// What a transaction changed in one space, in the order of the log. Used by the writer's thread.
final class StoredChanges {
  let space: SpaceID
  let changes: [Change]
  /// For each shard of `RecentEntities`, the changes of its entities and their buckets: worked out once, and looked at twice.
  fileprivate lazy var places: [[(change: Int, bucket: Int)]] = {
    var places = [[(change: Int, bucket: Int)]](repeating: [], count: RecentEntities.shardCount)
    for index in changes.indices {
      let (shard, bucket) = RecentEntities.numbers(of: changes[index].entity.key)
      places[shard].append((index, bucket))
    }
    return places
  }()

  init(space: SpaceID, changes: [Change]) {
    self.space = space
    self.changes = changes
  }
}
