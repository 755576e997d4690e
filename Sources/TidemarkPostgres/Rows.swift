internal import CTidemarkPostgres

/// What a statement answered: its rows, in binary format, and what it did.
public final class Rows {
  private let result: OpaquePointer

  /// Takes over a result.
  init(_ result: OpaquePointer) { self.result = result }

  deinit { tidemark_pq_clear(result) }

  /// How many rows there are.
  public var count: Int { Int(tidemark_pq_row_count(result)) }

  /// The rows, in order.
  public var all: some Sequence<Row> { (0..<tidemark_pq_row_count(result)).lazy.map { Row(rows: self, index: $0) } }

  /// The first row; `nil` when there is none.
  public var first: Row? { count > 0 ? Row(rows: self, index: 0) : nil }

  /// How many rows the statement inserted, changed, removed or returned.
  public var affected: Int { Int(String(cString: tidemark_pq_command_tuples(result))) ?? 0 }

  /// The word by which the server says what it did: `COMMIT`, `ROLLBACK`, `INSERT 0 1`.
  public var command: String { String(cString: tidemark_pq_command_status(result)) }

  fileprivate func unsafeBytes(_ row: Int32, _ column: Int32) -> UnsafeRawBufferPointer? {
    guard row < tidemark_pq_row_count(result), column < tidemark_pq_column_count(result),
      tidemark_pq_is_null(result, row, column) == 0
    else { return nil }
    return UnsafeRawBufferPointer(
      start: tidemark_pq_value(result, row, column), count: Int(tidemark_pq_length(result, row, column)))
  }
}

/// One row of an answer. Keeps the whole answer.
public struct Row {
  private let rows: Rows
  private let index: Int32

  fileprivate init(rows: Rows, index: Int32) {
    self.rows = rows
    self.index = index
  }

  /// The bytes of a column, valid as long as the row; `nil` for NULL and for a column that is not there.
  public func unsafeBytes(at column: Int32) -> UnsafeRawBufferPointer? { rows.unsafeBytes(index, column) }

  /// Whether a column is NULL.
  public func isNull(at column: Int32) -> Bool { unsafeBytes(at: column) == nil }

  /// A column of bytes; `nil` for NULL.
  public func bytes(at column: Int32) -> [UInt8]? { unsafeBytes(at: column).map { [UInt8]($0) } }

  /// A column that is an integer of 2, 4 or 8 bytes; `nil` for anything else.
  public func integer(at column: Int32) -> Int64? {
    guard let bytes = unsafeBytes(at: column) else { return nil }
    switch bytes.count {
    case 2: return Int64(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)))
    case 4: return Int64(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
    case 8: return Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
    default: return nil
    }
  }

  /// A column that is a truth value; `nil` for anything else.
  public func bool(at column: Int32) -> Bool? {
    guard let bytes = unsafeBytes(at: column), bytes.count == 1 else { return nil }
    return bytes[0] != 0
  }

  /// A column that is valid UTF-8; `nil` for anything else.
  public func text(at column: Int32) -> String? { unsafeBytes(at: column).flatMap { String(validating: $0, as: UTF8.self) } }
}
