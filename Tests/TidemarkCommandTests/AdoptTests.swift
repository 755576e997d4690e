import Foundation
import Testing
import TidemarkTestTraits
import TidemarkTesting

@testable import tidemark

/// `tidemark adopt` against a real daemon and real databases.
@Suite(.serialized, .ownThreads) struct AdoptTests {
  private let programs: Programs

  init() async throws { programs = try await Programs() }

  /// A table of bookings.
  private func bookings(_ kind: PlainDatabase, rows: Int) throws -> PlainDatabase.Place {
    let place = try kind.make(in: programs.folder.path)
    try place.execute("CREATE TABLE booking (id integer PRIMARY KEY, room text, seats integer, version integer NOT NULL)")
    let values = (1...rows).map { "(\($0), 'room \($0 % 7)', \($0 % 5 == 0 ? "NULL" : "\($0)"), \($0 * 3))" }
    try place.execute("INSERT INTO booking VALUES \(values.joined(separator: ", "))")
    return place
  }

  private func adopt(_ place: PlainDatabase.Place, _ arguments: String...) throws -> Finished {
    try programs.run(["adopt", place.url, "booking", "--type", "booking"] + arguments)
  }

  private func entity(_ id: String, type: String = "booking") throws -> JSON {
    try JSONParser.parse(try programs.run("get", type, id, "--json").output)
  }

  private func versions(_ type: String = "booking") throws -> [String] {
    try programs.run("export", "--type", type).output.split(separator: "\n").map { line in
      guard case .number(let version)? = try JSONParser.parse(String(line))["version"] else { return "none" }
      return version
    }
  }

  // MARK: What becomes of columns

  @Test func everyColumnOfPostgresBecomesAFieldOfItsKind() throws {
    guard PlainDatabase.available.contains(.postgres) else { return }
    let place = try PlainDatabase.postgres.make(in: programs.folder.path)
    try place.execute(
      """
      CREATE DOMAIN amount AS numeric(10, 2); CREATE TYPE mood AS ENUM ('sunny', 'grey');
      CREATE TABLE booking (id uuid PRIMARY KEY, a int2, b int8, c float4, d float8, e boolean, f text, "G h" varchar(9), i bytea,
        j timestamptz, k timestamp, l date, m jsonb, n json, o int[], p text[], q numeric, r numeric(9, 0), s amount, t mood, u text);
      INSERT INTO booking VALUES ('0190a0b0-0000-7000-8000-000000000001', -1, 9007199254740993, 0.1, 0.1, true, 'é 😀', 'x',
        '\\x00ff', '2025-01-31 10:30:00.5+01', '2025-01-31 09:30:00', '2025-01-31', '{"a": [1, 2]}', '[1,  2]', '{1,2}',
        '{a,NULL}', 0.1000000000000000055511151231257827, 123456789, 12.50, 'grey', NULL)
      """)
    let done = try adopt(place, "--column", "G h=g")
    #expect(done.status == 0, "\(done.error)")
    let fields = try #require(try entity("0190a0b0-0000-7000-8000-000000000001")["fields"])
    #expect(
      fields.compact
        == #"{"a":-1,"b":9007199254740993,"c":0.1,"d":0.1,"e":true,"f":"é 😀","g":"x","i":"AP8=","j":"2025-01-31T09:30:00.5Z","#
        + #""k":"2025-01-31T09:30:00Z","l":"2025-01-31","m":"{\"a\": [1, 2]}","n":"[1,  2]","o":[1,2],"p":["a",null],"#
        + #""q":"0.1000000000000000055511151231257827","r":123456789,"s":"12.50","t":"grey"}"#)
    #expect(try adopt(place, "--column", "G h=g", "--verify").status == 0)
  }

  @Test func everyColumnOfSQLiteBecomesAFieldOfItsKind() throws {
    let place = try PlainDatabase.sqlite.make(in: programs.folder.path)
    try place.execute(
      """
      CREATE TABLE booking (id TEXT PRIMARY KEY, a INTEGER, b REAL, c BOOLEAN, d TEXT, e BLOB, f DATETIME, g DATE, h JSON, i, j DECIMAL(9, 2), k);
      INSERT INTO booking VALUES ('x', -1, 0.1, 1, 'é 😀', x'00ff', '2025-01-31 09:30:00', '2025-01-31', '{"a": 1}', 7, 1.5, NULL)
      """)
    #expect(try adopt(place).status == 0)
    let fields = try #require(try entity("x")["fields"])
    #expect(
      fields.compact
        == #"{"a":-1,"b":0.1,"c":true,"d":"é 😀","e":"AP8=","f":"2025-01-31T09:30:00Z","g":"2025-01-31","h":"{\"a\": 1}","i":7,"j":1.5}"#
    )
    #expect(try adopt(place, "--verify").status == 0)
  }

  @Test(arguments: PlainDatabase.available) func rowsThatCannotBeTakenAreToldAndTheOthersAreTaken(_ kind: PlainDatabase) throws {
    let place = try kind.make(in: programs.folder.path)
    try place.execute(
      """
      CREATE TABLE booking (id varchar(500) PRIMARY KEY, seats text);
      INSERT INTO booking VALUES ('a', '1'), ('b', 'many'), ('c', '3'), ('', '4')
      """)
    try place.execute("INSERT INTO booking VALUES ('\(String(repeating: "x", count: 129))', '5')")
    let rejects = try programs.file("rejects.jsonl")
    let done = try adopt(place, "--column", "seats=int", "--rejects", rejects)
    #expect(done.status == 3)
    #expect(done.error.contains("'b': unreadable: column 'seats': 'many' is no whole number of 64 bits"), "\(done.error)")
    #expect(done.error.contains("5 rows: 2 adopted, 0 there already, 3 refused (3 unreadable); "))
    let lines = try programs.text(of: "rejects.jsonl").split(separator: "\n")
    #expect(lines.count == 3 && lines.contains { $0.contains(#""id":"b","seats":"many","_reject_"#) }, "\(lines)")
    #expect(try versions() == ["1", "1"])
  }

  @Test(arguments: PlainDatabase.available) func fieldsThatTheSchemaRefusesAreToldAndTakenOnceTheRowIsMended(
    _ kind: PlainDatabase
  ) throws {
    let place = try bookings(kind, rows: 6)
    let schema = try programs.file(
      "schema.yaml",
      "types:\n  booking:\n    fields:\n      room: string!\n      seats: {type: int, max: 5}\n      version: int\n")
    #expect(try programs.run("schema", "apply", schema, "--yes").status == 0)
    for _ in 0..<3 {
      let done = try adopt(place)
      #expect(done.status == 3 && done.error.contains("'6': invalid: "), "\(done.error)")
    }
    try place.execute("UPDATE booking SET seats = 5 WHERE id = 6")
    #expect(try adopt(place).error.contains("6 rows: 1 adopted, 5 there already, 0 refused; "))
    #expect(try adopt(place, "--verify").status == 0)
    #expect(try versions() == Array(repeating: "1", count: 6))
  }

  @Test(arguments: PlainDatabase.available) func foreignKeysBecomeReferences(_ kind: PlainDatabase) throws {
    let place = try kind.make(in: programs.folder.path)
    try place.execute(
      """
      CREATE TABLE room (number integer PRIMARY KEY, name text); INSERT INTO room VALUES (7, 'Blue'), (8, 'Red');
      CREATE TABLE booking (id integer PRIMARY KEY, room integer REFERENCES room); INSERT INTO booking VALUES (1, 7), (2, 8), (3, NULL)
      """)
    let schema = try programs.file(
      "schema.yaml",
      "types:\n  room:\n    fields:\n      name: string!\n  booking:\n    fields:\n      room: string -> room\n")
    #expect(try programs.run("schema", "apply", schema, "--yes").status == 0)
    let early = try adopt(place, "--reference", "room=room")
    #expect(early.status == 3 && early.error.contains("2 refused (2 reference violation)"), "\(early.error)")
    #expect(try programs.run("adopt", place.url, "room", "--type", "room").status == 0)
    let done = try adopt(place, "--reference", "room=room")
    #expect(done.status == 0 && done.error.contains("2 adopted, 1 there already"), "\(done.error)")
    #expect(try entity("1")["fields"]?["room"]?.string == "7")
    // A room that is booked stays, until its booking is gone.
    #expect(try programs.run("adopt", place.url, "room", "--type", "room", "--undo", "--yes").status == 3)
    #expect(try adopt(place, "--undo", "--yes").status == 0)
    #expect(try programs.run("adopt", place.url, "room", "--type", "room", "--undo", "--yes").status == 0)
    #expect(try programs.run("verify").status == 0)
  }

  @Test(arguments: PlainDatabase.available) func aDryRunStoresNothingAndSaysWhatBecomesOfColumns(_ kind: PlainDatabase) throws {
    let place = try bookings(kind, rows: 3)
    let done = try adopt(place, "--dry-run", "--column", "room=place", "--column", "version=skip", "--json")
    #expect(done.status == 0)
    #expect(
      done.error.contains("id -> id\nroom (\(kind == .sqlite ? "TEXT" : "text")) -> place (string)\nseats ("), "\(done.error)")
    #expect(try JSONParser.parse(done.output)["adopted"]?.compact == "3")
    #expect(try JSONParser.parse(done.output)["dry_run"] == .bool(true))
    #expect(try versions() == [])
  }

  // MARK: Again, compared and taken back

  @Test(arguments: PlainDatabase.available) func aSecondRunTakesWhatIsMissingAndTellsWhatDiffers(_ kind: PlainDatabase) throws {
    let place = try bookings(kind, rows: 1_200)
    #expect(try adopt(place).error.contains("1200 rows: 1200 adopted, 0 there already, 0 refused; "))
    #expect(try versions() == Array(repeating: "1", count: 1_200))
    #expect(try adopt(place, "--verify").error.contains("1200 rows: 1200 the same, 0 not adopted yet, 0 different; "))
    try place.execute("INSERT INTO booking VALUES (5000, 'new', 1, 1)")
    try place.execute("UPDATE booking SET room = 'elsewhere' WHERE id = 7")
    try place.execute("DELETE FROM booking WHERE id = 9")
    #expect(try programs.run("patch", "booking", "8", "seats:=99", "--expected", "1").status == 0)
    #expect(try programs.run("delete", "booking", "10", "--expected", "1", "--yes").status == 0)
    #expect(try programs.run("create", "booking", "own", "room=mine").status == 0)
    let compared = try adopt(place, "--verify", "--json")
    #expect(compared.status == 3)
    let report = try JSONParser.parse(compared.output)
    #expect(report["same"]?.compact == "1196" && report["not_adopted"]?.compact == "1")
    #expect(report["by_outcome"]?.compact == #"{"changed_in_source":1,"deleted":1,"edited_since":1,"gone_from_source":1}"#)
    #expect(compared.error.contains("'7': changed in source: the row was changed in the source after it was adopted (room)"))
    #expect(compared.error.contains("'8': edited since: the entity was edited after it was adopted (seats): version 2 by "))
    #expect(compared.error.contains("'9': gone from source: "))
    let again = try adopt(place)
    #expect(again.status == 3 && again.error.contains("1200 rows: 1 adopted, 1196 there already, 3 refused"), "\(again.error)")
    #expect(try entity("7")["fields"]?["room"]?.string == "room 0")
  }

  @Test(arguments: PlainDatabase.available) func undoTakesBackWhatNobodyChangedAndNothingElse(_ kind: PlainDatabase) throws {
    let place = try bookings(kind, rows: 450)
    #expect(try programs.run("create", "booking", "own", "room=mine").status == 0)
    #expect(try adopt(place).status == 0)
    #expect(try programs.run("patch", "booking", "8", "seats:=99", "--expected", "1").status == 0)
    let asked = try adopt(place, "--undo")
    #expect(asked.status == 2 && asked.error.contains("say --yes"))
    let undone = try adopt(place, "--undo", "--yes")
    #expect(undone.status == 3)
    #expect(undone.error.contains("'8': edited since: version 2 by "), "\(undone.error)")
    #expect(undone.error.contains("451 entities: 449 taken back, 1 not adopted from there, 1 kept (1 edited since); "))
    #expect(try versions().sorted() == ["1", "2"])
    #expect(try adopt(place, "--undo", "--yes").error.contains("2 entities: 0 taken back, 1 not adopted from there, 1 kept"))
    let refused = try adopt(place)
    #expect(refused.status == 3 && refused.error.contains("449 deleted") && refused.error.contains("--again"))
    #expect(try adopt(place, "--again").error.contains("449 adopted, 0 there already, 1 refused (1 edited since)"))
    #expect(try adopt(place, "--undo", "--yes").error.contains("449 taken back, 1 not adopted from there, 1 kept"))
    #expect(try place.texts("SELECT cast(count(*) AS text) FROM booking") == ["450"])
  }

  @Test(arguments: PlainDatabase.available) func killedInTheMiddleItIsContinuedAndNothingIsDouble(_ kind: PlainDatabase) throws {
    let place = try bookings(kind, rows: 4_000)
    let (process, _, _) = try programs.start("adopt", place.url, "booking", "--type", "booking")
    while try programs.run("get", "booking", "150").status != 0, process.isRunning {}
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    let taken = try versions().count
    #expect(taken > 0 && taken <= 4_000)
    let done = try adopt(place)
    #expect(done.status == 0 && done.error.contains("\(taken) there already, 0 refused"), "\(taken) \(done.error)")
    #expect(try versions() == Array(repeating: "1", count: 4_000))
    #expect(try adopt(place, "--verify").status == 0)
    #expect(try programs.run("verify").status == 0)
  }

  @Test func aFileThatIsNotInWALModeIsReadWithoutHoldingUpItsWriters() throws {
    let place = try bookings(.sqlite, rows: 2_000)
    try place.execute("PRAGMA journal_mode = DELETE")
    let (process, _, _) = try programs.start("adopt", place.url, "booking", "--type", "booking")
    var written = 0
    while process.isRunning {
      written += 1
      try place.execute("INSERT INTO booking VALUES (\(100_000 + written), 'late', 1, 1)")
      // A writer that never pauses leaves no room for any reader.
      _ = try programs.run("--version")
    }
    process.waitUntilExit()
    #expect(process.terminationStatus == 0 && written > 0)
    #expect(try adopt(place).error.contains("The file is not in WAL mode"))
    #expect(try adopt(place, "--verify").status == 0)
  }

  @Test(arguments: PlainDatabase.available) func pagesAreSmallWhereRowsAreLarge(_ kind: PlainDatabase) throws {
    let place = try kind.make(in: programs.folder.path)
    try place.execute("CREATE TABLE booking (id integer PRIMARY KEY, body text, other text)")
    let random =
      kind == .sqlite
      ? "hex(randomblob(500))" : "(SELECT string_agg(md5(random()::text || g), '') FROM generate_series(1, 31) AS g)"
    let numbers = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 700)"
    try place.execute("INSERT INTO booking \(numbers) SELECT n, \(random), NULL FROM n")
    let large =
      kind == .sqlite
      ? "hex(randomblob(300000))" : "(SELECT string_agg(md5(random()::text || g), '') FROM generate_series(1, 18750) AS g)"
    try place.execute("UPDATE booking SET other = \(large) WHERE id > 650")
    var table = try SourceURL(place.url).open("booking", id: nil)
    var keys: [Int] = []
    var largest = 0
    while case let page = try table.nextPage(rowsMax: 500), !page.isEmpty {
      keys += page.compactMap { Int($0.key) }
      largest = max(largest, page.reduce(0) { $0 + $1.bytes })
    }
    #expect(keys == Array(1...700))
    #expect(largest > 2 << 20 && largest < 6 << 20, "\(largest)")
  }

  // MARK: Mistakes

  @Test(arguments: PlainDatabase.available) func mistakesAreToldWithWhatToDo(_ kind: PlainDatabase) throws {
    let place = try bookings(kind, rows: 1)
    try place.execute(
      "CREATE TABLE pair (a integer, b integer, c integer UNIQUE, PRIMARY KEY (a, b)); INSERT INTO pair VALUES (1, 2, NULL)")
    let cases: [(arguments: [String], says: String, status: Int32)] = [
      ([place.url, "nothing"], "There is no table 'nothing'", 1),
      ([place.url, "booking", "--id", "room"], "The column 'room' of 'booking' is not unique", 2),
      ([place.url, "booking", "--id", "none"], "has no column 'none'", 2),
      ([place.url, "pair"], "Say which column holds unique ids:  --id NAME", 2),
      ([place.url, "pair", "--id", "c"], "the column 'c' is NULL, and there is no id", 3),
      ([place.url, "booking", "--column", "rom=a"], "It has: id, room, seats, version", 2),
      ([place.url, "booking", "--column", "room=seats"], "exclude each other", 2),
      ([place.url, "booking", "--verify", "--undo"], "exclude each other", 2),
      (["mysql://host/db", "booking"], "Write postgres://USER@HOST/DATABASE or sqlite:FILE", 2),
      (["postgres://me:secret@host/db", "booking"], "has a password in it", 2),
      (["sqlite:/nowhere/at-all.db", "booking"], "The source '/nowhere/at-all.db' cannot be read", 1),
      (["postgres://nobody@/db?host=%2Fnowhere", "booking"], "The password belongs into the file", 1),
    ]
    for (arguments, says, status) in cases {
      let failed = try programs.run(["adopt"] + arguments + ["--type", "booking"])
      #expect(failed.status == status && failed.error.contains(says), "\(arguments) \(failed.status): \(failed.error)")
      #expect(!failed.error.contains("secret"))
    }
  }
}
