internal import CTidemarkSQLite

/// A result code of SQLite (https://www.sqlite.org/rescode.html), primary or extended.
public struct ResultCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// The code without its extension.
  public var primary: ResultCode { ResultCode(rawValue: rawValue & 0xFF) }

  /// A primary pattern matches all its extended codes, an extended one only itself.
  ///
  /// So `case .ioErrorSync:` before `case .ioError:` tells them apart.
  public static func ~= (pattern: ResultCode, code: ResultCode) -> Bool {
    pattern == pattern.primary ? pattern == code.primary : pattern == code
  }

  public static let ok = ResultCode(rawValue: SQLITE_OK)
  public static let error = ResultCode(rawValue: SQLITE_ERROR)
  public static let busy = ResultCode(rawValue: SQLITE_BUSY)
  public static let outOfMemory = ResultCode(rawValue: SQLITE_NOMEM)
  public static let readOnly = ResultCode(rawValue: SQLITE_READONLY)
  public static let ioError = ResultCode(rawValue: SQLITE_IOERR)
  public static let ioErrorSync = ResultCode(rawValue: SQLITE_IOERR | (4 << 8))
  public static let corrupt = ResultCode(rawValue: SQLITE_CORRUPT)
  public static let full = ResultCode(rawValue: SQLITE_FULL)
  public static let cannotOpen = ResultCode(rawValue: SQLITE_CANTOPEN)
  public static let constraint = ResultCode(rawValue: SQLITE_CONSTRAINT)
  public static let misuse = ResultCode(rawValue: SQLITE_MISUSE)
  public static let notADatabase = ResultCode(rawValue: SQLITE_NOTADB)

  /// SQLite's English for the code, and its number.
  public var description: String {
    sqlite3_errstr(rawValue).map { "\(String(cString: $0)) (\(rawValue))" } ?? String(rawValue)
  }
}

/// Why SQLite could not do what it was asked.
public struct SQLiteError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The extended result code.
  public var code: ResultCode
  /// What the connection said about it.
  public var message: String
  /// The statement, without its bound values; empty when there was none.
  public var sql: String

  public init(code: ResultCode, message: String, sql: String = "") {
    self.code = code
    self.message = message
    self.sql = sql
  }

  public var description: String { sql.isEmpty ? "\(message) (\(code))" : "\(message) (\(code)) in: \(sql)" }
}
