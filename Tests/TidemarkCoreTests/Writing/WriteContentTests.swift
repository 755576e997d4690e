import Testing
import TidemarkCore

/// What a receipt is bound to.
@Suite struct WriteContentTests {
  @Test func everyDifferenceThatTheJudgeSeesIsAnotherContent() throws {
    let name = try RandomValues.require(FieldPath("n"))
    let other = try RandomValues.require(FieldPath("m"))
    let epoch = Epoch(rawValue: Bytes16(high: 1, low: 2))
    let seen = Expected(version: EntityVersion(rawValue: 3))
    let fields = try Fields([Field(name, .int(1))])
    let patches: [Patch.Operation] = [.set(.int(1)), .set(.int(2)), .unset, .incrementInt(1), .incrementDouble(bits: 1)]
    var actions: [WriteAction] = try patches.map { .update(try Patch([.init(name, $0)]), seen) }
    actions += [
      .update(try Patch([.init(other, .unset)]), seen),
      .update(try Patch([.init(name, .unset), .init(other, .unset)]), seen),
      .create(fields), .create(Fields()), .getOrCreate(fields), .replace(fields, seen), .replace(Fields(), seen), .delete(seen),
      .restore(seen), .delete(Expected(version: EntityVersion(rawValue: 4))),
      .delete(Expected(version: seen.version, revision: Revision(rawValue: 5))),
      .delete(Expected(version: seen.version, revision: Revision(rawValue: 6))),
      .delete(Expected(version: seen.version, epoch: epoch)),
      .delete(Expected(version: seen.version, epoch: Epoch(rawValue: Bytes16(high: 1, low: 3)))),
    ]
    var contents: Set<[UInt8]> = []
    var count = 0
    for action in actions {
      for (type, id) in [("a", "bc"), ("ab", "c"), ("a", nil)] {
        contents.insert(WriteContent.encode(try item(type, id, action)))
        count += 1
      }
    }
    #expect(contents.count == count)
  }

  @Test func whatIsOnlyInformativeIsNotPartOfTheContent() throws {
    let first = try item("a", "b", .create(Fields()))
    var retry = first
    retry.knownRevision = Revision(rawValue: 9)
    retry.editedAt = Timestamp(rawValue: 9)
    #expect(WriteContent.encode(first) == WriteContent.encode(retry))
  }

  /// A retry may come after an update of the server: the encoding is part of the store's format.
  @Test func encodingStaysAsItIs() throws {
    let expected = Expected(version: EntityVersion(rawValue: 3), revision: Revision(rawValue: 4))
    let bytes = WriteContent.encode(try item("a", "b", .delete(expected)))
    #expect(bytes == [1] + number(1) + [0x61] + number(1) + [0x62, 4] + number(3) + number(4) + [0])
  }

  private func number(_ value: UInt8) -> [UInt8] { [0, 0, 0, 0, 0, 0, 0, value] }

  private func item(_ type: String, _ id: String?, _ action: WriteAction) throws -> WriteItem {
    WriteItem(
      operation: OperationID(rawValue: Bytes16(high: 0, low: 1)), type: try RandomValues.require(TypeName(type)),
      id: try id.map { try RandomValues.require(EntityID($0)) }, action: action)
  }
}
