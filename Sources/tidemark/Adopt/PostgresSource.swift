import TidemarkPostgres

/// A table of a PostgreSQL database, read from one state of it.
struct PostgresSource: SourceTable {
  let name: String
  let identity: String
  let key: String
  let columns: [SourceColumn]
  let rowsEstimate: UInt64?
  let rowsWithoutKey: Int
  let note: String? = nil
  private let connection: PostgresConnection
  private let table: String
  private let keyType: String
  private var last: String?

  /// How columns are read: what a binary answer shows as it is, and what is asked for as text.
  private enum Form { case bool, int, bytes, time, double, text }
  private let forms: [Form]
  private let list: String

  private enum Statement: Int {
    case find = 1, columns, keys, withoutKey, first, next, existing
  }

  init(url: String, table text: String, id: String?) throws(CommandFailure) {
    let quoted = text.split(separator: ".", omittingEmptySubsequences: false).map { SourceKey.quote(String($0)) }
      .joined(separator: ".")
    (name, table) = (text, quoted)
    connection = try PostgresSource.asking {
      let connection = try PostgresConnection(url: url, answerTimeoutMS: 600_000)
      try connection.execute(
        "SET TimeZone = 'UTC'; SET DateStyle = ISO; SET IntervalStyle = iso_8601; SET extra_float_digits = 1; SET statement_timeout = 0"
      )
      try connection.execute("SET idle_in_transaction_session_timeout = 0")
      try connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
      return connection
    }
    let found = try PostgresSource.find(connection, quoted, text)
    identity = found.identity
    rowsEstimate = found.rowsEstimate
    let described = try PostgresSource.describe(connection, quoted)
    columns = described.map(\.column)
    forms = described.map(\.form)
    list = described.map(\.expression).joined(separator: ", ")
    let (primary, unique) = try PostgresSource.keys(connection, quoted)
    let key = try SourceKey.choose(id, text, columns: columns.map(\.name), primary: primary, unique: unique)
    self.key = key
    keyType = described.first { $0.column.name == key }?.column.type ?? "text"
    let count = try PostgresSource.rows(
      connection, .withoutKey, "SELECT count(*) FROM \(quoted) WHERE \(SourceKey.quote(key)) IS NULL")
    rowsWithoutKey = Int(count.first?.integer(at: 0) ?? 0)
  }

  // MARK: Rows

  mutating func nextPage(rowsMax: Int) throws(CommandFailure) -> [SourceRow] {
    var parameters = Parameters()
    parameters.add(Int64(rowsMax))
    if let last { parameters.add(last) }
    let statement = last == nil ? Statement.first : .next
    let text = page(after: last == nil ? "IS NOT NULL" : "> $2::text::\(keyType)")
    let rows = try PostgresSource.rows(connection, statement, text, parameters)
    let page = rows.map { row in
      SourceRow(key: row.text(at: 0) ?? "", cells: forms.indices.map { PostgresSource.cell(row, Int32($0) + 1, forms[$0]) })
    }
    if let end = page.last { last = end.key }
    return page
  }

  /// Sizes are summed up before the values are read, so that what is behind the end of the page is not.
  private func page(after condition: String) -> String {
    let column = "t.\(SourceKey.quote(key))"
    let sizes = columns.indices.filter { forms[$0] == .text || forms[$0] == .bytes }.map { index in
      let (name, type) = (SourceKey.quote(columns[index].name), columns[index].type)
      // Of these the server knows the size without reading them. Of others it knows what they take compressed.
      let isPlain = type == "text" || type == "bytea" || type.hasPrefix("character")
      return isPlain ? "coalesce(octet_length(t.\(name)), 0)" : "coalesce(pg_column_size(t.\(name)), 0) * 8"
    }
    let before = "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    return """
      SELECT \(column)::text, \(list) FROM (
        SELECT t.*, coalesce(sum(\(sizes.isEmpty ? "0" : sizes.joined(separator: " + "))) OVER (ORDER BY \(column) \(before)), 0)
          AS "bytes before"
        FROM (SELECT * FROM \(table) AS t WHERE \(column) \(condition) ORDER BY \(column) LIMIT $1) AS t
      ) AS t WHERE "bytes before" < \(SourceRow.pageBytesMax) ORDER BY \(column)
      """
  }

  func existing(_ keys: [String]) throws(CommandFailure) -> Set<String> {
    var parameters = Parameters()
    parameters.add(.text, keys) { $0.put($1) }
    let text = """
      SELECT k.key FROM unnest($1::text[]) AS k (key)
      WHERE EXISTS (SELECT 1 FROM \(table) WHERE \(SourceKey.quote(key)) = k.key::\(keyType))
      """
    return Set(try PostgresSource.rows(connection, .existing, text, parameters).compactMap { $0.text(at: 0) })
  }

  private static func cell(_ row: Row, _ column: Int32, _ form: Form) -> SourceCell {
    guard !row.isNull(at: column) else { return .null }
    let cell: SourceCell? =
      switch form {
      case .bool: row.bool(at: column).map { .bool($0) }
      case .int: row.integer(at: column).map { .int($0) }
      case .bytes: row.bytes(at: column).map { .bytes($0) }
      case .double: row.text(at: column).flatMap { Double($0) }.map { .double($0) }
      case .text: row.text(at: column).map { .text($0) }
      case .time:
        row.integer(at: column).map { micros in
          // Microseconds since 2000, with the two ends for infinity.
          micros == .max || micros == .min ? .unreadable("an infinite time is none") : .time(micros &+ 946_684_800_000_000)
        }
      }
    return cell ?? .unreadable("the value cannot be read")
  }

  // MARK: What there is

  private static func find(
    _ connection: PostgresConnection, _ quoted: String, _ text: String
  ) throws(CommandFailure) -> (identity: String, rowsEstimate: UInt64?) {
    var parameters = Parameters()
    parameters.add(quoted)
    let rows = try rows(
      connection, .find,
      """
      SELECT current_database()::text, n.nspname::text, c.relname::text, c.reltuples::int8, current_setting('search_path')
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)
      """, parameters)
    guard let row = rows.first, let database = row.text(at: 0), let schema = row.text(at: 1), let table = row.text(at: 2) else {
      throw CommandFailure(
        .failed, "There is no table '\(text)' in that database, or this user may not see it.", code: "no_table",
        advice: ["Names are taken as they are, with capitals. In another schema:  SCHEMA.TABLE"])
    }
    return ("postgres \(database) \(schema) \(table)", row.integer(at: 3).flatMap { $0 > 0 ? UInt64($0) : nil })
  }

  private static func describe(
    _ connection: PostgresConnection, _ quoted: String
  ) throws(CommandFailure) -> [(column: SourceColumn, form: Form, expression: String)] {
    var parameters = Parameters()
    parameters.add(quoted)
    let rows = try rows(
      connection, .columns,
      """
      SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), coalesce(b.typname, t.typname)::text,
      coalesce(b.typelem, t.typelem) <> 0 AND coalesce(b.typlen, t.typlen) = -1, a.atttypmod
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
      WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
      """, parameters)
    return rows.map { row in
      let name = row.text(at: 0) ?? ""
      let base = row.text(at: 2) ?? ""
      let (kind, form) = form(base, isList: row.bool(at: 3) ?? false, modifier: row.integer(at: 4) ?? -1)
      let quoted = SourceKey.quote(name)
      let expression =
        switch (form, kind) {
        case (.text, .list), (.double, _), (.text, _):
          kind == .list || base.hasPrefix("_") ? "to_json(\(quoted))::text" : "\(quoted)::text"
        case (.int, _) where base == "numeric": "\(quoted)::int8"
        case (.time, _): "\(quoted)::timestamp\(base == "timestamptz" ? "tz" : "")"
        default: quoted
        }
      return (SourceColumn(name: name, type: row.text(at: 1) ?? base, kind: kind), form, expression)
    }
  }

  /// What the values of a type become. Numbers that a double would round stay text; so do dates, which are no instants.
  private static func form(_ type: String, isList: Bool, modifier: Int64) -> (ValueKind?, Form) {
    switch type {
    case "bool": (.bool, .bool)
    case "int2", "int4", "int8": (.int, .int)
    case "float4", "float8": (.double, .double)
    case "bytea": (.bytes, .bytes)
    case "timestamp", "timestamptz": (.timestamp, .time)
    case "json", "jsonb": (.json, .text)
    // numeric(18, 0) and less: precision and scale are in the type's modifier.
    case "numeric" where modifier >= 4 && (modifier - 4) & 0xFFFF == 0 && (modifier - 4) >> 16 <= 18: (.int, .int)
    case "_bool", "_int2", "_int4", "_int8", "_float4", "_float8", "_text", "_varchar", "_uuid": (.list, .text)
    default: isList && type.hasPrefix("_") ? (.json, .text) : (.string, .text)
    }
  }

  private static func keys(
    _ connection: PostgresConnection, _ quoted: String
  ) throws(CommandFailure) -> (primary: [String], unique: Set<String>) {
    var parameters = Parameters()
    parameters.add(quoted)
    let rows = try rows(
      connection, .keys,
      """
      SELECT a.attname::text, i.indisprimary, i.indnkeyatts = 1 FROM pg_index i
      CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
      WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
      AND k.place <= i.indnkeyatts ORDER BY k.place
      """, parameters)
    let primary = rows.filter { $0.bool(at: 1) == true }.compactMap { $0.text(at: 0) }
    return (primary, Set(rows.filter { $0.bool(at: 2) == true }.compactMap { $0.text(at: 0) }))
  }

  // MARK: Asking

  private static func rows(
    _ connection: PostgresConnection, _ statement: Statement, _ text: String, _ parameters: Parameters = Parameters()
  ) throws(CommandFailure) -> [Row] {
    try asking {
      try connection.run([.init(number: statement.rawValue, text: text, parameters: parameters)]).first?.all.map { $0 } ?? []
    }
  }

  private static func asking<Result>(_ body: () throws -> Result) throws(CommandFailure) -> Result {
    do { return try body() } catch {
      let failure = error as? PostgresError
      let advice =
        failure?.isConnectionLost == true
        ? ["Is it running, and is the URL right? The password belongs into the file that PGPASSFILE names, or into PGPASSWORD."]
        : []
      throw CommandFailure(.failed, "The source cannot be read: \(error).", code: "source_unreadable", advice: advice)
    }
  }
}
