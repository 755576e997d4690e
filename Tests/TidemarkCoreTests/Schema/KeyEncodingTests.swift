import Testing
import TidemarkCore

/// Keys sort by their bytes as their values do, and name what an entity holds.
@Suite struct KeyEncodingTests {
  private static let corners: [Scalar] = [
    .null, .bool(false), .bool(true), .int(.min), .int(-1), .int(0), .int(1), .int(.max), .double(-.infinity), .double(-1.5),
    .double(-0.0), .double(0), .double(.leastNonzeroMagnitude), .double(.infinity), .double(.nan),
    .timestamp(Timestamp(rawValue: -1)), .timestamp(Timestamp(rawValue: 0)), .string(""), .string("\0"), .string("\0\0"),
    .string("\0a"), .string("a"), .string("a\0"), .string("a\u{1}"), .string("aa"), .string("é"), .string("e\u{301}"),
    .string("\u{10FFFF}"), .bytes([]), .bytes([0]), .bytes([0, 0xFF]), .bytes([0xFF]), .bytes([0xFF, 0xFF]),
  ]

  private func scalar(_ random: inout RandomSchemas) throws -> Scalar {
    guard random.flag() else { return try random.pick(KeyEncodingTests.corners) }
    switch random.number(0...4) {
    case 0: return .int(Int64.random(in: .min ... .max, using: &random.random))
    case 1: return .double(bits: random.random.next())
    case 2: return .timestamp(Timestamp(rawValue: Int64.random(in: .min ... .max, using: &random.random)))
    case 3: return .bytes(try (0..<random.number(0...6)).map { _ in try random.pick([0, 1, 0xFE, 0xFF]) })
    default: return .string(try (0..<random.number(0...6)).map { _ in try random.pick(["\0", "\u{1}", "a", "é", "𝄞"]) }.joined())
    }
  }

  private func encode(_ values: [Scalar]) -> [UInt8] {
    var bytes: [UInt8] = []
    for value in values { #expect(KeyEncoding.append(value.value, to: &bytes)) }
    return bytes
  }

  @Test func theOrderOfBytesIsTheOrderOfValues() throws {
    var random = RandomSchemas("theOrderOfBytesIsTheOrderOfValues")
    for _ in 0..<20_000 {
      let length = random.number(1...3)
      let a = try (0..<length).map { _ in try scalar(&random) }
      var b = try (0..<length).map { _ in try scalar(&random) }
      // Often only the end differs.
      if random.flag() { b.replaceSubrange(0..<(length - 1), with: a[0..<(length - 1)]) }
      let (left, right) = (encode(a), encode(b))
      #expect((left == right) == (a == b), "\(a) \(b)")
      #expect(left.lexicographicallyPrecedes(right) == a.lexicographicallyPrecedes(b) { $0.isBelow($1) }, "\(a) \(b)")
    }
  }

  @Test func everyPairOfCornersIsOrdered() {
    for a in KeyEncodingTests.corners {
      for b in KeyEncodingTests.corners {
        #expect(encode([a]).lexicographicallyPrecedes(encode([b])) == a.isBelow(b), "\(a) \(b)")
      }
    }
  }

  @Test func listsAndDocumentsHaveNoKey() {
    var bytes: [UInt8] = [1]
    #expect(!KeyEncoding.append(.list([]), to: &bytes))
    #expect(!KeyEncoding.append(.json("{}"), to: &bytes))
    #expect(bytes == [1])
  }

  // MARK: Entities

  private func name(_ text: String) throws -> FieldPath { try #require(FieldPath(text)) }

  private func assets() throws -> CompiledType {
    let (md5, type, project, tags) = (try name("md5"), try name("type"), try name("project.id"), try name("tags"))
    let projectType = try #require(TypeName("project"))
    let asset = TypeSchema(
      name: try #require(TypeName("asset")),
      fields: [
        FieldSchema(name: md5, type: .string), FieldSchema(name: type, type: .int),
        FieldSchema(name: project, type: .string, reference: Reference(target: projectType, onDelete: .cascade)),
        FieldSchema(name: tags, type: .stringList, reference: Reference(target: projectType)),
        FieldSchema(name: try name("zone"), type: .string),
      ], uniqueKeys: [UniqueKey(name: try name("content"), fields: [type, md5])],
      indexes: [IndexKey(name: try name("by_project"), fields: [project])])
    let schema = Schema(types: [asset, TypeSchema(name: projectType)])
    #expect(schema.problems() == [])
    return try #require(CompiledSchema(schema)[asset.name])
  }

  @Test func anEntityHoldsAUniqueKeyWhenEveryFieldOfItIsThere() throws {
    let assets = try assets()
    let (md5, type) = (try name("md5"), try name("type"))
    let whole = CanonicalFields(try Fields([Field(md5, .string("d4")), Field(type, .int(7))]))
    #expect(try assets.uniqueKeys(of: whole) == [UniqueKeyValue(index: 0, bytes: encode([.int(7), .string("d4")]))])
    for fields in [[Field(md5, .string("d4"))], [Field(md5, .string("d4")), Field(type, .null)], []] {
      #expect(try assets.uniqueKeys(of: CanonicalFields(try Fields(fields))) == [])
    }
    #expect(try assets.indexKeys(of: whole) == [KeyValue(index: 0, bytes: encode([.null]))])
  }

  @Test func referencesNameEveryTargetOnce() throws {
    let assets = try assets()
    let project = try #require(TypeName("project"))
    func key(_ id: String) throws -> EntityKey { EntityKey(type: project, id: try #require(EntityID(id))) }
    let fields = try Fields([
      Field(try name("project.id"), .string("p1")),
      Field(try name("tags"), .list([.string("p2"), .string(""), .string("p2"), .string("p3")])),
    ])
    #expect(
      try assets.references(of: CanonicalFields(fields)) == [
        EntityReference(field: try name("project.id"), target: try key("p1"), onDelete: .cascade),
        EntityReference(field: try name("tags"), target: try key("p2"), onDelete: .restrict),
        EntityReference(field: try name("tags"), target: try key("p3"), onDelete: .restrict),
      ])
    #expect(try assets.references(of: .empty) == [])
  }

  @Test func aPatchTouchesWhatItNamesOrOverlaps() throws {
    let assets = try assets()
    func patch(_ text: String) throws -> Patch { try Patch([.init(try name(text), .unset)]) }
    for (text, keys, indexes, references) in [
      ("md5", true, false, false), ("type.x", true, false, false), ("project", false, true, true),
      ("project.id", false, true, true), ("project.ide", false, false, false), ("tags", false, false, true),
      ("zone", false, false, false),
    ] {
      let patch = try patch(text)
      #expect(assets.touchesKeys(patch) == keys, "\(text)")
      #expect(assets.touchesIndexes(patch) == indexes, "\(text)")
      #expect(assets.touchesReferences(patch) == references, "\(text)")
    }
  }
}
