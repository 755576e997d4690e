import Testing
import TidemarkCore
import TidemarkSQLite
import TidemarkStore
import TidemarkStoreSQLite
import TidemarkTesting

@Suite struct ConformanceTests {
  @Test(arguments: Conformance.claims) func memoryEngineKeepsTheContract(_ claim: Conformance) throws {
    try claim.check(.memory())
  }

  @Test(arguments: Conformance.claims) func sqliteEngineKeepsTheContract(_ claim: Conformance) throws {
    let folder = try TemporaryFolder()
    try claim.check(.sqlite(in: folder))
  }
}

extension StoreUnderTest {
  /// A `SQLiteStore` under test in a folder.
  static func sqlite(in folder: TemporaryFolder) -> StoreUnderTest {
    StoreUnderTest(
      open: { try SQLiteStore.open(folder: folder.path) },
      damage: { revision, space in
        let connection = try Connection(path: "\(folder.path)/tidemark.db", mode: .readWrite)
        let place = Int64(space.rawValue) << 40 | Int64(revision.rawValue)
        try connection.execute("UPDATE log SET kind = 0x80 WHERE place = \(place)")
      })
  }
}
