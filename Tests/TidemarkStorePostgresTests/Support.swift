import Foundation
import Glibc
import Synchronization
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStorePostgres
import TidemarkTesting

/// Suites with this are skipped where there is no PostgreSQL, which `PostgresServer.make` says.
let needsPostgres = ConditionTrait.enabled(if: PostgresServer.shared != nil, Comment(rawValue: PostgresServer.absence))

/// An empty schema of the shared server, as a URL.
func makeSchema() throws -> String { try #require(PostgresServer.shared).makeSchema() }

extension StoreUnderTest {
  /// A `PostgresStore` under test in a schema.
  static func postgres(_ url: String, options: PostgresStoreOptions = PostgresStoreOptions()) -> StoreUnderTest {
    StoreUnderTest(
      open: { try PostgresStore.open(url: url, options: options) },
      damage: { revision, space in
        try PostgresServer.execute(
          url, "UPDATE log SET kind = 128 WHERE space = \(space.rawValue) AND revision = \(revision.rawValue)")
      })
  }
}

/// The code with which `body` fails; `nil` when it does not.
func code(_ body: () throws -> Void) -> StoreError.Code? {
  do { try body() } catch { return (error as? StoreError)?.code ?? .failed }
  return nil
}

/// Runs `body` until the database can be reached: what failed a moment ago is told for a moment.
func onceReached<Result>(_ body: () throws -> Result) throws -> Result {
  let end = ContinuousClock.now + .seconds(30)
  while true {
    do { return try body() } catch let error as StoreError where error.code == .unavailable && ContinuousClock.now < end {
      sched_yield()
    }
  }
}

/// Runs `body` on several threads at once, and waits for all.
///
/// - Returns: why each failed; `nil` where it did not.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) -> [String?] {
  let failures = Mutex([String?](repeating: nil, count: count))
  let ended = Waiting<Bool>()
  for number in 0..<count {
    Thread {
      do { try body(number) } catch { failures.withLock { $0[number] = "\(error)" } }
      ended.put(true)
    }.start()
  }
  for _ in 0..<count { _ = ended.take() }
  return failures.withLock { $0 }
}

/// A store of format 1 that a program of that format made, in a schema of its own.
///
/// It has a space with a schema, unique keys and references, merged and cascaded changes, deleted and restored entities, receipts of refused
/// writes, and a token.
func makeKeptStore() throws -> String {
  let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/stores/postgres-1/store.sql")
  let url = try makeSchema()
  try PostgresServer.execute(url, try String(contentsOf: file, encoding: .utf8))
  return url
}

/// Everything in the tables of format 1, as texts.
func content(_ url: String) throws -> [String] {
  let tables = ["space", "log", "head", "receipt", "schema", "held_key", "held_reference", "token", "token_role"]
  return try tables.flatMap { table in
    try PostgresServer.texts(
      url,
      """
      SELECT line FROM (SELECT '\(table) ' || (to_jsonb(t) - 'lowest_format')::text AS line FROM \(table) t) AS lines
      ORDER BY line COLLATE "C"
      """)
  }
}

/// Checks every hash of every space, and the receipts.
func verify(_ store: PostgresStore) throws {
  let reader = try store.openReader()
  for space in try reader.read({ try $0.spaces() }) {
    var verifier = ChainVerifier(space: space.name)
    while !verifier.isDone { _ = try reader.read { try verifier.step($0, limit: 100) } }
    #expect(verifier.changesChecked == space.revision.rawValue)
    #expect(verifier.faults == [])
  }
}
