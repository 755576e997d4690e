import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkTesting
import TidemarkWire

@testable import tidemark

extension FoundingTests {
  /// A calendar of public holidays is put into English while somebody else works on it.
  @Suite struct Calendar {
    private static let bulkItems = 500

    private struct Event {
      var id: String
      var fields: [(String, Value)]
      var title: String { fields.first { $0.0 == "title" }.map { "\($0.1)" } ?? "" }
    }

    private func events(_ name: String) throws -> [Event] {
      var parser = CSVParser()
      let bytes = try Data(contentsOf: World.example("calendar/\(name).csv"))
      var rows = try parser.parse(bytes)
      rows += try parser.finish()
      let names = try #require(rows.first).cells
      return rows.dropFirst().map { row in
        let cells = zip(names, row.cells).dropFirst().map { ($0.0, Value.string($0.1)) }
        return Event(id: row.cells[0], fields: Array(cells))
      }
    }

    @Test func exactlyTheStaleEditsAreRefusedAndRetriedOnesKeepBothEdits() throws {
      let world = try World(seed: makeSeed())
      let (editor, other) = (try world.connect(), try world.connect())
      for part in try events("public-holidays").parts(of: Calendar.bulkItems) {
        let outcomes = try world.bulk(editor, part.map { try world.create("event", $0.id, $0.fields) }).outcomes
        try #require(outcomes.allSatisfy { $0.code == .applied })
      }
      let revised = try events("public-holidays-english")
      try #require(revised.count > 4_000)
      var noted: Set<String> = []
      var isRefused: [String: Outcome] = [:]
      for part in revised.parts(of: Calendar.bulkItems) {
        let mine = part.filter { _ in Int.random(in: 0..<10, using: &world.random) == 0 }.map(\.id)
        noted.formUnion(mine)
        let titles = try part.map { try world.update("event", $0.id, $0.fields.filter { $0.0 == "title" }, expected: 1) }
        let notes = try mine.map { try world.update("event", $0, [("note", .string("closed, \($0)"))], expected: 1) }
        // Who comes first is left to chance.
        let isOtherFirst = Bool.random(using: &world.random)
        let early = isOtherFirst ? try world.start(other, notes) : nil
        let edits = try world.start(editor, titles)
        let stream = try early ?? world.start(other, notes)
        let (edited, made) = try (world.outcomes(editor, edits), world.outcomes(other, stream))
        try checkPart(edited, made, mine)
        for (item, outcome) in Array(zip(titles, edited)) + Array(zip(notes, made)) where outcome.code == .conflict {
          let retry = try merge(world, item, outcome)
          isRefused[try #require(item.id).text] = try editor.write(retry, in: world.space)
        }
      }
      #expect(Set(isRefused.keys) == noted)
      #expect(isRefused.values.allSatisfy { $0.code == .applied && $0.version?.rawValue == 3 })
      try checkEnd(world, editor, revised, noted)
    }

    /// Every event that both changed was refused to exactly one of them, and no other.
    private func checkPart(_ edited: [Outcome], _ made: [Outcome], _ mine: [String]) throws {
      let refused = Set(edited.filter { $0.code == .conflict }.compactMap { $0.id?.text })
      let late = Set(made.filter { $0.code == .conflict }.compactMap { $0.id?.text })
      #expect(refused.isDisjoint(with: late) && refused.union(late) == Set(mine))
      #expect((edited + made).allSatisfy { [.applied, .conflict].contains($0.code) })
    }

    /// The same edit, made against what is there now, with what is there now kept.
    private func merge(_ world: World, _ item: WriteItem, _ outcome: Outcome) throws -> WriteItem {
      let current = try #require(outcome.conflict?.current)
      guard case .update(let patch, _) = item.action else { return item }
      var fields = try current.fields.decoded()
      for entry in patch.entries {
        if case .set(let value) = entry.operation { fields.set(entry.name, value) }
      }
      return try world.item("event", current.key.id.text, .replace(fields, .at(current.version.rawValue)))
    }

    private func checkEnd(_ world: World, _ client: FramedConnection, _ revised: [Event], _ noted: Set<String>) throws {
      let type = try #require(TypeName("event"))
      for part in revised.parts(of: Calendar.bulkItems) {
        let keys = try part.map { EntityKey(type: type, id: try makeID($0.id)) }
        let found: BatchGetResponse = try client.get(.batchGet, BatchGetRequest(space: world.space, keys: keys))
        for (event, result) in zip(part, found.results) {
          let fields = try #require(result.entity).fields.decoded()
          let isWhole = event.fields.allSatisfy { fields[text: $0.0] == $0.1 }
          let note = noted.contains(event.id) ? Value.string("closed, \(event.id)") : nil
          #expect(isWhole && fields[text: "note"] == note, "\(event.id)")
        }
      }
      try world.expectSound(client)
    }
  }
}

extension Array {
  /// The elements in parts of a size; the last may be smaller.
  fileprivate func parts(of size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}
