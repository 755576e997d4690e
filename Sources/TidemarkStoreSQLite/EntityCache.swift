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

  private struct Slot {
    var place: Place
    var entity: Entity
    /// Asked for since the hand came by.
    var wasUsed: Bool
  }

  /// The most memory it takes, in bytes, as `cost` counts them.
  private let bytesMax: Int
  private var bytes = 0
  private var indices: [Place: Int] = [:]
  private var slots: [Slot?] = []
  private var free: [Int] = []
  /// Where the search for the next entity to drop begins ("clock": those used since the last round are passed over once).
  private var hand = 0

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  /// The state of an entity; `nil` when it is not here.
  func entity(_ key: EntityKey, in space: SpaceID) -> Entity? {
    guard let index = indices[Place(space: space, key: key)] else { return nil }
    slots[index]?.wasUsed = true
    return slots[index]?.entity
  }

  /// Keeps a state in place of the one before.
  func put(_ entity: Entity, in space: SpaceID) {
    let place = Place(space: space, key: entity.key)
    if let index = indices[place] {
      if let old = slots[index]?.entity { bytes -= EntityCache.cost(old) }
      slots[index] = nil
      if keep(entity, place, at: index, wasUsed: true) { return }
      indices[place] = nil
      free.append(index)
      return
    }
    guard EntityCache.cost(entity) <= bytesMax / 16 else { return }
    let index: Int
    if let unused = free.popLast() {
      index = unused
    } else {
      index = slots.count
      slots.append(nil)
    }
    _ = keep(entity, place, at: index, wasUsed: false)
    indices[place] = index
  }

  /// Forgets everything, and gives the memory back.
  func forgetAll() {
    bytes = 0
    indices = [:]
    slots = []
    free = []
    hand = 0
  }

  /// Fills an empty slot. False when the entity is too large to be worth its room.
  private func keep(_ entity: Entity, _ place: Place, at index: Int, wasUsed: Bool) -> Bool {
    let cost = EntityCache.cost(entity)
    guard cost <= bytesMax / 16 else { return false }
    // Two rounds reach every slot with its mark gone, so this ends with room, or with nothing kept.
    var steps = 2 * slots.count
    while bytes + cost > bytesMax, steps > 0 {
      dropNext()
      steps -= 1
    }
    slots[index] = Slot(place: place, entity: entity, wasUsed: wasUsed)
    bytes += cost
    return true
  }

  /// Moves the hand by one slot, and drops what it finds there unless it was used.
  private func dropNext() {
    hand = hand + 1 < slots.count ? hand + 1 : 0
    guard let slot = slots[hand] else { return }
    guard !slot.wasUsed else {
      slots[hand]?.wasUsed = false
      return
    }
    bytes -= EntityCache.cost(slot.entity)
    indices[slot.place] = nil
    slots[hand] = nil
    free.append(hand)
  }

  /// The memory an entity takes here: its fields, its id, and about 400 bytes for the slot, the index and the arrays' headers.
  private static func cost(_ entity: Entity) -> Int { entity.fields.bytes.count + entity.key.id.text.utf8.count + 400 }
}
