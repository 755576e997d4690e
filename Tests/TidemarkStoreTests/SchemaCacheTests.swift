import Synchronization
import Testing
import TidemarkCore
import TidemarkTesting

@testable import TidemarkStore

/// What the writer keeps of schemas.
@Suite struct SchemaCacheTests {
  @Test func whatIsKeptOfSchemasIsBoundedByBytes() throws {
    let store = MemoryStore()
    let decoded = Counter()
    let cache = SchemaCache(bytesMax: 10_000) { content in
      decoded.add()
      return Schema(types: [TypeSchema(name: try #require(TypeName("t\(content.count)")))])
    }
    let author = try #require(PrincipalName("author"))
    try store.openWriter().write { transaction in
      for number in 1...40 {
        var record = try transaction.insertSpace(
          named: try #require(SpaceName("s\(number)")), epoch: Epoch(rawValue: Bytes16(high: 1, low: UInt64(number))),
          createdAt: Timestamp(rawValue: 1), genesis: Digest32(words: (0, 0, 0, 0)))
        // The last is larger than all that may be kept, and is kept alone.
        let content = [UInt8](repeating: 0, count: number == 40 ? 50_000 : 1_000)
        try transaction.insertSchema(
          SchemaRecord(version: 1, content: content, appliedAt: Timestamp(rawValue: 1), appliedBy: author), in: record.id)
        record.schemaVersion = 1
        for _ in 0..<2 { #expect(try cache.schema(of: record, transaction) != nil) }
        #expect(decoded.count == number)
        #expect(number == 40 ? cache.bytes == 50_000 : cache.bytes <= 10_000)
      }
      cache.forgetAll()
      #expect(cache.bytes == 0)
    }
  }

  private final class Counter: Sendable {
    private let value = Mutex(0)
    var count: Int { value.withLock { $0 } }
    func add() { value.withLock { $0 += 1 } }
  }
}
