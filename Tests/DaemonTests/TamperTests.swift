import Foundation
import Testing
import TidemarkCore
import TidemarkDaemonTesting
import TidemarkSQLite
import TidemarkStore
import TidemarkStoreSQLite
import TidemarkTesting
import TidemarkWire

extension DaemonTests {
  /// Single bytes of a store that change behind the daemon's back: verification finds them, and the daemon lives.
  @Suite struct TamperTests {
    /// A column of a table with the rows to damage, and the revisions that a fault may name; `nil` for any.
    struct Place: Sendable, CustomTestStringConvertible {
      var table: String
      var column: String
      /// Which row, as the end of an SQL statement about the space `?1`.
      var row: String
      var revisions: ClosedRange<UInt64>?
      var testDescription: String { "\(table).\(column)" }
    }

    /// Revision 20 is the one damaged in the log; entity 4 is changed last by revision 36.
    static let places: [Place] =
      [
        "type", "id", "version", "previous", "kind", "created_at_us", "created_by", "updated_at_us", "updated_by", "operation",
        "salt",
        "content_digest", "chain_hash", "fields",
      ].map { Place(table: "log", column: $0, row: "place = (?1 << 40) + 20", revisions: 20...21) }
      + ["type", "id", "version", "revision", "life"].map {
        Place(table: "head", column: $0, row: "space = ?1 AND id = CAST('entity-4' AS BLOB)", revisions: nil)
      }
      + ["principal", "operation", "content", "code", "version", "revision", "at_us", "checksum"].map {
        Place(table: "receipt", column: $0, row: "space = ?1 AND revision = 20", revisions: 20...20)
      }
      + ["text", "number"].map { Place(table: "name", column: $0, row: "space = ?1 AND kind = 1", revisions: nil) }
      + ["text", "number"].map { Place(table: "name", column: $0, row: "space = ?1 AND kind = 2", revisions: nil) }
      + ["epoch", "revision", "chain_hash", "alive_count", "changed_at_us"].map {
        Place(table: "space", column: $0, row: "id = ?1", revisions: nil)
      }

    @Test func aChangedByteInAnyColumnIsFoundThroughTheDaemon() throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(folder: folder.path)
      for index in TamperTests.places.indices { try fill(daemon.port, makeSpaceName("space-\(index)")) }
      #expect(daemon.terminate() == 0)
      var random = SeededGenerator(seed: makeSeed())
      for (index, place) in TamperTests.places.enumerated() {
        try tamper(place, "space-\(index)", folder.path, &random)
      }
      let again = try DaemonProcess(folder: folder.path)
      let client = try FramedConnection(port: again.port)
      for (index, place) in TamperTests.places.enumerated() {
        let reply = try client.call(.verifySpace, SpaceRequest(name: makeSpaceName("space-\(index)")))
        if let status = reply.status {
          #expect(status.code == .dataLoss, "\(place.testDescription): \(status)")
          continue
        }
        let last = try #require(reply.data.last)
        let result = try last.withUnsafeBytes { try VerifySpaceResponse.decode($0, using: client.arena) }
        #expect(!result.faults.isEmpty, "\(place.testDescription) was not found")
        if let revisions = place.revisions, let first = result.faults.map(\.revision.rawValue).min() {
          #expect(revisions.contains(first), "\(place.testDescription): \(result.faults)")
        }
      }
      #expect(try client.verify(.default).faults.isEmpty)
      #expect(again.isRunning)
    }

    /// 10 entities with 4 changes each, a delete, and a write that was refused.
    private func fill(_ port: Int, _ space: SpaceName, hasRefusal: Bool = true) throws {
      let client = try FramedConnection(port: port)
      try client.createSpace(space)
      var maker = try WriteMaker(seed: 7)
      var streams: [UInt32] = []
      for version in 0..<4 {
        for number in 0..<10 {
          let fields: [(String, Value)] = [("n", .int(Int64(version))), ("text", .string("entity \(number) at \(version)"))]
          let item =
            version == 0
            ? try maker.create("entity-\(number)", fields)
            : try maker.update("entity-\(number)", fields, expected: UInt64(version))
          streams.append(try client.start(item, in: space))
        }
      }
      for stream in streams { #expect(try client.outcome(of: client.reply(to: stream)).code == .applied) }
      #expect(try client.write(maker.delete("entity-0", expected: 4), in: space).code == .applied)
      guard hasRefusal else { return }
      #expect(try client.write(maker.delete("entity-1", expected: 1), in: space).code == .conflict)
    }

    /// Flips one bit of one byte of a value.
    private func tamper(_ place: Place, _ space: String, _ folder: String, _ random: inout SeededGenerator) throws {
      let connection = try Connection(path: "\(folder)/tidemark.db", mode: .readWrite)
      let id = try #require(try connection.integer("SELECT id FROM space WHERE name = '\(space)'"))
      let condition = place.row.replacing("?1", with: "\(id)")
      let select = try connection.prepare("SELECT \(place.column) FROM \(place.table) WHERE \(condition)")
      #expect(try select.step(), "\(place.testDescription)")
      let update = try connection.prepare("UPDATE \(place.table) SET \(place.column) = ?1 WHERE \(condition)")
      switch select.kind(at: 0) {
      case .integer: update.bind(select.integer(at: 0) ^ (1 << Int64.random(in: 0..<16, using: &random)), at: 1)
      case .text:
        var bytes = Array(try #require(select.text(at: 0)).utf8)
        bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1
        update.bind(String(decoding: bytes, as: UTF8.self), at: 1)
      default:
        var bytes = try #require(select.unsafeBytes(at: 0).map { [UInt8]($0) })
        bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &random)
        update.bind(bytes, at: 1)
      }
      select.reset()
      do { try update.run() } catch {
        // That is the key of another row: another byte.
        try tamper(place, space, folder, &random)
      }
    }

    /// Bytes of the file itself. What changes nothing that is stored (free space, the file's header) need not be found.
    @Test func aChangedByteOfTheFileIsFoundOrChangesNothing() throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(folder: folder.path)
      // The receipt of a refusal is in no log: it is checked when it is read, and verification does not see it.
      try fill(daemon.port, makeSpaceName("space-0"), hasRefusal: false)
      #expect(daemon.terminate() == 0)
      let original = try closedStore(folder.path)
      let intact = try #require(dump(folder.path))
      var random = SeededGenerator(seed: makeSeed())
      let copy = try TemporaryFolder()
      let path = URL(fileURLWithPath: "\(copy.path)/tidemark.db")
      var (found, harmless) = (0, 0)
      for _ in 0..<300 {
        var bytes = original
        let offset = Int.random(in: 100..<bytes.count, using: &random)
        bytes[offset] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &random)
        for name in try FileManager.default.contentsOfDirectory(atPath: copy.path) {
          try FileManager.default.removeItem(atPath: "\(copy.path)/\(name)")
        }
        try bytes.write(to: path)
        let now = isFound(copy.path) ? nil : dump(copy.path)
        // What verification passes over and SQLite cannot read in full is found by whoever reads it.
        guard let now else {
          found += 1
          continue
        }
        harmless += 1
        let changed = zip(now, intact).filter { $0 != $1 }.map { "\($0) was \($1)" }
        #expect(now == intact, "offset \(offset) of \(bytes.count) was not found: \(changed)")
      }
      print("found \(found), harmless \(harmless) of 300")
      // Most of a small file is room between rows: about 60 are found, give or take 7.
      #expect(found > 25)
    }

    /// The key of a row in the tree of the log is one bit off. Rows are out of order then, and a walk that goes on from the last
    /// one may come back to where it was.
    @Test func aRowOutOfOrderIsFoundAndVerificationEnds() throws {
      let folder = try TemporaryFolder()
      let daemon = try DaemonProcess(folder: folder.path)
      try fill(daemon.port, makeSpaceName("space-0"), hasRefusal: false)
      #expect(daemon.terminate() == 0)
      let original = try closedStore(folder.path)
      let copy = try TemporaryFolder()
      for revision: Int64 in 1...41 {
        let place = Int64(2) << 40 | revision
        // SQLite's varint: groups of seven bits, the highest first (https://www.sqlite.org/fileformat2.html#varint).
        let key = Data((0..<6).map { UInt8(truncatingIfNeeded: place >> (35 - 7 * $0)) & 0x7F | ($0 < 5 ? 0x80 : 0) })
        // Splits of pages leave old copies behind, in which a change means nothing.
        var places: [Int] = []
        while let next = original.range(of: key, in: (places.last ?? 0)..<original.count) { places.append(next.upperBound) }
        for bit in 0..<7 {
          let found = try places.map { place in
            var bytes = original
            bytes[place - 1] ^= UInt8(1) << UInt8(bit)
            try? FileManager.default.removeItem(atPath: "\(copy.path)/tidemark.db-wal")
            try? FileManager.default.removeItem(atPath: "\(copy.path)/tidemark.db-shm")
            try bytes.write(to: URL(fileURLWithPath: "\(copy.path)/tidemark.db"))
            return isFound(copy.path)
          }
          #expect(found.contains(true), "revision \(revision), bit \(bit)")
        }
      }
    }

    /// The bytes of a store with nothing in its write-ahead log.
    private func closedStore(_ folder: String) throws -> Data {
      do { _ = try Connection(path: "\(folder)/tidemark.db", mode: .readWrite).text("PRAGMA wal_checkpoint(TRUNCATE)") }
      return try Data(contentsOf: URL(fileURLWithPath: "\(folder)/tidemark.db"))
    }

    /// Whether opening or verifying the store says that it is damaged.
    private func isFound(_ folder: String) -> Bool {
      do {
        let store = try SQLiteStore.open(folder: folder)
        return try store.openReader().read { snapshot in
          for space in try snapshot.spaces() {
            var verifier = ChainVerifier(space: space.name)
            var steps = 0
            while !verifier.isDone {
              guard try verifier.step(snapshot, limit: 16) else { return true }
              steps += 1
              try #require(steps < 100, "verification does not end")
            }
            if !verifier.faults.isEmpty { return true }
          }
          _ = try snapshot.tokens()
          return false
        }
      } catch is ExpectationFailedError { return false } catch { return true }
    }

    /// Everything that verification vouches for (not the names of spaces, which are in no chain); `nil` when it cannot be read.
    private func dump(_ folder: String) -> [String]? {
      let queries = [
        "SELECT hex(quote(place)||quote(type)||quote(id)||quote(version)||quote(previous)||quote(kind)||quote(created_at_us)"
          + "||quote(created_by)||quote(updated_at_us)||quote(updated_by)||quote(operation)||quote(salt)||quote(content_digest)"
          + "||quote(chain_hash)||quote(fields)||quote(edited_at_us)) FROM log ORDER BY place",
        "SELECT quote(space)||quote(type)||quote(id)||quote(version)||quote(revision)||quote(life) FROM head ORDER BY 1",
        "SELECT quote(space)||quote(principal)||quote(operation)||quote(content)||quote(code)||quote(version)||quote(revision)"
          + "||quote(at_us)||quote(checksum) FROM receipt ORDER BY 1",
        "SELECT quote(space)||quote(kind)||quote(number)||quote(text) FROM name ORDER BY 1",
        // Not its name: a space under another name is missed at once by whoever asks for it.
        "SELECT quote(id)||quote(epoch)||quote(revision)||quote(chain_hash)||quote(changed_at_us)"
          + "||quote(alive_count)||quote(schema_version) FROM space ORDER BY 1",
      ]
      do {
        let connection = try Connection(path: "\(folder)/tidemark.db", mode: .readWrite)
        return try queries.flatMap { query in
          let statement = try connection.prepare(query)
          var rows: [String] = []
          while try statement.step() { rows.append(statement.text(at: 0) ?? "") }
          return rows
        }
      } catch { return nil }
    }
  }
}
