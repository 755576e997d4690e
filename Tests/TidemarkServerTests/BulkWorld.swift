import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTesting
import TidemarkTransport
import TidemarkWire

@testable import TidemarkServer

/// A service in memory with a developer who calls it, and makers of writes.
final class BulkWorld: Sendable {
  static let clock = StoreClock(now: { Timestamp(rawValue: 1_700_000_000_000_000) }, uptimeNanoseconds: { 1_000 })
  let service: TidemarkService
  let store = MemoryStore()
  let log: RecordingLog
  let space = SpaceName.default
  let type: TypeName

  init() throws {
    let log = RecordingLog()
    self.log = log
    var options = TidemarkService.Options()
    options.isDevelopment = true
    service = try TidemarkService(
      store: store, options: options, clock: BulkWorld.clock, random: SeededGenerator(seed: 5),
      logger: Logger(label: "test") { _ in log.handler }, onFatal: { _ in })
    type = try #require(TypeName("booking"))
  }

  /// Sends a call on a loop of its own and waits for the reply.
  func reply(
    _ method: TidemarkWire.Method, _ request: some EncodableMessage, authorization: String = "", attempt: UInt32 = 0,
    deadline: NIODeadline? = nil
  ) async throws -> CallReply {
    let loop = try await LoopUnderTest(service)
    try await loop.send(method, request, authorization: authorization, attempt: attempt, deadline: deadline)
    while await loop.replies.isEmpty { await loop.loop.run() }
    return try #require(await loop.replies.first)
  }

  func get<Response: DecodableMessage>(
    _ method: TidemarkWire.Method, _ request: some EncodableMessage, attempt: UInt32 = 0
  ) async throws -> Response {
    let reply = try await reply(method, request, attempt: attempt)
    #expect(reply.status == nil, "\(String(describing: reply.status))")
    return try Array(reply.message.readableBytesView).withUnsafeBytes { bytes in
      try Response.decode(bytes, using: MessageArena(bytesMax: WireLimits.answerDecodedBytesMax))
    }
  }

  func bulk(
    _ items: [WriteItem], mode: BulkMode = .partial, validatesOnly: Bool = false, returnsEntities: Bool = false
  ) async throws -> BulkWriteResponse {
    try await get(
      .bulkWrite,
      BulkWriteRequest(
        space: space, items: items, mode: mode, validatesOnly: validatesOnly, returnsEntities: returnsEntities))
  }

  func undo(
    _ items: [WriteItem], _ firstUndo: UInt64, onConflict: OnConflict = .fail, mode: BulkMode = .partial
  ) async throws -> UndoWritesResponse {
    let items = items.enumerated().map { index, item in
      UndoWritesRequest.UndoItem(
        operation: item.operation, undoOperation: BulkWorld.operation(firstUndo + UInt64(index)))
    }
    return try await get(
      .undoWrites, UndoWritesRequest(space: space, items: items, onConflict: onConflict, mode: mode))
  }

  /// The entity now; `nil` when it is not alive.
  func entity(_ id: String) async throws -> Entity? {
    let key = EntityKey(type: type, id: try #require(EntityID(id)))
    let answer: BatchGetResponse = try await get(.batchGet, BatchGetRequest(space: space, keys: [key]))
    return answer.results.first?.entity
  }

  static func operation(_ number: UInt64) -> OperationID { OperationID(rawValue: Bytes16(high: 1, low: number)) }

  func item(_ number: UInt64, _ id: String?, _ action: WriteAction) throws -> WriteItem {
    WriteItem(
      operation: BulkWorld.operation(number), type: type, id: try id.map { try #require(EntityID($0)) }, action: action)
  }
  func create(_ number: UInt64, _ id: String?, _ fields: [(String, Value)] = []) throws -> WriteItem {
    try item(number, id, .create(try fieldsOf(fields)))
  }
  func update(_ number: UInt64, _ id: String, _ fields: [(String, Value)], expected: UInt64) throws -> WriteItem {
    let entries = try fields.map { Patch.Entry(try #require(FieldPath($0.0)), .set($0.1)) }
    return try item(number, id, .update(try Patch(entries), Expected(version: EntityVersion(rawValue: expected))))
  }
  func delete(_ number: UInt64, _ id: String, expected: UInt64) throws -> WriteItem {
    try item(number, id, .delete(Expected(version: EntityVersion(rawValue: expected))))
  }
  func fieldsOf(_ fields: [(String, Value)]) throws -> Fields {
    try Fields(fields.map { Field(try #require(FieldPath($0.0)), $0.1) })
  }
}

/// Keeps what is logged.
final class RecordingLog: Sendable {
  private let kept: Mutex<[String]> = Mutex([])
  var lines: [String] { kept.withLock { $0 } }
  var handler: any LogHandler { Handler(log: self) }

  private struct Handler: LogHandler {
    let log: RecordingLog
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
      let pairs = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
      log.kept.withLock { $0.append("\(event.message) \(pairs)") }
    }
  }
}
