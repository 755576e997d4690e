internal import TidemarkCore
internal import TidemarkWire

/// Update of one field of a random entity, with the expected state tracked here and a fresh operation id each.
///
/// The request is written by hand, because encoding it through protobuf-c would cost the loader more than the rest of a call; the
/// first one is compared with the library's encoding.
struct UpdateLoad: TidemarkLoad {
  private let entities: BenchEntities
  private let ids: [[UInt8]]
  /// The entities of this thread.
  private var known: [EntityStates.Known]
  private let epoch: [UInt8]
  private let first: Int
  private let step: Int
  private let head: [UInt8]
  private var frame: [UInt8] = []
  private var stream: UInt32 = 1
  private var random: SplitMix
  private var indices: [Int]
  private var value: Int64 = 0
  private var isChecked = false

  /// - Parameter state: the states of all entities, and the epoch of their space.
  init(_ options: Options, thread: Int, state: EntityStates) throws {
    entities = try BenchEntities(options)
    first = thread
    step = options.threads
    let mine = stride(from: first, to: options.entities, by: step)
    ids = mine.map { Array(BenchEntities.idText($0).utf8) }
    known = mine.map { state.known[$0] }
    epoch = state.epochs[0].rawValue.bytes
    head = CallTemplate.start(.update, meta: CallTemplate.meta(token: options.token))
    random = SplitMix(seed: Clock.now() &+ UInt64(thread))
    indices = Array(repeating: 0, count: options.connections)
    guard known.count > options.connections else { throw BenchError("more connections than entities") }
  }

  mutating func request(slot: Int) throws(BenchError) -> [UInt8] {
    var index = 0
    repeat { index = Int(random.next() % UInt64(known.count)) } while known[index].isInFlight
    known[index].isInFlight = true
    indices[slot] = index
    value = Int64(random.next() >> 34) + 1
    let now = Timestamp(rawValue: Clock.wallMicroseconds())
    let operation = OperationID(rawValue: UUIDText.makeVersion7(now: now, using: &random))
    frame.removeAll(keepingCapacity: true)
    frame += head
    let start = frame.count
    encode(index, operation)
    if !isChecked { try check(index, operation, Array(frame[start...])) }
    CallTemplate.close(&frame)
    CallTemplate.setStream(stream, in: &frame)
    stream &+= 2
    return frame
  }

  mutating func finish(slot: Int, header: UnsafeRawPointer, payload: UnsafeRawBufferPointer) throws(BenchError) {
    let index = indices[slot]
    var reply = WireCursor(payload)
    guard reply.varint() == 0x0A, let outcome = reply.part().flatMap({ OutcomeState($0) }),
      outcome.version == known[index].version + 1
    else { throw BenchError("an update was answered with another version") }
    known[index] = EntityStates.Known(version: outcome.version, revision: outcome.revision)
  }

  // MARK: By hand: UpdateRequest in entity_calls.proto, WriteResponse's outcome in outcome.proto

  private mutating func encode(_ index: Int, _ operation: OperationID) {
    part(1, entities.space(0).text.utf8)
    part(2, BenchEntities.type.utf8)
    part(3, ids[index])
    var set: [UInt8] = [0x18]  // Value.int_value = 3
    set.appendVarint(UInt64(bitPattern: value))
    var change: [UInt8] = [0x0A, 5] + Array("count".utf8) + [0x12, UInt8(set.count)] + set
    part(4, change)
    change.removeAll(keepingCapacity: true)
    change.append(0x08)
    change.appendVarint(known[index].version)
    change.append(0x10)
    change.appendVarint(known[index].revision)
    change += [0x1A, 16]
    change += epoch
    part(5, change)
    part(6, [0x0A, 36] + Array(operation.description.utf8))
  }

  private mutating func part(_ number: UInt8, _ bytes: some Collection<UInt8>) {
    frame.append(number << 3 | 2)
    frame.appendVarint(UInt64(bytes.count))
    frame.append(contentsOf: bytes)
  }

  private mutating func check(_ index: Int, _ operation: OperationID, _ encoded: [UInt8]) throws(BenchError) {
    isChecked = true
    guard let name = FieldPath("count"), let epoch = Bytes16(bytes: epoch),
      let patch = try? Patch([Patch.Entry(name, .set(.int(value)))])
    else { throw BenchError("no patch") }
    let expected = Expected(
      version: EntityVersion(rawValue: known[index].version), revision: Revision(rawValue: known[index].revision),
      epoch: Epoch(rawValue: epoch))
    let item = WriteItem(
      operation: operation, type: entities.type, id: try entities.key(first + index * step).id, action: .update(patch, expected))
    let library = try? WriteRequest(space: entities.space(0), item: item).encode(using: MessageArena())
    guard library == encoded else { throw BenchError("the update written by hand differs from the library's") }
  }
}
