internal import TidemarkCore
internal import TidemarkStore

/// The entities that the writer's connection read or wrote latest, so that updating one again does not read it again.
///
/// It holds what the connection would read: there is one writer, and each of its changes goes through `SQLiteTransaction`, which puts
/// the new state here. A rollback takes states back, and whatever changes stored rows in another way makes them stale: then
/// `forgetAll`. Nothing is allocated before the first entity.
final class EntityCache {
  private struct Place: Hashable {
    var space: SpaceID
    var key: EntityKey
  }

  /// A class, so that a new state is one assignment: as a value in an array it cost twice the instructions.
  private final class Slot {
    let place: Place
    var entity: Entity
    /// Asked for since the hand came by.
    var wasUsed = false

    init(_ place: Place, _ entity: Entity) {
      self.place = place
      self.entity = entity
    }
  }

  /// The most memory it takes, in bytes, as `cost` counts them.
  private let bytesMax: Int
  private var bytes = 0
  private var slots: [Place: Slot] = [:]
  /// The slots in the order in which the hand comes by.
  private var ring: [Slot] = []
  /// Where the search for the next entity to drop begins ("clock": those used since the last round are passed over once).
  private var hand = 0

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  /// The state of an entity; `nil` when it is not here.
  func entity(_ key: EntityKey, in space: SpaceID) -> Entity? {
    guard let slot = slots[Place(space: space, key: key)] else { return nil }
    slot.wasUsed = true
    return slot.entity
  }

  /// Keeps a state in place of the one before. One that is larger than a sixteenth of the cache is not kept.
  func put(_ entity: Entity, in space: SpaceID) {
    let place = Place(space: space, key: entity.key)
    if let slot = slots[place] {
      bytes += entity.fields.bytes.count - slot.entity.fields.bytes.count
      slot.entity = entity
      // Dropped by the hand like any other when it has become too large; it is true until then.
    } else {
      let cost = EntityCache.cost(entity)
      guard cost <= bytesMax / 16 else { return }
      let slot = Slot(place, entity)
      slots[place] = slot
      ring.append(slot)
      bytes += cost
    }
    while bytes > bytesMax, !ring.isEmpty { passOne() }
  }

  /// Forgets everything, and gives the memory back.
  func forgetAll() {
    bytes = 0
    slots = [:]
    ring = []
    hand = 0
  }

  /// Moves the hand by one slot, and drops what it finds there unless it was used. The last slot takes the place of a dropped one: it is
  /// the one that came latest, so the hand passes it, or what came last would always go first.
  private func passOne() {
    if hand >= ring.count { hand = 0 }
    let slot = ring[hand]
    guard !slot.wasUsed else {
      slot.wasUsed = false
      hand += 1
      return
    }
    bytes -= EntityCache.cost(slot.entity)
    slots[slot.place] = nil
    ring.swapAt(hand, ring.count - 1)
    ring.removeLast()
    hand += 1
  }

  /// The memory an entity takes here: its fields, its id, and about 400 bytes for the slot, the index and the arrays' headers.
  private static func cost(_ entity: Entity) -> Int { entity.fields.bytes.count + entity.key.id.text.utf8.count + 400 }
}
