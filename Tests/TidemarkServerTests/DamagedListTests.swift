import Logging
import NIOCore
import NIOEmbedded
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTesting
import TidemarkTransport
import TidemarkWire

@testable import TidemarkServer

/// A listing of a store whose index leads back to where it has been.
@Suite(.timeLimit(.minutes(1))) struct DamagedListTests {
  @Test func listingThatDoesNotAdvanceEndsWithDataLoss() async throws {
    var options = TidemarkService.Options()
    options.isDevelopment = true
    let clock = StoreClock(now: { Timestamp(rawValue: 1_000_000) }, uptimeNanoseconds: { 1_000 })
    let service = try TidemarkService(
      store: CircularStore(), options: options, clock: clock, random: SeededGenerator(seed: 3),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onFatal: { _ in })
    let loop = try await LoopUnderTest(service)
    let type = try #require(TypeName("booking"))
    // Each fills a page.
    let fields = try Fields([Field(try #require(FieldPath("data")), .bytes([UInt8](repeating: 7, count: 60_000)))])
    for (number, text) in ["a", "b"].enumerated() {
      let id: EntityID = try #require(EntityID(text))
      let item = WriteItem(
        operation: OperationID(rawValue: Bytes16(high: 0, low: UInt64(number))), type: type, id: id, action: .create(fields))
      try await loop.send(.create, WriteRequest(space: .default, item: item))
      while await loop.replies.count <= number { await loop.loop.run() }
    }
    try await loop.send(.list, ListRequest(space: .default, type: type))
    while await loop.replies.count < 3 { await loop.loop.run() }
    #expect(await loop.replies.map(\.status?.code) == [nil, nil, .dataLoss])
    service.close()
  }
}

/// Begins every page of a listing at the first entity.
private final class CircularStore: EntityStore {
  private let base = MemoryStore()
  var engineName: String { base.engineName }
  var hasOneWriter: Bool { base.hasOneWriter }
  var connections: ConnectionCounts? { base.connections }
  func openReader() throws -> any StoreReader { CircularReader(try base.openReader()) }
  func openWriter() throws -> any StoreWriter { try base.openWriter() }
}

private final class CircularReader: StoreReader {
  private let base: any StoreReader
  init(_ base: any StoreReader) { self.base = base }

  func read<Result>(_ body: (any StoreSnapshot) throws -> Result) throws -> Result {
    try base.read { try body(CircularSnapshot($0)) }
  }
}

private final class CircularSnapshot: StoreSnapshot {
  private let base: any StoreSnapshot
  init(_ base: any StoreSnapshot) { self.base = base }

  func entities(
    of type: TypeName, in space: SpaceID, after: EntityID?, deleted: DeletedFilter, limit: Int, bytesMax: Int
  ) throws -> [Entity] {
    try base.entities(of: type, in: space, after: nil, deleted: deleted, limit: limit, bytesMax: bytesMax)
  }

  func spaces() throws -> [SpaceRecord] { try base.spaces() }
  func space(named name: SpaceName) throws -> SpaceRecord? { try base.space(named: name) }
  func entity(_ key: EntityKey, in space: SpaceID) throws -> Entity? { try base.entity(key, in: space) }
  func entities(_ keys: [EntityKey], in space: SpaceID) throws -> [Entity?] { try base.entities(keys, in: space) }
  func logEntry(at revision: Revision, in space: SpaceID) throws -> LogEntry? { try base.logEntry(at: revision, in: space) }
  func logRows(after revision: Revision, in space: SpaceID, limit: Int) throws -> [LogRow] {
    try base.logRows(after: revision, in: space, limit: limit)
  }
  func heads(after key: EntityKey?, in space: SpaceID, limit: Int) throws -> [Head] {
    try base.heads(after: key, in: space, limit: limit)
  }
  func receipts(_ operations: [OperationID], of principal: PrincipalName, in space: SpaceID) throws -> [Receipt?] {
    try base.receipts(operations, of: principal, in: space)
  }
  func schema(version: UInt64, in space: SpaceID) throws -> SchemaRecord? { try base.schema(version: version, in: space) }
  func holders(of keys: [HeldKey], in space: SpaceID) throws -> [EntityID?] { try base.holders(of: keys, in: space) }
  func referrers(of target: EntityKey, in space: SpaceID, limit: Int) throws -> [HeldReference] {
    try base.referrers(of: target, in: space, limit: limit)
  }
  func heldKeys(after key: HeldKey?, in space: SpaceID, limit: Int) throws -> [(key: HeldKey, holder: EntityID)] {
    try base.heldKeys(after: key, in: space, limit: limit)
  }
  func heldReferences(after reference: HeldReference?, in space: SpaceID, limit: Int) throws -> [HeldReference] {
    try base.heldReferences(after: reference, in: space, limit: limit)
  }
  func areHeld(_ references: [HeldReference], in space: SpaceID) throws -> [Bool] {
    try base.areHeld(references, in: space)
  }
  func tokens() throws -> [TokenRecord] { try base.tokens() }
  func tokenMark() throws -> UInt64 { try base.tokenMark() }
  func moved(since known: [SpaceMark]) throws -> [SpaceMark] { try base.moved(since: known) }
  func secret(named name: String) throws -> [UInt8]? { try base.secret(named: name) }
  func changes(
    after revision: Revision, in space: SpaceID, latestOnly: Bool, limit: Int, bytesMax: Int
  ) throws -> ChangePage {
    try base.changes(after: revision, in: space, latestOnly: latestOnly, limit: limit, bytesMax: bytesMax)
  }
  func type(after type: TypeName?, in space: SpaceID) throws -> TypeName? { try base.type(after: type, in: space) }
}
