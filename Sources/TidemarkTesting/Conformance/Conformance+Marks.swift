internal import TidemarkCore
internal import TidemarkStore

extension Conformance {
  static let markClaims: [Conformance] = [
    Conformance("of some spaces those that moved since are told, with those that are gone") { store in
      var one = try store.makeSpace("one", seed: 1)
      var two = try store.makeSpace("two", seed: 2)
      let gone = try store.makeSpace("gone", seed: 3).record.id
      let never = SpaceID(rawValue: 4_000_000)
      func moved(_ known: [SpaceMark]) throws -> [SpaceID: Revision?] {
        let marks = try store.read { try $0.moved(since: known) }
        try expectEqual(Set(marks.map(\.space)).count, marks.count, "spaces told twice")
        return Dictionary(uniqueKeysWithValues: marks.map { ($0.space, $0.revision) })
      }
      func mark(_ space: SpaceID, _ revision: UInt64?) -> SpaceMark {
        SpaceMark(space: space, revision: revision.map { Revision(rawValue: $0) })
      }
      let (a, b) = (one.record.id, two.record.id)
      try expectEqual(try moved([]), [:], "of no spaces")
      try expectEqual(try moved([mark(a, 0), mark(b, nil), mark(never, nil)]), [b: .zero], "of a new space")
      let key = try EntityKey.sample("note", "a")
      try store.extend(&one) { [$0.make(.create, key), $0.make(.update, key)] }
      try store.extend(&two) { [$0.make(.create, key)] }
      try expectEqual(try moved([mark(a, 0), mark(b, 1)]), [a: Revision(rawValue: 2)], "after changes")
      try expectEqual(try moved([mark(a, 7)]), [a: Revision(rawValue: 2)], "of a space that is behind what is known")
      try expectEqual(try moved([mark(gone, 0), mark(a, 2)]), [:], "when nothing moved")
      try store.write { try $0.deleteSpace(gone) }
      let again = try store.makeSpace("gone", seed: 4).record.id
      let after = try moved([mark(gone, 0), mark(again, nil), mark(a, 2), mark(b, 1)])
      try expectEqual(after, [gone: .none, again: .zero], "after a space was made again")
      try expectEqual(try moved([mark(gone, nil)]), [:], "of a space that is known to be gone")
      try store.write { transaction in
        try expectEqual(try transaction.moved(since: [mark(a, 1)]), [mark(a, 2)], "in a transaction")
      }
      let many = (1...2_000).map { mark(SpaceID(rawValue: $0), $0 % 2 == 0 ? nil : 9) }
      try expectEqual(try moved(many).count, 1_000 + (b.rawValue % 2 == 0 ? 1 : 0) + (again.rawValue % 2 == 0 ? 1 : 0), "of many")
    },
    Conformance("the mark of tokens is another one whenever tokens are added or removed") { store in
      var marks: [UInt64] = []
      func look(_ when: String) throws {
        let mark = try store.read { try $0.tokenMark() }
        try expect(marks.last != mark, "the mark is the same \(when)")
        try expectEqual(try store.read { try $0.tokenMark() }, mark, "the mark, read again \(when)")
        marks.append(mark)
      }
      try look("at the start")
      let plain = try TokenRecord.sample("a")
      try store.write { try $0.insertToken(plain) }
      try look("after a token was added")
      var other = plain
      other.roles = [try .sample("one"): .reader]
      try store.write { transaction in
        _ = try transaction.deleteToken(id: "a")
        try transaction.insertToken(other)
      }
      try look("after a token got a role")
      try store.write { transaction in
        _ = try transaction.deleteToken(id: "a")
        other.roles = [try .sample("one"): .writer]
        try transaction.insertToken(other)
      }
      try look("after a role changed")
      do {
        try store.write { transaction in
          try transaction.insertToken(try .sample("b"))
          throw Refusal()
        }
      } catch is Refusal {}
      try expectEqual(try store.read { try $0.tokenMark() }, marks.last, "the mark after a token was not added")
      try store.write { _ = try $0.deleteToken(id: "a") }
      try look("after a token was removed")
    },
  ]
}

private struct Refusal: Error {}
