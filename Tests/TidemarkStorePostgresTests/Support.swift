import Glibc
import Synchronization
import Testing
import TidemarkCore
import TidemarkStore
import TidemarkStorePostgres
import TidemarkTesting

/// Suites with this are skipped where there is no PostgreSQL, which `PostgresServer.make` says.
let needsPostgres = ConditionTrait.enabled(if: PostgresServer.shared != nil, "PostgreSQL is not installed")

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
