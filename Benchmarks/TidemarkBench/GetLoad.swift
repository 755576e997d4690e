internal import TidemarkCore
internal import TidemarkWire

/// Get of a random entity: the same bytes apart from the stream and the id. One reply in 1,024 is decoded and compared.
struct GetLoad: TidemarkLoad {
  private let entities: BenchEntities
  private let ids: [[UInt8]]
  private let arena = MessageArena()
  private var frame: [UInt8]
  private let idOffset: Int
  private var stream: UInt32 = 1
  private var random: SplitMix
  private var indices: [Int]
  private var replies = 0

  init(_ options: Options, thread: Int) throws {
    entities = try BenchEntities()
    ids = (0..<options.entities).map { Array(BenchEntities.idText($0).utf8) }
    let message = try GetRequest(space: entities.space(0), key: entities.key(0)).encode(using: arena)
    let frame = CallTemplate.frame(.get, message: message, meta: CallTemplate.meta(token: options.token), stream: 1)
    let id = ids[0]
    guard let offset = (0...(frame.count - id.count)).last(where: { frame[$0..<($0 + id.count)].elementsEqual(id) }) else {
      throw BenchError("the request does not hold the id")
    }
    self.frame = frame
    idOffset = offset
    random = SplitMix(seed: UInt64(thread) &+ 1)
    indices = Array(repeating: 0, count: options.connections)
  }

  mutating func request(slot: Int) -> [UInt8] {
    let index = Int(random.next() % UInt64(ids.count))
    indices[slot] = index
    let offset = idOffset
    let id = ids[index]
    frame.withUnsafeMutableBytes { bytes in
      for position in 0..<id.count { bytes[offset + position] = id[position] }
    }
    CallTemplate.setStream(stream, in: &frame)
    stream &+= 2
    return frame
  }

  mutating func finish(slot: Int, header: UnsafeRawPointer, payload: UnsafeRawBufferPointer) throws(BenchError) {
    replies += 1
    guard payload.count > BenchEntities.fieldBytes else { throw BenchError("an entity of \(payload.count) bytes") }
    guard replies % 1_024 == 1 else { return }
    guard let response = try? GetResponse.decode(payload, using: arena) else { throw BenchError("a reply that is no entity") }
    guard response.entity.key == (try entities.key(indices[slot])) else { throw BenchError("another entity") }
  }
}

/// Create of the entities from `first` on, every `step`-th.
struct FillLoad: TidemarkLoad {
  private let entities: BenchEntities
  private let arena = MessageArena()
  private let meta: [UInt8]
  private let fields: Fields
  private let customer: FieldPath
  private let step: Int
  private var next: Int
  private var stream: UInt32 = 1
  private var random: SplitMix

  init(_ options: Options, thread: Int) throws {
    entities = try BenchEntities(options)
    guard let customer = FieldPath("customer") else { throw BenchError("no field customer") }
    self.customer = customer
    meta = CallTemplate.meta(token: options.token)
    fields = try entities.fields(1, textBytes: options.textBytes)
    next = thread
    step = options.threads
    random = SplitMix(seed: Clock.now())
  }

  mutating func request(slot: Int) throws(BenchError) -> [UInt8] {
    let now = Timestamp(rawValue: Clock.wallMicroseconds())
    var fields = fields
    fields.set(customer, .string(BenchEntities.customer(next)))
    let item = WriteItem(
      operation: OperationID(rawValue: UUIDText.makeVersion7(now: now, using: &random)), type: entities.type,
      id: try entities.key(next).id, action: .create(fields))
    let space = entities.space(next)
    next += step
    defer { stream &+= 2 }
    guard let message = try? WriteRequest(space: space, item: item).encode(using: arena) else {
      throw BenchError("cannot encode a create")
    }
    return CallTemplate.frame(.create, message: message, meta: meta, stream: stream)
  }

  func finish(slot: Int, header: UnsafeRawPointer, payload: UnsafeRawBufferPointer) {}
}
