import Foundation
import Testing
import TidemarkPostgres
import TidemarkTesting

@testable import TidemarkStorePostgres

/// What the server plans for the statements, on tables it knows nothing of and on tables that have grown since.
@Suite(needsPostgres) struct PlanTests {
  /// One line of a plan that reads a table, and the condition by which it finds rows there.
  private struct Scan {
    var node: String
    var table: String
    var condition = ""
  }

  private static let keys: [String: [String]] = [
    "space": ["name"], "log": ["space", "revision"], "head": ["space", "type", "id"],
    "receipt": ["space", "principal", "operation"], "held_key": ["space", "type", "key", "value"],
    "held_reference": ["space", "target_type", "target_id", "source_type", "source_id", "field"],
  ]

  private static let growth = """
    INSERT INTO head (space, life, version, revision, type, id) SELECT 1, 1, 1, n, 't', int8send(n) FROM generate_series(1, 20000) n;
    INSERT INTO log (revision, version, previous, created_at_us, updated_at_us, space, kind, type, id, created_by, updated_by,
    operation, salt, content_digest, chain_hash, fields)
    SELECT n, 1, 0, 0, 0, 1, 1, 't', int8send(n), 'p', 'p', '', '', '', '', '' FROM generate_series(1, 20000) n;
    INSERT INTO receipt (at_us, checksum, space, code, principal, operation, content)
    SELECT 0, 0, 1, 1, 'p', int8send(n), '' FROM generate_series(1, 20000) n;
    INSERT INTO held_key (space, type, key, value, id) SELECT 1, 't', 'k', int8send(n), '' FROM generate_series(1, 20000) n;
    INSERT INTO held_reference (space, target_type, target_id, source_type, source_id, field)
    SELECT 1, 't', int8send(n), 't', '', 'f' FROM generate_series(1, 20000) n
    """

  /// The scans of tables in the plan that a statement keeps, whatever its parameters are.
  private static func scans(_ sql: SQL, _ connection: PostgresConnection) throws -> (scans: [Scan], plan: String) {
    let count = (1...20).filter { sql.text.contains("$\($0)") }.max() ?? 0
    let parameters = count == 0 ? "" : "(\(Array(repeating: "NULL", count: count).joined(separator: ", ")))"
    try connection.execute("PREPARE p AS \(sql.text)")
    let explain = PostgresConnection.Command(number: sql.rawValue, text: "EXPLAIN (COSTS OFF) EXECUTE p\(parameters)")
    let rows = try connection.run([explain]).flatMap { rows in rows.all.compactMap { $0.text(at: 0) } }
    try connection.execute("DEALLOCATE p")
    var scans: [Scan] = []
    for line in rows {
      if let match = line.firstMatch(of: /((?:Seq|Index|Index Only|Bitmap Heap) Scan.*) on ([a-z_]+)/) {
        scans.append(Scan(node: String(match.1), table: String(match.2)))
      } else if let match = line.firstMatch(of: /Index Cond: (.*)/), !scans.isEmpty {
        scans[scans.count - 1].condition += match.1
      }
    }
    return (scans, rows.joined(separator: "\n"))
  }

  /// Connections as the engine makes them, to empty tables that were never analysed, to tables that grew since, and to tables that were analysed.
  private static func connections() throws -> [(state: String, connection: PostgresConnection)] {
    try ["empty", "grown", "analysed"].map { state in
      let url = try makeSchema()
      _ = try PostgresStore.open(url: url)
      if state != "empty" { try PostgresServer.execute(url, growth) }
      if state == "analysed" { try PostgresServer.execute(url, "ANALYZE log, head, receipt, held_key, held_reference") }
      let connection = try PostgresConnection(url: url)
      try connection.execute(SQL.planSettings)
      return (state, connection)
    }
  }

  @Test func whatIsFoundForAListIsFoundByItsWholeKey() throws {
    let single: [SQL] = [.keyRelease, .referenceRelease, .logEntry, .logHead]
    let lists = SQL.allCases.filter { $0.text.contains("unnest") }
    #expect(lists.contains(.entities) && lists.contains(.headMove) && lists.contains(.receipts))
    for (state, connection) in try PlanTests.connections() {
      for sql in lists + single {
        let (scans, plan) = try PlanTests.scans(sql, connection)
        for scan in scans {
          // Whether anything points to a target is asked without saying what.
          let key = sql == .spacesMoved ? ["id"] : PlanTests.keys[scan.table]
          let columns = key?.prefix(sql == .targetsHeld ? 3 : 9)
          let isWhole = columns?.allSatisfy { scan.condition.contains("(\($0) = ") } ?? false
          #expect(isWhole && scan.node.hasPrefix("Index"), "\(sql), \(state):\n\(plan)")
        }
      }
    }
  }

  @Test func pagesAreReadInTheOrderOfTheirKey() throws {
    let pages: [(SQL, bounds: Int)] = [
      (.entityPage, 3), (.headPage, 2), (.logRows, 2), (.logEnd, 1), (.heldKeys, 2), (.heldReferences, 2), (.referrers, 3),
      (.changes, 2), (.latestChanges, 2), (.typeAfter, 2),
    ]
    for (state, connection) in try PlanTests.connections() {
      for (sql, bounds) in pages {
        let (scans, plan) = try PlanTests.scans(sql, connection)
        #expect(!plan.contains("Sort") && scans.allSatisfy { $0.node.hasPrefix("Index") }, "\(sql), \(state):\n\(plan)")
        #expect(scans.first.map { $0.condition.components(separatedBy: " AND ").count } == bounds, "\(sql), \(state):\n\(plan)")
      }
    }
  }
}
