internal import TidemarkCore
internal import TidemarkStore

extension Conformance {
  static let receiptClaims: [Conformance] = [
    Conformance("receipts come in the order of the ids, and none where there is none") { store in
      let id = try store.makeSpace("s").record.id
      var receipts = OutcomeCode.allCases.map { Receipt.sample(UInt64($0.rawValue), code: $0) }
      receipts[0].version = EntityVersion(rawValue: .max)
      receipts[1].version = nil
      receipts[2].revision = nil
      receipts[3].version = nil
      receipts[3].revision = nil
      let kept = receipts
      try store.write { try $0.insertReceipts(kept, of: .sample, in: id, at: Timestamp.validRange.upperBound) }
      let asked = kept.map(\.operation).reversed() + [.sample(99), .sample(1), .sample(1)]
      for _ in 0..<2 {
        try store.read { snapshot in
          try expectEqual(
            try snapshot.receipts(asked, of: .sample, in: id), kept.reversed() + [nil, kept[0], kept[0]], "receipts")
          try expectEqual(try snapshot.receipts([], of: .sample, in: id), [], "receipts of no ids")
        }
        store.close()
      }
    },
    Conformance("a receipt belongs to its principal, whose name is never normalised") { store in
      let id = try store.makeSpace("s").record.id
      let composed = try PrincipalName.sample("é")
      let decomposed = try PrincipalName.sample("e\u{301}")
      let mine = Receipt.sample(1, code: .applied)
      let theirs = Receipt.sample(1, code: .conflict)
      try store.write { transaction in
        try transaction.insertReceipts([mine], of: composed, in: id, at: Timestamp(rawValue: 5))
        try expectEqual(try transaction.receipts([.sample(1)], of: decomposed, in: id), [nil], "another principal's receipt")
        try transaction.insertReceipts([theirs], of: decomposed, in: id, at: Timestamp(rawValue: 5))
      }
      try store.read { snapshot in
        try expectEqual(try snapshot.receipts([.sample(1)], of: composed, in: id), [mine], "mine")
        try expectEqual(try snapshot.receipts([.sample(1)], of: decomposed, in: id), [theirs], "theirs")
      }
    },
    Conformance("a transaction finds receipts whatever the order of their ids, and not those that were undone") { store in
      let id = try store.makeSpace("s").record.id
      struct Refusal: Error {}
      func look(_ numbers: [UInt64]) throws -> [Bool] {
        try store.write { try $0.receipts(numbers.map { .sample($0) }, of: .sample, in: id).map { $0 != nil } }
      }
      func keep(_ number: UInt64, failing: Bool = false) throws {
        try store.write { transaction in
          try transaction.insertReceipts([.sample(number)], of: .sample, in: id, at: Timestamp(rawValue: 5))
          try expectEqual(
            try transaction.receipts([.sample(number)], of: .sample, in: id), [.sample(number)], "the receipt just made")
          if failing { throw Refusal() }
        }
      }
      try keep(5)
      try expectEqual(try look([3, 5, 9]), [false, true, false], "after 5")
      try keep(3)
      try expectEqual(try look([3, 5, 9]), [true, true, false], "after 3")
      do { try keep(9, failing: true) } catch is Refusal {}
      try expectEqual(try look([3, 5, 7, 9]), [true, true, false, false], "after 9 was undone")
      try keep(7)
      try expectEqual(try look([3, 5, 7, 9]), [true, true, true, false], "after 7")
      try keep(0)
      try expectEqual(try look([0, 7]), [true, true], "after 0")
      store.close()
      try expectEqual(try look([0, 3, 5, 7, 9]), [true, true, true, true, false], "after opening again")
    },
    Conformance("a receipt is kept once") { store in
      let id = try store.makeSpace("s").record.id
      let receipt = Receipt.sample(1, code: .applied)
      try store.write { try $0.insertReceipts([receipt], of: .sample, in: id, at: Timestamp(rawValue: 5)) }
      try expectError(.corrupt, "the same receipt again") {
        let other = Receipt.sample(1, code: .conflict)
        try store.write { try $0.insertReceipts([other], of: .sample, in: id, at: Timestamp(rawValue: 6)) }
      }
      try store.read { try expectEqual(try $0.receipts([.sample(1)], of: .sample, in: id), [receipt], "the receipt") }
    },
  ]

  static let tokenClaims: [Conformance] = [
    Conformance("tokens are sorted by id, with their roles, until they are deleted") { store in
      var admin = try TokenRecord.sample("b")
      admin.roleEverywhere = .admin
      var local = try TokenRecord.sample("a")
      local.roles = [try .sample("one"): .reader, try .sample("two"): .writer]
      let bare = try TokenRecord.sample("B")
      let tokens = [admin, local, bare]
      try store.write { transaction in for token in tokens { try transaction.insertToken(token) } }
      store.close()
      try expectEqual(try store.read { try $0.tokens() }, [bare, local, admin], "tokens")
      try expectError(.corrupt, "a token of an id that exists") { try store.write { try $0.insertToken(bare) } }
      try expectEqual(try store.write { try $0.deleteToken(id: "a") }, true, "deleting a token")
      try expectEqual(try store.write { try $0.deleteToken(id: "a") }, false, "deleting it again")
      try expectEqual(try store.read { try $0.tokens() }, [bare, admin], "tokens after deleting one")
      let again = try TokenRecord.sample("a")
      try store.write { try $0.insertToken(again) }
      try expectEqual(try store.read { try $0.tokens() }, [bare, again, admin], "a token without the roles of a deleted one")
    }
  ]
}

extension OperationID {
  static func sample(_ number: UInt64) -> OperationID { OperationID(rawValue: Bytes16(high: number, low: ~number)) }
}

extension Receipt {
  static func sample(_ number: UInt64, code: OutcomeCode = .applied) -> Receipt {
    Receipt(
      operation: .sample(number), content: .sample(number), code: code, version: EntityVersion(rawValue: number),
      revision: Revision(rawValue: number))
  }
}

extension TokenRecord {
  static func sample(_ id: String) throws -> TokenRecord {
    TokenRecord(
      id: id, secretHash: .sample(UInt64(id.utf8.count)), principal: try .sample("owner of \(id)"), roleEverywhere: nil,
      roles: [:],
      createdAt: Timestamp(rawValue: 42))
  }
}

extension Digest32 {
  static func sample(_ number: UInt64) -> Digest32 { Digest32(words: (number, ~number, number, number &* 3)) }
}
