import Testing
import TidemarkSQLite
import TidemarkTesting

@Suite struct ConnectionTests {
  private let folder: TemporaryFolder
  private let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = "\(folder.path)/test.db"
  }

  @Test func valuesComeBackAsTheyWereBound() throws {
    let connection = try Connection(path: path, mode: .readWriteCreate)
    try connection.execute("CREATE TABLE t (a, b, c, d, e)")
    let insert = try connection.prepare("INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5)")
    insert.bind(Int64.min, at: 1)
    insert.bind([1, 0, 2], at: 2)
    insert.bind("é\u{0}x", at: 3)
    insert.bindNull(at: 4)
    insert.bind(unsafeBytes: UnsafeRawBufferPointer(start: nil, count: 0), at: 5)
    try insert.run()
    #expect(connection.changes == 1)
    let select = try connection.prepare("SELECT * FROM t")
    #expect(try select.step())
    #expect(select.exactInteger(at: 0) == .min)
    #expect(select.unsafeBytes(at: 1).map { [UInt8]($0) } == [1, 0, 2])
    #expect(select.text(at: 2) == "é\u{0}x")
    #expect(select.kind(at: 3) == .null)
    #expect(select.kind(at: 4) == .blob)
    #expect(select.unsafeBytes(at: 4)?.count == 0)
    #expect(try !select.step())
  }

  @Test func columnsOfAnotherKindAreNil() throws {
    let connection = try Connection(path: path, mode: .readWriteCreate)
    let select = try connection.prepare("SELECT 'text', 1.5, CAST(x'FF' AS TEXT)")
    #expect(try select.step())
    #expect(select.exactInteger(at: 0) == nil)
    #expect(select.unsafeBytes(at: 0) == nil)
    #expect(select.kind(at: 1) == .real)
    #expect(select.text(at: 1) == nil)
    #expect(select.text(at: 2) == nil)
  }

  @Test func primaryCodeMatchesItsExtendedCodes() {
    let isIOError = if case .ioError = ResultCode.ioErrorSync { true } else { false }
    let isSync = if case .ioErrorSync = ResultCode.ioError { true } else { false }
    #expect(isIOError)
    #expect(!isSync)
  }

  @Test func errorNamesCodeAndStatementButNoValues() throws {
    let connection = try Connection(path: path, mode: .readWriteCreate)
    try connection.execute("CREATE TABLE t (a PRIMARY KEY) WITHOUT ROWID")
    let insert = try connection.prepare("INSERT INTO t VALUES (?1)")
    insert.bind("private", at: 1)
    try insert.run()
    let error = #expect(throws: SQLiteError.self) { try insert.run() }
    #expect(error?.code.primary == .constraint)
    #expect(error?.sql == "INSERT INTO t VALUES (?1)")
    #expect(error.map { "\($0)".contains("private") } == false)
  }

  @Test func badBindIsThrownByTheNextStep() throws {
    let connection = try Connection(path: path, mode: .readWriteCreate)
    let select = try connection.prepare("SELECT ?1")
    select.bind(1, at: 2)
    #expect(throws: SQLiteError.self) { try select.step() }
  }

  @Test func readOnlyConnectionRefusesToWrite() throws {
    let writer = try Connection(path: path, mode: .readWriteCreate)
    try writer.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a)")
    let reader = try Connection(path: path, mode: .readOnly)
    let error = #expect(throws: SQLiteError.self) { try reader.execute("INSERT INTO t VALUES (1)") }
    #expect(error?.code.primary == .readOnly)
  }

  @Test func missingFileIsNotMadeUnlessAskedFor() {
    let error = #expect(throws: SQLiteError.self) { try Connection(path: path, mode: .readWrite) }
    #expect(error?.code.primary == .cannotOpen)
  }

  @Test func walPagesCountUntilTheCheckpoint() throws {
    let connection = try Connection(path: path, mode: .readWriteCreate)
    try connection.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a)")
    #expect(connection.walPages > 0)
    #expect(try connection.checkpoint())
    #expect(connection.walPages == 0)
  }
}
