internal import TidemarkCore
internal import TidemarkWire

/// Bulks of updates of random entities of one space, several in flight on each connection; some items are stale on purpose.
///
/// Written by hand like `UpdateLoad`. Each reply is judged item by item: a stale item must be a conflict, every other must be applied.
struct BulkLoad: TidemarkLoad {
  private static let idBytes = 36

  /// An item in flight.
  private struct Item {
    var index: Int
    var isStale: Bool
  }

  private let entities: BenchEntities
  private let epochs: [[UInt8]]
  /// The ids of all entities, one behind the other.
  private let ids: [UInt8]
  private var known: [EntityStates.Known]
  private let head: [UInt8]
  private let count: Int
  private let stalePercent: UInt64
  private let lanes: Int
  private var frame: [UInt8] = []
  private var item: [UInt8] = []
  private var stream: UInt32 = 1
  /// The calls so far: they go to the spaces in turns.
  private var calls = 0
  private var random: SplitMix
  /// For each slot, the items of its call.
  private var inFlight: [[Item]]
  private var isChecked = false

  init(_ options: Options, state: EntityStates) throws {
    entities = try BenchEntities(options)
    epochs = state.epochs.map(\.rawValue.bytes)
    ids = (0..<options.entities).flatMap { Array(BenchEntities.idText($0).utf8) }
    known = state.known
    head = CallTemplate.start(.bulkWrite, meta: CallTemplate.meta(token: options.token))
    count = options.items
    stalePercent = UInt64(options.stalePercent)
    lanes = options.pipeline
    random = SplitMix(seed: Clock.now())
    inFlight = Array(repeating: [], count: options.connections * lanes)
    // An idle entity is found soon.
    let spaces = entities.spaces.count
    let callsPerSpace = (inFlight.count + spaces - 1) / spaces
    guard callsPerSpace * count * 2 <= known.count / spaces else { throw BenchError("too few entities for so many items") }
  }

  /// Streams are chosen so that they tell the lane.
  func lane(_ header: UnsafeRawPointer) -> Int {
    Int(UInt32(bigEndian: header.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) >> 1) % lanes
  }

  mutating func request(slot: Int) throws(BenchError) -> [UInt8] {
    while Int(stream >> 1) % lanes != slot % lanes { stream += 2 }
    let space = calls % entities.spaces.count
    calls += 1
    frame.removeAll(keepingCapacity: true)
    frame += head
    let start = frame.count
    part(1, entities.spaces[space].text.utf8)
    var items = inFlight[slot]
    items.removeAll(keepingCapacity: true)
    let now = Timestamp(rawValue: Clock.wallMicroseconds())
    for _ in 0..<count {
      let next = try choose(space)
      let operation = UUIDText.makeVersion7(now: now, using: &random)
      let value = Int64(random.next() >> 34) + 1
      encode(next, space, operation, value)
      if !isChecked { try check(next, space, OperationID(rawValue: operation), value, Array(frame[start...])) }
      items.append(next)
    }
    inFlight[slot] = items
    frame += [0x18, 0x01]  // BulkWriteRequest.mode = 3: BULK_MODE_PARTIAL
    CallTemplate.close(&frame)
    CallTemplate.setStream(stream, in: &frame)
    stream &+= 2
    return frame
  }

  /// An idle entity of a space, stale as often as asked for; one of a single version cannot be.
  private mutating func choose(_ space: Int) throws(BenchError) -> Item {
    let step = entities.spaces.count
    let inSpace = (known.count - space + step - 1) / step
    let wantsStale = random.next() % 100 < stalePercent
    var index = 0
    var tries = 0
    repeat {
      index = space + step * Int(random.next() % UInt64(inSpace))
      tries += 1
      guard tries < 10_000 else { throw BenchError("all entities of a space are in flight") }
    } while known[index].isInFlight || (wantsStale && known[index].version < 2 && tries < 50)
    known[index].isInFlight = true
    return Item(index: index, isStale: wantsStale && known[index].version > 1)
  }

  mutating func finish(slot: Int, header: UnsafeRawPointer, payload: UnsafeRawBufferPointer) throws(BenchError) {
    var reply = WireCursor(payload)
    var place = 0
    while !reply.isAtEnd {
      guard let tag = reply.varint() else { throw BenchError("a reply that is none to a bulk") }
      guard tag == 0x0A else {  // anything but BulkWriteResponse.outcomes = 1
        guard tag & 7 == 0 ? reply.varint() != nil : reply.part() != nil else { throw BenchError("a reply cut off") }
        continue
      }
      guard let outcome = reply.part().flatMap({ OutcomeState($0) }), place < inFlight[slot].count else {
        throw BenchError("an outcome without a state")
      }
      let item = inFlight[slot][place]
      let before = known[item.index].version
      guard outcome.code == (item.isStale ? OutcomeState.conflict : OutcomeState.applied),
        outcome.version == (item.isStale ? before : before + 1)
      else { throw BenchError("item \(place): code \(outcome.code), version \(outcome.version) after \(before)") }
      known[item.index] = EntityStates.Known(version: outcome.version, revision: outcome.revision)
      place += 1
    }
    guard place == count else { throw BenchError("\(place) outcomes for \(count) items") }
  }

  // MARK: By hand: BulkWriteRequest and WriteItem in bulk.proto

  private mutating func encode(_ next: Item, _ space: Int, _ operation: Bytes16, _ value: Int64) {
    let state = known[next.index]
    item.removeAll(keepingCapacity: true)
    item += [0x08, 0x03, 0x12, UInt8(BenchEntities.type.utf8.count)]  // kind = 1: WRITE_KIND_UPDATE, type = 2
    item += BenchEntities.type.utf8
    item += [0x1A, UInt8(BulkLoad.idBytes)]  // id = 3
    item += ids[(next.index * BulkLoad.idBytes)..<((next.index + 1) * BulkLoad.idBytes)]
    item += [0x22, UInt8(BulkLoad.idBytes)]  // operation_id = 4
    item.appendUUID(operation)
    item += [0x2A, 0]  // expected = 5
    let expected = item.count
    item.append(0x08)
    item.appendVarint(next.isStale ? state.version - 1 : state.version)
    if !next.isStale {
      item.append(0x10)
      item.appendVarint(state.revision)
    }
    item += [0x1A, 16]
    item += epochs[space]
    item[expected - 1] = UInt8(item.count - expected)
    item += [0x42, 0, 0x0A, 5]  // operations = 8: the name, and Value.int_value = 3
    let operations = item.count - 2
    item += "count".utf8
    item += [0x12, 0, 0x18]
    let number = item.count - 1
    item.appendVarint(UInt64(bitPattern: value))
    item[number - 1] = UInt8(item.count - number)
    item[operations - 1] = UInt8(item.count - operations)
    item += [0x50, 0x01]  // on_conflict = 10: ON_CONFLICT_FAIL
    frame.append(0x12)  // BulkWriteRequest.items = 2
    frame.appendVarint(UInt64(item.count))
    frame += item
  }

  private mutating func part(_ number: UInt8, _ bytes: some Collection<UInt8>) {
    frame.append(number << 3 | 2)
    frame.appendVarint(UInt64(bytes.count))
    frame.append(contentsOf: bytes)
  }

  /// Compares the first item with the library's encoding.
  private mutating func check(
    _ next: Item, _ space: Int, _ operation: OperationID, _ value: Int64, _ encoded: [UInt8]
  ) throws(BenchError) {
    isChecked = true
    guard let name = FieldPath("count"), let epoch = Bytes16(bytes: epochs[space]),
      let patch = try? Patch([Patch.Entry(name, .set(.int(value)))])
    else { throw BenchError("no patch") }
    let state = known[next.index]
    let expected = Expected(
      version: EntityVersion(rawValue: next.isStale ? state.version - 1 : state.version),
      revision: next.isStale ? nil : Revision(rawValue: state.revision), epoch: Epoch(rawValue: epoch))
    let item = WriteItem(
      operation: operation, type: entities.type, id: try entities.key(next.index).id, action: .update(patch, expected))
    let library = try? BulkWriteRequest(space: entities.spaces[space], items: [item]).encode(using: MessageArena())
    guard library == encoded + [0x18, 0x01] else { throw BenchError("the bulk written by hand differs from the library's") }
  }
}

extension [UInt8] {
  /// Appends the 36 characters of a UUID.
  fileprivate mutating func appendUUID(_ value: Bytes16) {
    for index in 0..<32 {
      if index == 8 || index == 12 || index == 16 || index == 20 { append(UInt8(ascii: "-")) }
      let word = index < 16 ? value.high : value.low
      let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - index % 16 * 4)) & 0xF
      append(digit < 10 ? digit + UInt8(ascii: "0") : digit - 10 + UInt8(ascii: "a"))
    }
  }
}
