public import TidemarkCore
public import TidemarkTesting

/// Makes writes with operation ids that follow from a seed.
public struct WriteMaker {
  public var random: SeededGenerator
  public let type: TypeName

  public init(seed: UInt64, type: String = "booking") throws {
    random = SeededGenerator(seed: seed)
    self.type = try orThrow(TypeName(type))
  }

  public mutating func make(_ id: EntityID?, _ action: WriteAction) -> WriteItem {
    WriteItem(operation: OperationID(rawValue: .random(using: &random)), type: type, id: id, action: action)
  }

  public mutating func create(_ id: String, _ fields: [(String, Value)] = []) throws -> WriteItem {
    make(try makeID(id), .create(try makeFields(fields)))
  }

  public mutating func update(_ id: String, _ fields: [(String, Value)], expected: UInt64) throws -> WriteItem {
    let entries = try fields.map { Patch.Entry(try orThrow(FieldPath($0.0)), .set($0.1)) }
    return make(
      try makeID(id), .update(try Patch(entries), Expected(version: EntityVersion(rawValue: expected))))
  }

  public mutating func delete(_ id: String, expected: UInt64) throws -> WriteItem {
    make(try makeID(id), .delete(Expected(version: EntityVersion(rawValue: expected))))
  }

  public func key(_ id: String) throws -> EntityKey { EntityKey(type: type, id: try makeID(id)) }
}

public func makeFields(_ fields: [(String, Value)]) throws -> Fields {
  try Fields(fields.map { Field(try orThrow(FieldPath($0.0)), $0.1) })
}

public func makeID(_ text: String) throws -> EntityID { try orThrow(EntityID(text)) }

public func makeSpaceName(_ text: String) throws -> SpaceName { try orThrow(SpaceName(text)) }

/// A seed that is printed, so that a failing test can be run again with it.
public func makeSeed(_ test: String = #function) -> UInt64 {
  let seed = UInt64.random(in: 0...UInt64.max)
  print("\(test) seed \(seed)")
  return seed
}

/// Says that a test uses a name which the data model does not allow.
public struct UnusableName: Error {}

/// The value, where a test knows that there is one.
private func orThrow<Made>(_ made: Made?) throws -> Made {
  guard let made else { throw UnusableName() }
  return made
}
