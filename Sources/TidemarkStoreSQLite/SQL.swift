internal import TidemarkSQLite

/// Every statement of the engine. Parameters and columns are used by number next to where a statement runs.
enum SQL: Int, CaseIterable {
  case begin, beginImmediate, commit, rollback
  case spaces, spaceNamed, spaceInsert, spaceUpdate, spaceDelete, spaceEnd, spaceRevision
  case entity, entityPage
  case logEntry, logHead, logRows, latestRows, logAppend, logAppendMany, logDelete
  case headInsert, headMove, headPage, headDelete
  case receipt, receiptLast, receiptInsert, receiptInsertMany, receiptDelete
  case nameText, nameNumber, nameInsert, nameDelete, typeNames, typeAfter
  case schema, schemaInsert, schemaDelete
  case heldKeys, heldReferences, heldReference
  case keyHolder, keyTake, keyRelease, keyReleaseAll, keyDelete
  case referrerType, referrers, referenceTake, referenceRelease, referenceReleaseAll, referenceDelete
  case tokens, tokenRoles, tokenInsert, tokenRoleInsert, tokenDelete, tokenRoleDelete
  case secret, secretInsert

  private static let spaceColumns = """
    id, name, epoch, created_at_us, revision, chain_hash, changed_at_us, alive_count, history_floor, feed_floor, fence,
    receipt_floor, schema_version
    """
  /// A head that disagrees with its row of the log is damage, found by `agrees`.
  private static let entityColumns = """
    h.version, h.revision, h.life, l.type = h.type AND l.id = h.id AND l.version = h.version AS agrees, l.kind, l.created_at_us,
    l.created_by, l.updated_at_us, l.updated_by, l.fields
    """
  private static let logColumns = """
    place, type, id, version, previous, kind, created_at_us, created_by, updated_at_us, updated_by, operation, salt,
    content_digest, chain_hash, fields, edited_at_us
    """

  var text: String {
    switch self {
    case .begin: "BEGIN"
    case .beginImmediate: "BEGIN IMMEDIATE"
    case .commit: "COMMIT"
    case .rollback: "ROLLBACK"
    case .spaces: "SELECT \(SQL.spaceColumns) FROM space ORDER BY name"
    case .spaceNamed: "SELECT \(SQL.spaceColumns) FROM space WHERE name = ?1"
    case .spaceInsert:
      """
      INSERT INTO space (name, epoch, created_at_us, revision, chain_hash, changed_at_us, alive_count, history_floor, feed_floor,
      fence, receipt_floor) VALUES (?1, ?2, ?3, 0, ?4, ?3, 0, 0, 0, 0, 0) RETURNING id
      """
    case .spaceUpdate:
      """
      UPDATE space SET revision = ?2, chain_hash = ?3, changed_at_us = ?4, alive_count = ?5, history_floor = ?6, feed_floor = ?7,
      fence = ?8, receipt_floor = ?9, schema_version = ?10 WHERE id = ?1
      """
    case .spaceDelete: "DELETE FROM space WHERE id = ?1"
    case .spaceRevision: "SELECT revision FROM space WHERE id = ?1"
    case .spaceEnd:
      """
      SELECT EXISTS (SELECT 1 FROM space WHERE id = ?1),
      (SELECT place FROM log WHERE place > ?2 AND place <= ?3 ORDER BY place DESC LIMIT 1)
      """
    case .entity:
      """
      SELECT \(SQL.entityColumns) FROM head h LEFT JOIN log l ON l.place = ?4 + h.revision
      WHERE h.space = ?1 AND h.type = ?2 AND h.id = ?3
      """
    case .entityPage:
      """
      SELECT \(SQL.entityColumns), h.id FROM head h LEFT JOIN log l ON l.place = ?4 + h.revision
      WHERE h.space = ?1 AND h.type = ?2 AND h.id > ?3 AND h.life BETWEEN ?5 AND ?6 ORDER BY h.id
      """
    case .logEntry: "SELECT \(SQL.logColumns) FROM log WHERE place = ?1"
    // `typeof` looks at the row's header: the fields themselves are not read.
    case .logHead:
      """
      SELECT type, id, version, previous, kind, updated_at_us, updated_by, typeof(fields) <> 'null', operation FROM log
      WHERE place = ?1
      """
    case .logRows: "SELECT \(SQL.logColumns) FROM log WHERE place > ?1 AND place <= ?2 ORDER BY place LIMIT ?3"
    // A head is found by its whole key, for each row of the log that is looked at.
    case .latestRows:
      """
      SELECT \(SQL.logColumns), (SELECT revision FROM head h WHERE h.space = ?4 AND h.type = log.type AND h.id = log.id)
      FROM log WHERE place > ?1 AND place <= ?2 ORDER BY place LIMIT ?3
      """
    case .logAppend: SQL.logAppend(rows: 1)
    case .logAppendMany: SQL.logAppend(rows: SQL.rowsAtOnce)
    case .logDelete: "DELETE FROM log WHERE place > ?1 AND place <= ?2"
    case .headInsert: "INSERT INTO head (space, type, id, version, revision, life) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    case .headMove: "UPDATE head SET version = ?4, revision = ?5, life = ?6 WHERE space = ?1 AND type = ?2 AND id = ?3"
    case .headPage:
      "SELECT id, version, revision, life FROM head WHERE space = ?1 AND type = ?2 AND id > ?3 ORDER BY id LIMIT ?4"
    case .headDelete: "DELETE FROM head WHERE space = ?1"
    case .receipt:
      """
      SELECT content, code, version, revision, at_us, checksum FROM receipt WHERE space = ?1 AND principal = ?2 AND operation = ?3
      """
    case .receiptLast:
      "SELECT operation FROM receipt WHERE space = ?1 AND principal = ?2 ORDER BY operation DESC LIMIT 1"
    case .receiptInsert: SQL.receiptInsert(rows: 1)
    case .receiptInsertMany: SQL.receiptInsert(rows: SQL.rowsAtOnce)
    case .receiptDelete: "DELETE FROM receipt WHERE space = ?1"
    case .nameText: "SELECT text FROM name WHERE space = ?1 AND kind = ?2 AND number = ?3"
    case .nameNumber: "SELECT number FROM name WHERE space = ?1 AND kind = ?2 AND text = ?3"
    case .nameInsert:
      """
      INSERT INTO name (space, kind, number, text)
      VALUES (?1, ?2, (SELECT coalesce(max(number), 0) + 1 FROM name WHERE space = ?1 AND kind = ?2), ?3) RETURNING number
      """
    case .nameDelete: "DELETE FROM name WHERE space = ?1"
    case .typeAfter: "SELECT text FROM name WHERE space = ?1 AND kind = 1 AND text > ?2 ORDER BY text LIMIT 1"
    case .typeNames: "SELECT text, number FROM name WHERE space = ?1 AND kind = 1 AND text >= ?2 ORDER BY text"
    case .schema: "SELECT content, applied_at_us, applied_by, checksum FROM schema WHERE space = ?1 AND version = ?2"
    case .schemaInsert:
      "INSERT INTO schema (space, version, content, applied_at_us, applied_by, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    case .schemaDelete: "DELETE FROM schema WHERE space = ?1"
    case .heldKeys:
      """
      SELECT type, key, value, id FROM held_key WHERE space = ?1 AND (type, key, value) > (?2, ?3, ?4)
      ORDER BY type, key, value LIMIT ?5
      """
    case .heldReferences:
      """
      SELECT target_type, target_id, source_type, source_id, field FROM held_reference
      WHERE space = ?1 AND (target_type, target_id, source_type, source_id, field) > (?2, ?3, ?4, ?5, ?6)
      ORDER BY target_type, target_id, source_type, source_id, field LIMIT ?7
      """
    case .heldReference:
      """
      SELECT 1 FROM held_reference WHERE space = ?1 AND target_type = ?2 AND target_id = ?3 AND source_type = ?4
      AND source_id = ?5 AND field = ?6
      """
    case .keyHolder: "SELECT id FROM held_key WHERE space = ?1 AND type = ?2 AND key = ?3 AND value = ?4"
    case .keyTake: "INSERT INTO held_key (space, type, key, value, id) VALUES (?1, ?2, ?3, ?4, ?5)"
    case .keyRelease: "DELETE FROM held_key WHERE space = ?1 AND type = ?2 AND key = ?3 AND value = ?4"
    case .keyReleaseAll: "DELETE FROM held_key WHERE space = ?1 AND type = ?2 AND key = ?3"
    case .keyDelete: "DELETE FROM held_key WHERE space = ?1"
    case .referrerType:
      """
      SELECT source_type FROM held_reference WHERE space = ?1 AND target_type = ?2 AND target_id = ?3 AND source_type > ?4
      ORDER BY source_type LIMIT 1
      """
    case .referrers:
      """
      SELECT source_id, field FROM held_reference
      WHERE space = ?1 AND target_type = ?2 AND target_id = ?3 AND source_type = ?4 ORDER BY source_id
      """
    case .referenceTake:
      """
      INSERT INTO held_reference (space, target_type, target_id, source_type, source_id, field) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
      """
    case .referenceRelease:
      """
      DELETE FROM held_reference WHERE space = ?1 AND target_type = ?2 AND target_id = ?3 AND source_type = ?4 AND source_id = ?5
      AND field = ?6
      """
    case .referenceReleaseAll: "DELETE FROM held_reference WHERE space = ?1 AND source_type = ?2 AND field = ?3"
    case .referenceDelete: "DELETE FROM held_reference WHERE space = ?1"
    case .tokens: "SELECT id, secret_hash, principal, role_everywhere, created_at_us FROM token ORDER BY id"
    case .tokenRoles: "SELECT token, space, role FROM token_role ORDER BY token, space"
    case .tokenInsert:
      "INSERT INTO token (id, secret_hash, principal, role_everywhere, created_at_us) VALUES (?1, ?2, ?3, ?4, ?5)"
    case .tokenRoleInsert: "INSERT INTO token_role (token, space, role) VALUES (?1, ?2, ?3)"
    case .tokenDelete: "DELETE FROM token WHERE id = ?1"
    case .tokenRoleDelete: "DELETE FROM token_role WHERE token = ?1"
    case .secret: "SELECT value FROM secret WHERE name = ?1"
    case .secretInsert: "INSERT INTO secret (name, value) VALUES (?1, ?2)"
    }
  }
}

extension SQL {
  /// How many rows one insert takes where there are as many. A statement keeps its place in the table from row to row: a receipt
  /// takes 6,900 instructions in eights and 11,400 alone, a row of the log 9,500 and 11,400; twenties gain little more.
  static let rowsAtOnce = 8

  /// The parameters of a row of the log, in the order of the columns.
  static let logColumnCount = 16
  /// The parameters that a receipt has for itself: operation, content, code, version, revision, checksum. Behind three that all share.
  static let receiptColumnCount = 6

  // OR FAIL leaves the rows before the one that failed, and needs no journal of its own to undo them: the transaction of whoever
  // inserts cannot be committed after an error.

  private static func logAppend(rows: Int) -> String {
    let values = (0..<rows).map { row in
      "(" + (1...logColumnCount).map { "?\(row * logColumnCount + $0)" }.joined(separator: ", ") + ")"
    }
    return "INSERT OR FAIL INTO log (\(logColumns)) VALUES \(values.joined(separator: ", "))"
  }

  private static func receiptInsert(rows: Int) -> String {
    let values = (0..<rows).map { row in
      let own = (4...(3 + receiptColumnCount)).map { "?\(row * receiptColumnCount + $0)" }.joined(separator: ", ")
      return "(?1, ?2, ?3, \(own))"
    }
    return """
      INSERT OR FAIL INTO receipt (space, principal, at_us, operation, content, code, version, revision, checksum)
      VALUES \(values.joined(separator: ", "))
      """
  }
}

/// The statements of one connection, each compiled when it is first used.
final class Statements {
  let connection: Connection
  private var compiled = [Statement?](repeating: nil, count: SQL.allCases.count)

  init(_ connection: Connection) { self.connection = connection }

  subscript(_ sql: SQL) -> Statement {
    get throws(SQLiteError) {
      if let statement = compiled[sql.rawValue] { return statement }
      let statement = try connection.prepare(sql.text)
      compiled[sql.rawValue] = statement
      return statement
    }
  }
}
