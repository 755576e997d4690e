internal import TidemarkSQLite
internal import TidemarkStore

/// One step between two formats of a store, forward and back. It runs in its own transaction.
struct Migration: Sendable {
  /// The format after the step forward. The format before it is one less.
  var number: Int
  /// What it changes, in a few words for the log.
  var summary: String
  var forward: @Sendable (Connection) throws -> Void
  /// Undoes the step. Throws when that would lose what the format before cannot hold.
  var back: @Sendable (Connection) throws -> Void

  /// All formats, in order. A released one never changes.
  static let all = [format1, format2, format3]

  /// Format 1: an append-only log with a head table, receipts, interned names and tokens.
  static let format1 = Migration(
    number: 1, summary: "log, heads, receipts, names, spaces and tokens",
    forward: { try $0.execute(format1Schema) },
    back: { connection in
      guard try connection.integer("SELECT EXISTS (SELECT 1 FROM log) OR EXISTS (SELECT 1 FROM receipt)") == 0 else {
        throw StoreError(.unknownFormat, "format 0 cannot hold entities, and the store has some")
      }
      for table in ["log", "head", "receipt", "name", "space", "token_role", "token"] {
        try connection.execute("DROP TABLE \(table)")
      }
    })

  /// Format 2: schemas with the unique keys and references they make; in the log how a change came about and when it was edited.
  static let format2 = Migration(
    number: 2, summary: "schemas, unique keys, references, and how changes came about",
    forward: { try $0.execute(format2Schema) },
    back: { connection in
      // A change that is not plain has a kind above those of format 1.
      let holds = [
        "schema", "space WHERE schema_version <> 0", "held_key", "held_reference",
        "log WHERE kind > 15 OR edited_at_us IS NOT NULL",
      ]
      for rows in holds where try connection.integer("SELECT EXISTS (SELECT 1 FROM \(rows))") != 0 {
        throw StoreError(.unknownFormat, "format 1 cannot hold schemas, merged changes or times of edits, and the store has some")
      }
      for table in ["schema", "held_key", "held_reference"] { try connection.execute("DROP TABLE \(table)") }
      try connection.execute("DELETE FROM name WHERE kind > 2")
      try connection.execute("ALTER TABLE log DROP COLUMN edited_at_us; ALTER TABLE space DROP COLUMN schema_version")
    })

  /// Format 3: what only the servers of a store know, such as the key that seals cursors.
  static let format3 = Migration(
    number: 3, summary: "secrets of the store, such as the key of cursors",
    forward: { try $0.execute("CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID") },
    // Cursors that were sealed with them are refused from then on, and their readers begin again.
    back: { try $0.execute("DROP TABLE secret") })

  /// ```
  /// log.kind        kind of the change | manner << 4 | 0x40 when the next change belongs to it
  /// schema          every schema a space has had; checksum = `RowChecksum` over the other columns
  /// held_key        who holds which value of which unique key; only what is alive
  /// held_reference  who points to whom with which field; only what is alive points
  /// name            kind 3: paths of fields and names of keys
  /// ```
  private static let format2Schema = """
    ALTER TABLE log ADD COLUMN edited_at_us INTEGER;
    ALTER TABLE space ADD COLUMN schema_version INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE schema (
      space INTEGER NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, applied_at_us INTEGER NOT NULL,
      applied_by TEXT NOT NULL, checksum INTEGER NOT NULL, PRIMARY KEY (space, version)
    ) STRICT;
    CREATE TABLE held_key (
      space INTEGER NOT NULL, type INTEGER NOT NULL, key INTEGER NOT NULL, value BLOB NOT NULL, id BLOB NOT NULL,
      PRIMARY KEY (space, type, key, value)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE held_reference (
      space INTEGER NOT NULL, target_type INTEGER NOT NULL, target_id BLOB NOT NULL, source_type INTEGER NOT NULL,
      source_id BLOB NOT NULL, field INTEGER NOT NULL,
      PRIMARY KEY (space, target_type, target_id, source_type, source_id, field)
    ) STRICT, WITHOUT ROWID;
    """

  /// ```
  /// log      one row per change and never updated; place = space << 40 | revision
  /// head     the latest version of each entity
  /// receipt  checksum = `ReceiptChecksum` over the other columns
  /// name     texts that rows refer to by number: kind 1 type names, kind 2 principals
  /// ```
  /// Ids are blobs of UTF-8, so that their order is that of their bytes. Times are microseconds since 1970.
  private static let format1Schema = """
    CREATE TABLE log (
      place INTEGER PRIMARY KEY, type INTEGER NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, previous INTEGER NOT NULL,
      kind INTEGER NOT NULL, created_at_us INTEGER NOT NULL, created_by INTEGER NOT NULL, updated_at_us INTEGER NOT NULL,
      updated_by INTEGER NOT NULL, operation BLOB NOT NULL, salt BLOB NOT NULL, content_digest BLOB NOT NULL,
      chain_hash BLOB NOT NULL, fields BLOB
    ) STRICT;
    CREATE TABLE head (
      space INTEGER NOT NULL, type INTEGER NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, revision INTEGER NOT NULL,
      life INTEGER NOT NULL, PRIMARY KEY (space, type, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE receipt (
      space INTEGER NOT NULL, principal INTEGER NOT NULL, operation BLOB NOT NULL, content BLOB NOT NULL, code INTEGER NOT NULL,
      version INTEGER, revision INTEGER, at_us INTEGER NOT NULL, checksum INTEGER NOT NULL,
      PRIMARY KEY (space, principal, operation)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE name (
      space INTEGER NOT NULL, kind INTEGER NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL,
      PRIMARY KEY (space, kind, number)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX name_text ON name (space, kind, text);
    CREATE TABLE space (
      id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, epoch BLOB NOT NULL, created_at_us INTEGER NOT NULL,
      revision INTEGER NOT NULL, chain_hash BLOB NOT NULL, changed_at_us INTEGER NOT NULL, alive_count INTEGER NOT NULL,
      history_floor INTEGER NOT NULL, feed_floor INTEGER NOT NULL, fence INTEGER NOT NULL, receipt_floor INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE token (
      id TEXT PRIMARY KEY, secret_hash BLOB NOT NULL, principal TEXT NOT NULL, role_everywhere INTEGER,
      created_at_us INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE token_role (
      token TEXT NOT NULL, space TEXT NOT NULL, role INTEGER NOT NULL, PRIMARY KEY (token, space)
    ) STRICT, WITHOUT ROWID;
    """
}
