import Testing
import TidemarkCore
import TidemarkTesting

/// Makes writes with operation ids that follow from a seed.
struct WriteMaker {
  var random: SeededGenerator
  let type: TypeName

  init(seed: UInt64, type: String = "booking") throws {
    random = SeededGenerator(seed: seed)
    self.type = try #require(TypeName(type))
  }

  mutating func make(_ id: EntityID?, _ action: WriteAction) -> WriteItem {
    WriteItem(operation: OperationID(rawValue: .random(using: &random)), type: type, id: id, action: action)
  }

  mutating func create(_ id: String, _ fields: [(String, Value)] = []) throws -> WriteItem {
    make(try makeID(id), .create(try makeFields(fields)))
  }

  mutating func update(_ id: String, _ fields: [(String, Value)], expected: UInt64) throws -> WriteItem {
    let entries = try fields.map { Patch.Entry(try #require(FieldPath($0.0)), .set($0.1)) }
    return make(
      try makeID(id), .update(try Patch(entries), Expected(version: EntityVersion(rawValue: expected))))
  }

  mutating func delete(_ id: String, expected: UInt64) throws -> WriteItem {
    make(try makeID(id), .delete(Expected(version: EntityVersion(rawValue: expected))))
  }

  func key(_ id: String) throws -> EntityKey { EntityKey(type: type, id: try makeID(id)) }
}

func makeFields(_ fields: [(String, Value)]) throws -> Fields {
  try Fields(fields.map { Field(try #require(FieldPath($0.0)), $0.1) })
}

func makeID(_ text: String) throws -> EntityID { try #require(EntityID(text)) }

func makeSpaceName(_ text: String) throws -> SpaceName { try #require(SpaceName(text)) }

/// A seed that is printed, so that a failing test can be run again with it.
func makeSeed(_ test: String = #function) -> UInt64 {
  let seed = UInt64.random(in: 0...UInt64.max)
  print("\(test) seed \(seed)")
  return seed
}
