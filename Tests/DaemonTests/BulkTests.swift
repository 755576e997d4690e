import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

extension DaemonTests {
  /// Many writes, what became of them, undo and schemas, over a socket.
  @Suite struct BulkTests {
    private func bulk(
      _ client: FramedConnection, _ items: [WriteItem], mode: BulkMode = .partial, validatesOnly: Bool = false
    ) throws -> BulkWriteResponse {
      try client.get(
        .bulkWrite, BulkWriteRequest(space: .default, items: items, mode: mode, validatesOnly: validatesOnly))
    }

    @Test func aBulkIsAppliedToldAndTakenBack() throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(folder: folder.path)
      let client = try FramedConnection(port: daemon.port)
      var maker = try WriteMaker(seed: makeSeed())
      let creates = try (0..<1_000).map { try maker.create("e\($0)", [("n", .int(Int64($0)))]) }
      let made = try bulk(client, creates)
      #expect(made.outcomes.count == 1_000 && made.outcomes.allSatisfy { $0.code == .applied })
      #expect(made.revision.rawValue == 1_000)
      // A lost reply: asked without writing, and sent again.
      let known: GetOutcomesResponse = try client.get(
        .getOutcomes, GetOutcomesRequest(space: .default, operations: creates.map(\.operation)))
      #expect(known.results.allSatisfy { $0.outcome?.code == .applied })
      #expect(try bulk(client, creates).outcomes.allSatisfy { $0.isReplay })
      #expect(try client.space(.default).revision.rawValue == 1_000)
      // Three of these were changed by others: the rest is taken back.
      for number in 0..<3 { _ = try client.write(maker.update("e\(number)", [("n", .int(-1))], expected: 1), in: .default) }
      let undo = UndoWritesRequest(
        space: .default,
        items: creates.map { .init(operation: $0.operation, undoOperation: OperationID(rawValue: .random(using: &maker.random))) }
      )
      let undone: UndoWritesResponse = try client.get(.undoWrites, undo)
      #expect(undone.outcomes.prefix(3).allSatisfy { $0.code == .conflict && $0.conflict?.changes.count == 1 })
      #expect(undone.outcomes.dropFirst(3).allSatisfy { $0.code == .applied })
      #expect(try client.space(.default).aliveEntities == 3)
      #expect(daemon.isRunning)
    }

    @Test func allOrNothingAndAskingLeaveNothingBehind() throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(folder: folder.path)
      let client = try FramedConnection(port: daemon.port)
      var maker = try WriteMaker(seed: makeSeed())
      let items = try [maker.create("a"), maker.delete("nobody", expected: 1), maker.create("b")]
      let asked = try bulk(client, items, validatesOnly: true)
      #expect(asked.outcomes.map(\.code) == [.applied, .notFound, .applied])
      #expect(asked.revision == .zero)
      let refused = try bulk(client, items, mode: .atomic)
      #expect(refused.outcomes.map(\.code) == [.aborted, .notFound, .aborted])
      #expect(refused.outcomes.map(\.cause) == [1, nil, 1])
      #expect(try client.space(.default).revision == .zero)
      // Aborted items leave no receipt: they may be sent again as they are.
      #expect(try bulk(client, [items[0], items[2]]).outcomes.map(\.code) == [.applied, .applied])
      let wrong = try client.call(.bulkWrite, BulkWriteRequest(space: .default, items: [items[0], items[0]]))
      #expect(wrong.code == .invalidArgument)
      #expect(try #require(wrong.status).message.contains("items[1]"))
      #expect(daemon.isRunning)
    }

    @Test func aSchemaOutlivesTheDaemonAndJudgesWrites() throws {
      let folder = try TemporaryFolder()
      var maker = try WriteMaker(seed: makeSeed())
      let name = try #require(FieldPath("name"))
      let schema = Schema(types: [
        TypeSchema(
          name: maker.type, fields: [FieldSchema(name: name, type: .string, isRequired: true)],
          uniqueKeys: [UniqueKey(name: name, fields: [name])])
      ])
      let daemon = try DaemonProcess(folder: folder.path)
      let client = try FramedConnection(port: daemon.port)
      _ = try client.write(maker.create("a", [("name", .string("A"))]), in: .default)
      let applied: ApplySchemaResponse = try client.get(
        .applySchema, ApplySchemaRequest(space: .default, schema: schema, expectedVersion: 0))
      #expect(applied.isApplied && applied.version == 1)
      #expect(daemon.terminate() == 0)
      let again = try DaemonProcess(folder: folder.path)
      let other = try FramedConnection(port: again.port)
      let answer = try bulk(
        other, [maker.create("b", [("name", .string("A"))]), maker.create("c"), maker.create("d", [("name", .string("D"))])])
      #expect(answer.outcomes.map(\.code) == [.uniqueViolation, .invalid, .applied])
      let known: GetSchemaResponse = try other.get(.getSchema, GetSchemaRequest(space: .default))
      #expect(known.schema?.schema == schema)
      #expect(again.isRunning)
    }

    @Test func noFieldIsInTheLogOfRefusals() throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(folder: folder.path, arguments: ["--log-level", "trace"])
      let client = try FramedConnection(port: daemon.port)
      var maker = try WriteMaker(seed: makeSeed())
      let secret = "s3cret-of-the-guest"
      _ = try client.write(maker.create("vault", [("passcode", .string(secret))]), in: .default)
      _ = try bulk(
        client,
        [
          maker.update("vault", [("passcode", .string(secret))], expected: 9),
          maker.create("vault", [("passcode", .string(secret))]),
        ])
      _ = try client.write(maker.update("vault", [("passcode", .string(secret))], expected: 8), in: .default)
      let info: GetServerInfoResponse = try client.get(.getServerInfo, GetServerInfoRequest())
      #expect(info.writes.first { $0.outcome == .conflict }?.writes == 2)
      #expect(daemon.terminate() == 0)
      #expect(!daemon.log.contains(secret) && !daemon.log.contains("passcode"))
      #expect(daemon.log.components(separatedBy: "a write was refused").count == 4)
      #expect(daemon.log.contains("vault"))
    }
  }
}
