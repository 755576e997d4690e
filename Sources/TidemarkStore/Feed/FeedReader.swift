public import TidemarkCore

/// What one page of a feed may cost.
public struct FeedLimits: Hashable, Sendable {
  /// No further item after this many. A group of changes is told whole.
  public var itemsMax = 1_000
  /// No further item after this many bytes (`FeedItem.sizeMax`). A group of changes is told whole.
  public var bytesMax = 1 << 20

  /// Entities or rows of the log that are looked at for one page: a filter may take none of them.
  static let lookedAtMax = 16_384
  /// The bytes of fields that are looked at for one page.
  static let lookedAtBytesMax = 8 << 20
  /// The least that is asked for at once when most of it may not be told, in bytes.
  static let filteredReadBytesMin = 256 << 10
  /// How many of them are read at once.
  static let readMax = 512
  /// The most bytes of a group with fields. Further items of it have none.
  static let groupFieldsBytesMax = 2 << 20
  /// The most bytes and items of a page with a large group. One that is larger still comes in several pages.
  static let groupBytesMax = 3 << 20
  static let groupItemsMax = 12_000

  public init() {}
}

/// One page of a feed.
public struct FeedPage: Sendable {
  public var items: [FeedItem] = []
  /// Where the reader stands behind it.
  public var place: FeedPlace
  /// Nothing follows in the state that was read.
  public var isCaughtUp = false
  /// It belongs to the walk.
  public var isWalk = false
}

/// Reads pages of a feed from snapshots. It keeps nothing: a page is a function of the place, the filter and the state.
public struct FeedReader {
  private let space: SpaceRecord
  private let kind: FeedKind
  private let filter: FeedFilter
  private let limits: FeedLimits
  private let snapshot: any StoreSnapshot

  /// - Parameter space: as `snapshot` has it.
  public init(
    _ space: SpaceRecord, kind: FeedKind, filter: FeedFilter, limits: FeedLimits = FeedLimits(), _ snapshot: any StoreSnapshot
  ) {
    self.space = space
    self.kind = kind
    self.filter = filter
    self.limits = limits
    self.snapshot = snapshot
  }

  /// Where a feed without a cursor begins.
  public func start(_ start: FeedStart) -> FeedPlace {
    switch (start, kind) {
    case (.now, _): .tail(position: space.revision, base: space.revision)
    case (.beginning, .states): .walk(began: space.revision, after: nil)
    // The state before the floor is kept whole nowhere.
    case (.beginning, .changes): .tail(position: space.historyFloor, base: space.historyFloor)
    }
  }

  /// Whether everything is still kept that a reader at this place has to be told.
  public func isAlive(_ place: FeedPlace) -> Bool {
    guard place.position <= space.revision else { return false }
    switch kind {
    case .changes: return place.position >= space.historyFloor
    case .states:
      let base: Revision
      switch place {
      case .walk(let began, _): base = began
      case .tail(_, let reached): base = reached
      }
      // What an entity was before it left the filter is looked up in the history.
      return base >= space.feedFloor && (!filter.comparesFields || base >= space.historyFloor)
    }
  }

  /// The page at a place that is alive.
  ///
  /// - Throws: what the store throws; `corrupt` when what an entity holds does not decode.
  public func page(from place: FeedPlace) throws -> FeedPage {
    do {
      switch (place, kind) {
      case (.walk(let began, let after), _): return try walk(began, after)
      case (.tail(let position, let base), .states): return try states(position, base)
      case (.tail(let position, _), .changes): return try changes(position)
      }
    } catch is CorruptFields {
      throw StoreError(.corrupt, "the fields of an entity in the feed of \(space.name) do not decode")
    }
  }

  // MARK: The walk

  private func walk(_ began: Revision, _ after: EntityKey?) throws -> FeedPage {
    var page = FeedPage(place: .walk(began: began, after: after), isWalk: true)
    var room = Room(limits, isFiltered: !filter.isAll)
    var last = after
    var type = try after?.type ?? nextType(after: nil)
    while let current = type {
      let found = try snapshot.entities(
        of: current, in: space.id, after: last.flatMap { $0.type == current ? $0.id : nil }, deleted: .exclude,
        limit: room.readMax, bytesMax: room.readBytes)
      for entity in found {
        // A damaged index can lead back to where the walk has been: it would never end.
        guard last.map({ $0 < entity.key }) ?? true else { throw StoreError(.corrupt, "the walk over \(space.name) goes back") }
        last = entity.key
        room.lookAt(entity)
        if try filter.takes(entity) {
          let item = FeedItem(entity: entity)
          page.items.append(item)
          room.take(item)
        }
        if room.isUsedUp { break }
      }
      if found.isEmpty {
        // Nothing of this type is left. Types that have nothing to tell cost a look each, too.
        last = FeedReader.lastID.map { EntityKey(type: current, id: $0) } ?? last
        room.lookAt()
        type = try nextType(after: current)
      }
      page.place = .walk(began: began, after: last)
      if room.isUsedUp, type != nil { return page }
    }
    page.place = .tail(position: began, base: began)
    // Who reads the tail of nothing is caught up already.
    page.isCaughtUp = began == space.revision
    return page
  }

  /// No id sorts behind it.
  private static let lastID = EntityID(String(repeating: "\u{10FFFF}", count: Limits.entityIDBytesMax / 4))

  /// The next type that the filter takes.
  private func nextType(after type: TypeName?) throws -> TypeName? {
    guard filter.isAll else { return filter.parts.first { part in type.map { $0 < part.type } ?? true }?.type }
    return try snapshot.type(after: type, in: space.id)
  }

  // MARK: The tail

  private func states(_ position: Revision, _ base: Revision) throws -> FeedPage {
    var page = FeedPage(place: .tail(position: position, base: base))
    var room = Room(limits, isFiltered: !filter.isAll)
    var reached = position
    while reached < space.revision, !room.isUsedUp {
      let read = try snapshot.changes(
        after: reached, in: space.id, latestOnly: true, limit: room.readMax, bytesMax: room.readBytes)
      guard read.through > reached else { throw StoreError(.corrupt, "the log of \(space.name) ends before its revision") }
      room.lookAt(Int(clamping: read.through.rawValue - reached.rawValue))
      reached = read.through
      for (index, change) in read.changes.enumerated() {
        room.lookAt(bytesOf: change.entity)
        if let item = try state(change, base, &room) {
          page.items.append(item)
          room.take(item)
        }
        if room.isUsedUp, index + 1 < read.changes.count {
          reached = change.entity.revision
          break
        }
      }
    }
    page.isCaughtUp = reached == space.revision
    page.place = .tail(position: reached, base: page.isCaughtUp ? reached : base)
    return page
  }

  /// What a reader that was caught up at `base` is told of an entity's latest change; `nil` for nothing.
  private func state(_ change: Change, _ base: Revision, _ room: inout Room) throws -> FeedItem? {
    var entity = change.entity
    guard filter.takes(entity.key.type) else { return nil }
    if entity.life == .alive, try filter.takes(entity) { return FeedItem(entity: entity) }
    // It is gone, or does not pass: told to those who may know it.
    guard try mayHaveBeenSeen(change, base, &room) else { return nil }
    entity.fields = .empty
    return FeedItem(entity: entity, hasLeft: entity.life == .alive)
  }

  /// The most versions of an entity that are looked through; who has more was seen.
  private static let versionsMax = 64

  /// Whether the reader may have been told a state of the entity that passes: the one at `base`, or one since.
  private func mayHaveBeenSeen(_ change: Change, _ base: Revision, _ room: inout Room) throws -> Bool {
    guard filter.comparesFields else { return true }
    var previous = change.previous
    for _ in 0..<FeedReader.versionsMax {
      guard previous > .zero else { return false }
      guard let before = try snapshot.logEntry(at: previous, in: space.id)?.change,
        before.entity.key == change.entity.key, before.previous < previous
      else { return true }
      room.lookAt(before.entity)
      if before.entity.life == .alive, try filter.takes(before.entity) { return true }
      if previous <= base { return false }
      previous = before.previous
    }
    return true
  }

  // MARK: Changes

  private func changes(_ position: Revision) throws -> FeedPage {
    var page = FeedPage(place: .tail(position: position, base: position))
    var room = Room(limits, isFiltered: !filter.isAll)
    var group = Group()
    var reached = position
    read: while reached < space.revision, !room.isUsedUp || group.isOpen {
      let read = try snapshot.changes(
        after: reached, in: space.id, latestOnly: false, limit: room.isUsedUp ? FeedLimits.readMax : room.readMax,
        bytesMax: room.isUsedUp ? FeedLimits.filteredReadBytesMin : room.readBytes)
      guard read.through > reached else { throw StoreError(.corrupt, "the log of \(space.name) ends before its revision") }
      for change in read.changes {
        reached = change.entity.revision
        room.lookAt(change.entity)
        if let item = try told(change, &room) { group.add(item) }
        group.isOpen = change.goesOn && !group.isTooLong
        guard !group.isOpen else { continue }
        // A group that does not fit behind others begins the next page.
        if !page.items.isEmpty, room.taken + group.bytes > FeedLimits.groupBytesMax { break read }
        for item in group.closed() {
          page.items.append(item)
          room.take(item)
        }
        page.place = .tail(position: reached, base: reached)
        if room.isUsedUp { break read }
      }
    }
    page.isCaughtUp = page.place.position == space.revision
    // The rest of a group is always there: a commit is whole.
    if group.isOpen, reached == space.revision { throw StoreError(.corrupt, "the last group of \(space.name) has no end") }
    return page
  }

  /// What a reader of the changes is told of one; `nil` for nothing.
  private func told(_ change: Change, _ room: inout Room) throws -> FeedItem? {
    guard filter.takes(change.entity.key.type) else { return nil }
    if try filter.takes(change.entity) { return FeedItem(entity: change.entity, story: FeedItem.Story(change)) }
    guard change.previous > .zero else { return nil }
    let before = try snapshot.logEntry(at: change.previous, in: space.id)?.change.entity
    if let before { room.lookAt(before) }
    guard try before.map({ try filter.takes($0) }) ?? true else { return nil }
    var entity = change.entity
    entity.fields = .empty
    return FeedItem(entity: entity, hasLeft: true, story: FeedItem.Story(change))
  }
}

extension FeedReader {
  /// What a reader who was caught up before some changes is told of them. Whole commits, small enough for one page.
  ///
  /// - Parameter filter: compares no fields: then the changes alone say what is told.
  public static func items(of changes: ArraySlice<Change>, kind: FeedKind, filter: FeedFilter) -> [FeedItem] {
    switch kind {
    case .states:
      return changes.lazy.filter { filter.takes($0.entity.key.type) }.map { change in
        var entity = change.entity
        if entity.life != .alive { entity.fields = .empty }
        return FeedItem(entity: entity)
      }
    case .changes:
      var items: [FeedItem] = []
      var group = Group()
      for change in changes {
        if filter.takes(change.entity.key.type) { group.add(FeedItem(entity: change.entity, story: FeedItem.Story(change))) }
        if !change.goesOn { items += group.closed() }
      }
      return items
    }
  }
}

/// What a page may still take.
private struct Room {
  private var items: Int
  private var lookedAt = FeedLimits.lookedAtMax
  private var lookedAtBytes = FeedLimits.lookedAtBytesMax
  /// Bytes that are left.
  private(set) var bytes: Int
  /// Bytes that were taken.
  private(set) var taken = 0

  /// Most of what is read may not pass.
  private let isFiltered: Bool

  init(_ limits: FeedLimits, isFiltered: Bool) {
    items = max(1, limits.itemsMax)
    bytes = max(1, limits.bytesMax)
    self.isFiltered = isFiltered
  }

  var isUsedUp: Bool { items <= 0 || bytes <= 0 || lookedAt <= 0 || lookedAtBytes <= 0 }
  /// How many entities or rows to read at once.
  var readMax: Int { max(1, min(isFiltered ? .max : items, lookedAt, FeedLimits.readMax)) }

  /// The bytes of fields to read at once.
  var readBytes: Int { max(1, isFiltered ? max(bytes, FeedLimits.filteredReadBytesMin) : bytes) }

  mutating func lookAt(_ count: Int = 1) { lookedAt -= count }

  mutating func lookAt(_ entity: Entity) {
    lookAt()
    lookAt(bytesOf: entity)
  }

  mutating func lookAt(bytesOf entity: Entity) { lookedAtBytes -= entity.fields.bytes.count }

  mutating func take(_ item: FeedItem) {
    items -= 1
    bytes -= item.sizeMax
    taken += item.sizeMax
  }
}

/// The items of a group of changes that has not ended yet.
private struct Group {
  private var items: [FeedItem] = []
  private(set) var bytes = 0
  /// The next change belongs to it.
  var isOpen = false

  /// More than a page takes in any case.
  var isTooLong: Bool { items.count >= FeedLimits.groupItemsMax || bytes >= FeedLimits.groupBytesMax }

  mutating func add(_ item: FeedItem) {
    var item = item
    if bytes + item.sizeMax > FeedLimits.groupFieldsBytesMax {
      item.entity.fields = .empty
      item.isTruncated = true
    }
    bytes += item.sizeMax
    items.append(item)
  }

  /// The items, of which the last does not go on, unless the group is cut here.
  mutating func closed() -> [FeedItem] {
    defer { (items, bytes) = ([], 0) }
    if let last = items.indices.last, !isTooLong { items[last].story?.goesOn = false }
    for index in items.indices.dropLast() { items[index].story?.goesOn = true }
    return items
  }
}
