internal import CTidemarkSQLite

/// A compiled statement. Used by the thread of its connection.
///
/// Bind, step, read the columns, reset. Parameters count from 1, columns from 0, as in SQLite. A failed bind is thrown by the
/// next `step`.
public final class Statement {
  /// What a column holds (https://www.sqlite.org/datatype3.html).
  public enum Kind: Sendable {
    case integer
    case real
    case text
    case blob
    case null
  }

  private let handle: OpaquePointer
  /// Keeps the connection open as long as the statement lives.
  private let connection: Connection
  private var bindCode: Int32 = SQLITE_OK

  init(_ handle: OpaquePointer, of connection: Connection) {
    self.handle = handle
    self.connection = connection
  }

  deinit { sqlite3_finalize(handle) }

  /// The statement's text, without its bound values.
  public var sql: String { sqlite3_sql(handle).map { String(cString: $0) } ?? "" }

  // MARK: Binding

  public func bind(_ value: Int64, at index: Int32) { note(sqlite3_bind_int64(handle, index, value)) }

  public func bindNull(at index: Int32) { note(sqlite3_bind_null(handle, index)) }

  /// Binds bytes without copying them: the memory must stay as it is until `reset`.
  public func bind(unsafeBytes bytes: UnsafeRawBufferPointer, at index: Int32) {
    guard let start = bytes.baseAddress, bytes.count > 0 else { return note(sqlite3_bind_zeroblob(handle, index, 0)) }
    note(tidemark_sqlite_bind_blob_static(handle, index, start, Int32(clamping: bytes.count)))
  }

  /// Binds a copy of bytes.
  public func bind(_ bytes: [UInt8], at index: Int32) {
    bytes.withUnsafeBytes { raw in
      guard let start = raw.baseAddress, raw.count > 0 else { return note(sqlite3_bind_zeroblob(handle, index, 0)) }
      note(tidemark_sqlite_bind_blob_copy(handle, index, start, Int32(clamping: raw.count)))
    }
  }

  /// Binds a copy of a text.
  public func bind(_ text: String, at index: Int32) {
    var copy = text
    copy.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) {
        note(tidemark_sqlite_bind_text_copy(handle, index, $0.baseAddress, Int32(clamping: $0.count)))
      }
    }
  }

  private func note(_ code: Int32) {
    if code != SQLITE_OK, bindCode == SQLITE_OK { bindCode = code }
  }

  // MARK: Stepping

  /// Goes to the next row.
  ///
  /// - Returns: false when there is none.
  public func step() throws(SQLiteError) -> Bool {
    guard bindCode == SQLITE_OK else { throw SQLiteError(code: ResultCode(rawValue: bindCode), message: "bind", sql: sql) }
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    case let code: throw connection.failure(code, sql)
    }
  }

  /// Runs a statement to its end, ignores rows, and resets it, also when it throws.
  public func run() throws(SQLiteError) {
    defer { reset() }
    while try step() {}
  }

  /// Makes the statement ready for another use. Bound values stay bound, except those that were bound without a copy: those are
  /// void.
  public func reset() {
    sqlite3_reset(handle)
    bindCode = SQLITE_OK
  }

  // MARK: Columns of the current row

  public func kind(at column: Int32) -> Kind {
    switch sqlite3_column_type(handle, column) {
    case SQLITE_INTEGER: .integer
    case SQLITE_FLOAT: .real
    case SQLITE_TEXT: .text
    case SQLITE_BLOB: .blob
    default: .null
    }
  }

  /// The column as an integer, converted when it is something else.
  public func integer(at column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

  /// The column as an integer; `nil` when it is anything else.
  public func exactInteger(at column: Int32) -> Int64? {
    sqlite3_column_type(handle, column) == SQLITE_INTEGER ? sqlite3_column_int64(handle, column) : nil
  }

  /// The column as a number, converted when it is something else.
  public func real(at column: Int32) -> Double { sqlite3_column_double(handle, column) }

  /// The bytes of the column, valid until the next `step` or `reset`; `nil` when it is not a blob.
  public func unsafeBytes(at column: Int32) -> UnsafeRawBufferPointer? {
    guard sqlite3_column_type(handle, column) == SQLITE_BLOB else { return nil }
    let start = sqlite3_column_blob(handle, column)
    return UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_column_bytes(handle, column)))
  }

  /// The column as text; `nil` when it is not text, or not valid UTF-8.
  public func text(at column: Int32) -> String? {
    guard sqlite3_column_type(handle, column) == SQLITE_TEXT, let start = sqlite3_column_text(handle, column) else { return nil }
    let bytes = UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))
    return String(validating: bytes, as: UTF8.self)
  }
}
