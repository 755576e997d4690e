public import TidemarkCore

/// The entities that were read or written latest, in bounded memory, so that what is asked for again is not read again.
///
/// Whoever owns one keeps it true: puts each new state here, and calls `forgetAll` when stored rows change in another way, a rollback
/// among them. Nothing is allocated before the first entity. Used by one thread at a time.
public final class EntityCache {
  private struct Place: Hashable {
    var space: SpaceID
    var key: EntityKey
  }

  /// A class, so that a new state is one assignment: as a value in an array it cost twice the instructions.
  private final class Slot {
    let place: Place
    var entity: Entity {
      didSet { fieldsBytes = entity.fields.bytes.count }
    }
    /// The bytes of the entity's fields: those of an entity that is about to go are mostly no longer in the processor's caches.
    private(set) var fieldsBytes: Int
    /// Asked for since the hand came by.
    var wasUsed = false

    init(_ place: Place, _ entity: Entity) {
      self.place = place
      self.entity = entity
      fieldsBytes = entity.fields.bytes.count
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

  public init(bytesMax: Int) { self.bytesMax = bytesMax }

  /// The state of an entity; `nil` when it is not here.
  public func entity(_ key: EntityKey, in space: SpaceID) -> Entity? {
    guard let slot = slots[Place(space: space, key: key)] else { return nil }
    slot.wasUsed = true
    return slot.entity
  }

  /// Keeps a state in place of the one before. One that is larger than a sixteenth of the cache is not kept.
  public func put(_ entity: Entity, in space: SpaceID) {
    let place = Place(space: space, key: entity.key)
    if let slot = slots[place] {
      bytes += entity.fields.bytes.count - slot.fieldsBytes
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

  /// Keeps a state in place of one that is here; nothing when there is none.
  func putAgain(_ entity: Entity, in space: SpaceID) {
    guard !slots.isEmpty, slots[Place(space: space, key: entity.key)] != nil else { return }
    put(entity, in: space)
  }

  /// Forgets everything, and gives the memory back.
  public func forgetAll() {
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
