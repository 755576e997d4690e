import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

@testable import tidemark

/// Running daemons with their store, and a maker of writes.
final class World {
  let nodes: Nodes
  let space = SpaceName.default
  var random: SeededGenerator

  /// Starts daemons on an empty store.
  ///
  /// - Parameter schema: a file of Examples/schemas to put in force; `nil` for free-form entities.
  init(_ engine: EngineUnderTest = .sqlite, schema: String? = nil, seed: UInt64, arguments: [String] = []) throws {
    nodes = try Nodes(engine, arguments: arguments)
    random = SeededGenerator(seed: seed)
    guard let schema else { return }
    let text = try String(contentsOf: World.example("schemas/\(schema).yaml"), encoding: .utf8)
    let answer: ApplySchemaResponse = try connect().get(
      .applySchema, ApplySchemaRequest(space: space, schema: try SchemaText.read(text), expectedVersion: 0))
    try #require(answer.isApplied, "\(answer)")
  }

  /// A file under Examples.
  static func example(_ path: String) -> URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Examples/\(path)")
  }

  /// The first daemon.
  var daemon: DaemonProcess { nodes.daemons[0] }

  func connect() throws -> FramedConnection { try nodes.connect() }

  func connect(_ count: Int) throws -> [FramedConnection] { try nodes.connect(count) }

  // MARK: Making writes

  func item(_ type: String, _ id: String?, _ action: WriteAction, group: String? = nil) throws -> WriteItem {
    WriteItem(
      operation: OperationID(rawValue: .random(using: &random)), type: try #require(TypeName(type)),
      id: try id.map { try makeID($0) }, action: action, group: group)
  }

  func create(_ type: String, _ id: String, _ fields: [(String, Value)] = [], group: String? = nil) throws -> WriteItem {
    try item(type, id, .create(try makeFields(fields)), group: group)
  }

  func getOrCreate(_ type: String, _ id: String, _ fields: [(String, Value)]) throws -> WriteItem {
    try item(type, id, .getOrCreate(try makeFields(fields)))
  }

  func update(
    _ type: String, _ id: String, _ fields: [(String, Value)], expected: UInt64, group: String? = nil
  ) throws -> WriteItem {
    let entries = try fields.map { Patch.Entry(try #require(FieldPath($0.0)), .set($0.1)) }
    return try item(type, id, .update(try Patch(entries), .at(expected)), group: group)
  }

  func add(
    _ type: String, _ id: String, _ field: String, _ amount: Int64, expected: UInt64, group: String? = nil
  ) throws -> WriteItem {
    let patch = try Patch([Patch.Entry(try #require(FieldPath(field)), .incrementInt(amount))])
    return try item(type, id, .update(patch, .at(expected)), group: group)
  }

  func delete(_ type: String, _ id: String, expected: UInt64) throws -> WriteItem {
    try item(type, id, .delete(.at(expected)))
  }

  /// A random text, at least as long as a word.
  func word() -> String { "w" + String(random.next(), radix: 36) }

  /// Values of every kind.
  func value() -> Value {
    switch Int.random(in: 0..<9, using: &random) {
    case 0: .null
    case 1: .bool(Bool.random(using: &random))
    case 2: .int(Int64.random(in: .min ... .max, using: &random))
    case 3: .double(Double.random(in: -1e9...1e9, using: &random))
    case 4: .string(word() + "é\u{0}日")
    case 5: .bytes((0..<Int.random(in: 0..<40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
    case 6: .timestamp(Timestamp(rawValue: Int64.random(in: 0..<4_000_000_000_000_000, using: &random)))
    case 7: .list([.int(1), .string(word())])
    default: .json("{\"a\": [1, \"\(word())\"]}")
    }
  }

  /// One to five fields.
  func fields() -> [(String, Value)] {
    (0..<Int.random(in: 1...5, using: &random)).map { ("field\($0)", value()) }
  }

  // MARK: Calls

  func bulk(
    _ client: FramedConnection, _ items: [WriteItem], mode: BulkMode = .partial, returnsEntities: Bool = false
  ) throws -> BulkWriteResponse {
    try client.get(
      .bulkWrite, BulkWriteRequest(space: space, items: items, mode: mode, returnsEntities: returnsEntities))
  }

  /// Sends a bulk and does not wait.
  func start(_ client: FramedConnection, _ items: [WriteItem], mode: BulkMode = .partial) throws -> UInt32 {
    try client.start(.bulkWrite, BulkWriteRequest(space: space, items: items, mode: mode))
  }

  func outcomes(_ client: FramedConnection, _ stream: UInt32) throws -> [Outcome] {
    let response: BulkWriteResponse = try client.decode(client.reply(to: stream))
    return response.outcomes
  }

  /// Sends one write on each connection before any answer is read.
  func race(_ clients: [FramedConnection], _ items: [WriteItem]) throws -> [Outcome] {
    let streams = try zip(clients, items).map { try $0.start($1, in: space) }
    return try zip(clients, streams).map { try $0.outcome(of: $0.reply(to: $1)) }
  }

  func entity(_ client: FramedConnection, _ type: String, _ id: String) throws -> Entity {
    try client.entity(EntityKey(type: try #require(TypeName(type)), id: try makeID(id)), in: space)
  }

  func values(_ client: FramedConnection, _ type: String, _ id: String) throws -> Fields {
    try entity(client, type, id).fields.decoded()
  }

  func revision(_ client: FramedConnection) throws -> UInt64 { try client.space(space).revision.rawValue }

  /// Expects that the daemon lives and that everything it stored verifies.
  func expectSound(_ client: FramedConnection, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let report = try client.verify(space)
    #expect(report.faults.isEmpty, sourceLocation: sourceLocation)
    #expect(nodes.areRunning, sourceLocation: sourceLocation)
  }
}

extension Expected {
  static func at(_ version: UInt64) -> Expected { Expected(version: EntityVersion(rawValue: version)) }
}

extension Fields {
  /// The value of a field that a test knows by name.
  subscript(text name: String) -> Value? { FieldPath(name).flatMap { self[$0] } }
}
