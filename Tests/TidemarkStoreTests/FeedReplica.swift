import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTesting

/// Writes random changes to one space, now and then in groups.
struct FeedHistory {
  private(set) var script: SpaceScript
  private let keys: [EntityKey]

  init(_ script: SpaceScript) throws {
    self.script = script
    keys = try ["note", "other", "third"].flatMap { type in try ["a", "b", "c", "d"].map { try EntityKey.sample(type, $0) } }
  }

  /// Commits 1 to 6 changes.
  mutating func write(to store: StoreUnderTest, _ random: inout SeededGenerator) throws {
    let count = Int.random(in: 1...6, using: &random)
    let isGroup = Bool.random(using: &random)
    var entries: [LogEntry] = []
    for index in 0..<count {
      let key = keys[Int.random(in: keys.indices, using: &random)]
      let fields = try CanonicalFields.sample("\(Int.random(in: 0..<3, using: &random))", .random(in: 0..<2, using: &random))
      let kind: ChangeKind
      switch script.entities[key]?.life {
      case nil: kind = .create
      case .alive: kind = Int.random(in: 0..<4, using: &random) == 0 ? .delete : .update
      case .deleted: kind = Int.random(in: 0..<5, using: &random) == 0 ? .purge : .restore
      case .purged: kind = .create
      }
      entries.append(script.make(kind, key, fields: fields, goesOn: isGroup && index + 1 < count))
    }
    try store.write { try $0.extend(script, entries) }
  }

  /// A filter of any kind.
  func makeFilter(_ random: inout SeededGenerator) throws -> FeedFilter {
    var parts: [FeedFilter.TypeFilter] = []
    for type in ["note", "other", "none"] where Bool.random(using: &random) {
      var fields: [Field] = []
      if Bool.random(using: &random) {
        fields.append(Field(try #require(FieldPath("count")), .int(.random(in: 0..<2, using: &random))))
      }
      if Int.random(in: 0..<3, using: &random) == 0 { fields.append(Field(try #require(FieldPath("title")), .string("1"))) }
      parts.append(FeedFilter.TypeFilter(type: try #require(TypeName(type)), equals: try Fields(fields)))
    }
    return try FeedFilter(parts)
  }
}

/// What one reader of a feed knows.
struct FeedReplica {
  private let kind: FeedKind
  private let filter: FeedFilter
  private let start: FeedStart
  private var place: FeedPlace?
  private(set) var isCaughtUp = false
  /// The revision at which it was caught up last, or began.
  private var reached = Revision.zero
  private var began = Revision.zero
  private var states: [EntityKey: Entity] = [:]
  private var story: [FeedItem] = []

  init(_ history: FeedHistory, _ random: inout SeededGenerator) throws {
    kind = Bool.random(using: &random) ? .states : .changes
    filter = try history.makeFilter(&random)
    start = kind == .changes && Bool.random(using: &random) ? .now : .beginning
  }

  /// Takes one page of any size. The cursor goes through its bytes.
  mutating func pull(_ store: StoreUnderTest, _ random: inout SeededGenerator) throws {
    var limits = FeedLimits()
    limits.itemsMax = Int.random(in: 1...8, using: &random)
    limits.bytesMax = Int.random(in: 1...2_000, using: &random)
    let page = try store.read { snapshot in
      let record = try #require(try snapshot.spaces().first)
      let reader = FeedReader(record, kind: kind, filter: filter, limits: limits, snapshot)
      if place == nil {
        place = reader.start(start)
        began = record.revision
      }
      let from = try #require(place)
      #expect(reader.isAlive(from))
      reached = record.revision
      return try reader.page(from: from)
    }
    let cursor = FeedCursor(
      kind: kind, epoch: Epoch(rawValue: Bytes16(high: 1, low: 2)), filter: Bytes16(high: 3, low: 4),
      principal: Bytes16(high: 5, low: 6), rights: Bytes16(high: 7, low: 8), place: page.place)
    #expect(FeedCursor(encoded: cursor.encoded()) == cursor)
    place = page.place
    isCaughtUp = page.isCaughtUp
    for item in page.items { take(item) }
    #expect(kind == .states || page.items.last?.story?.goesOn != true, "a group was cut")
  }

  private mutating func take(_ item: FeedItem) {
    story.append(item)
    if item.hasLeft || item.entity.life != .alive {
      states[item.entity.key] = nil
    } else {
      // An older state never comes behind a newer one, except once: what changed during the walk comes again.
      states[item.entity.key] = item.entity
    }
  }

  /// Compares what is known with what the script says, when there was nothing left to read.
  func check(_ script: SpaceScript, _ what: String) throws {
    guard isCaughtUp, reached == script.record.revision else { return }
    switch kind {
    case .states:
      let wanted = try script.entities.values.filter { try $0.life == .alive && filter.takes($0) }
      #expect(states == Dictionary(uniqueKeysWithValues: wanted.map { ($0.key, $0) }), "\(what)")
    case .changes:
      let first = start == .now ? began : .zero
      var wanted: [Revision] = []
      var left: Set<Revision> = []
      for entry in script.log where entry.change.entity.revision > first {
        let entity = entry.change.entity
        let before = entry.change.previous == .zero ? nil : script.log[Int(entry.change.previous.rawValue) - 1].change.entity
        guard filter.takes(entity.key.type) else { continue }
        if try filter.takes(entity) {
          wanted.append(entity.revision)
        } else if let before, try filter.takes(before) {
          wanted.append(entity.revision)
          left.insert(entity.revision)
        }
      }
      #expect(story.map(\.entity.revision) == wanted, "\(what)")
      #expect(Set(story.filter(\.hasLeft).map(\.entity.revision)) == left, "\(what)")
      for item in story where !item.hasLeft {
        #expect(item.entity == script.log[Int(item.entity.revision.rawValue) - 1].change.entity, "\(what)")
      }
    }
  }
}
