import Testing
import TidemarkCore
import TidemarkStore
import TidemarkTesting

@testable import TidemarkStoreSQLite

@Suite struct WriterMemoryTests {
  private let one = SpaceID(rawValue: 1)

  @Test func cacheAnswersWithTheLatestStateOfItsSpaceAlone() throws {
    let cache = EntityCache(bytesMax: 1 << 20)
    let entity = try makeEntity("a", version: 1)
    cache.put(entity, in: one)
    cache.put(try makeEntity("a", version: 2), in: one)
    #expect(cache.entity(entity.key, in: one)?.version.rawValue == 2)
    #expect(cache.entity(entity.key, in: SpaceID(rawValue: 2)) == nil)
    cache.forgetAll()
    #expect(cache.entity(entity.key, in: one) == nil)
  }

  @Test func cacheHoldsNoMoreThanItMayAndNeverAnOldState() throws {
    let seed = UInt64.random(in: 0...(.max))
    var random = SeededGenerator(seed: seed)
    let cache = EntityCache(bytesMax: 20_000)
    var latest: [EntityKey: Entity] = [:]
    for step in 1...5_000 {
      let size = Int.random(in: 0...1_200, using: &random)
      let id = "id-\(Int.random(in: 0..<60, using: &random))"
      let entity = try makeEntity(id, version: UInt64(step), bytes: size)
      cache.put(entity, in: one)
      latest[entity.key] = entity
      let asked = try makeEntity("id-\(Int.random(in: 0..<60, using: &random))", version: 0).key
      if let found = cache.entity(asked, in: one) { #expect(found == latest[asked], "seed \(seed), step \(step)") }
      if step % 500 == 0 {
        let held = latest.keys.compactMap { cache.entity($0, in: one) }
        #expect(!held.isEmpty, "seed \(seed)")
        #expect(held.reduce(0) { $0 + $1.fields.bytes.count + 400 } <= 20_000, "seed \(seed), step \(step)")
      }
    }
  }

  @Test func cacheKeepsWhatIsInUseNowAndNotWhatCameFirst() throws {
    // Room for 20 entities; 20 that were in use, then 20 others that are used for three rounds.
    let cache = EntityCache(bytesMax: 20 * 512)
    func use(_ ids: Range<Int>) throws -> Int {
      var found = 0
      for id in ids {
        let entity = try makeEntity("id-\(id)", version: 1, bytes: 100)
        if cache.entity(entity.key, in: one) != nil { found += 1 }
        cache.put(entity, in: one)
      }
      return found
    }
    for _ in 0..<3 { _ = try use(0..<18) }
    for _ in 0..<3 { _ = try use(100..<118) }
    #expect(try use(100..<118) == 18)
  }

  @Test func anOperationWithAReceiptIsAlwaysASuspect() throws {
    let seed = UInt64.random(in: 0...(.max))
    var random = SeededGenerator(seed: seed)
    let recent = RecentOperations()
    var stored: Set<OperationID> = []
    for step in 0..<400 {
      let ids = (0..<100).map { _ in
        OperationID(rawValue: Bytes16(high: UInt64(step) &+ UInt64.random(in: 0...3, using: &random), low: random.next() >> 50))
      }
      let suspects = Set(recent.suspects(ids, of: 1, in: one) { stored.max() })
      for (index, id) in ids.enumerated() where stored.contains(id) { #expect(suspects.contains(index), "seed \(seed)") }
      let fresh = Set(ids).subtracting(stored)
      stored.formUnion(fresh)
      recent.add(
        fresh.map { Receipt(operation: $0, content: .zero, code: .applied, version: nil, revision: nil) }, of: 1, in: one)
    }
    let later = OperationID(rawValue: Bytes16(high: 1 << 40, low: 0))
    #expect(recent.suspects([later], of: 1, in: one) { stored.max() }.isEmpty)
  }

  private func makeEntity(_ id: String, version: UInt64, bytes: Int = 8) throws -> Entity {
    let mark = Mark(at: Timestamp(rawValue: 0), by: try #require(PrincipalName("tester")))
    return Entity(
      key: EntityKey(type: try #require(TypeName("note")), id: try #require(EntityID(id))),
      version: EntityVersion(rawValue: version), revision: Revision(rawValue: version), life: .alive, created: mark,
      updated: mark,
      fields: CanonicalFields(unchecked: [UInt8](repeating: 1, count: bytes)))
  }
}
