internal import TidemarkPostgres
internal import TidemarkStore

/// One step between two formats of the tables, forward and back. It runs in a transaction of its own.
///
/// A step either expands or contracts. One that expands adds what programs of the format before need not know: they go on serving while it is
/// made and afterwards. One that contracts takes away, or gives another meaning to, what programs below `lowest` use: it leaves its mark in every
/// row of `space`, where they find it. Nothing that takes long belongs into a step: whoever writes waits for it.
struct Migration: Sendable {
  /// The format after the step forward. The format before it is one less.
  var number: Int
  /// What it changes, in a few words.
  var summary: String
  /// The lowest format whose programs may work with the tables after the step.
  var lowest: Int
  var forward: @Sendable (PostgresConnection) throws -> Void
  /// Undoes the step. Takes away what only later programs use, so that their statements fail. Throws when that would lose what the format before
  /// cannot hold.
  var back: @Sendable (PostgresConnection) throws -> Void

  /// All formats, in order. A released one never changes.
  static let all = [format1, format2]

  /// The latest format: what this program reads and writes.
  static let latest = all.count

  /// The lowest format of tables that this program's statements work with. Above 1 where an earlier step has to be made first.
  static let served = 2

  /// Format 1: an append-only log with a head table, receipts, schemas with their keys and references, spaces and tokens.
  static let format1 = Migration(
    number: 1, summary: "log, heads, receipts, schemas, keys, references, spaces and tokens", lowest: 1,
    forward: { try $0.execute(format1Schema) },
    back: { connection in
      // Who writes has used this table, and holds it until the commit. So what the next statement finds is all that ever will be.
      try connection.execute("DROP TABLE head")
      let hasRows = try connection.run([
        .init(number: -10, text: "SELECT 1 FROM (SELECT 1 FROM log UNION ALL SELECT 1 FROM receipt) AS held LIMIT 1")
      ])
      guard hasRows.first?.count == 0 else {
        throw StoreError(.unknownFormat, "format 0 cannot hold entities, and the store has some")
      }
      for table in ["log", "receipt", "schema", "held_key", "held_reference", "token_role", "token", "space", "store"] {
        try connection.execute("DROP TABLE \(table)")
      }
    })

  /// Format 2: which programs may work with the tables, told by every space, which steps were made when and by whom, and what only servers know.
  static let format2 = Migration(
    number: 2, summary: "the lowest format a program must know, a list of the steps made, and secrets of the store", lowest: 1,
    forward: { try $0.execute(format2Schema) },
    back: { connection in
      try connection.execute(
        """
        DROP TABLE migration; DROP TABLE secret; DELETE FROM store WHERE key = 'lowest_format';
        ALTER TABLE space DROP COLUMN lowest_format
        """)
    })

  /// ```
  /// store.lowest_format  the lowest format a program must know to work with the tables
  /// space.lowest_format  the same; who reads or locks a space finds it in the row that it asks for anyway
  /// secret               bytes that only servers of the store know, such as the key of cursors
  /// migration            one row per step made, forward or back: the format after it
  /// ```
  /// What waits for everybody who uses the table comes last.
  private static let format2Schema = """
    CREATE TABLE migration (
      applied_at_us int8 NOT NULL, format int8 NOT NULL, summary text COLLATE "C" NOT NULL, program text COLLATE "C" NOT NULL,
      PRIMARY KEY (applied_at_us, format)
    );
    CREATE TABLE secret (name text COLLATE "C" PRIMARY KEY, value bytea NOT NULL);
    INSERT INTO store (key, value) VALUES ('lowest_format', 1);
    ALTER TABLE space ADD COLUMN lowest_format int8 NOT NULL DEFAULT 1
    """

  /// The tables, in the first schema of the connection's search path.
  ///
  /// Every key of a table that belongs to a space begins with the space. Ids, key values and hashes are `bytea`, names are `text` in the
  /// collation `C`: the order of both is that of their bytes, whatever the database's locale. Times are microseconds since 1970.
  /// ```
  /// store           what belongs to no space: the format, and the highest number a space ever had
  /// space           also the lock of a space: who writes to it holds its row until the commit
  /// log             one row per change and never updated
  /// head            the latest version of each entity
  /// receipt         checksum = `RowChecksum` over the other columns, as in schema
  /// held_key        value = `KeyValue.stored`; whole_value only where that is not all of it
  /// held_reference  in the order of the targets
  /// ```
  private static let format1Schema = """
    CREATE TABLE store (key text COLLATE "C" PRIMARY KEY, value int8 NOT NULL);
    INSERT INTO store (key, value) VALUES ('format', 1), ('last_space', 0);
    CREATE TABLE space (
      id int4 PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE, epoch bytea NOT NULL, created_at_us int8 NOT NULL,
      revision int8 NOT NULL, chain_hash bytea NOT NULL, changed_at_us int8 NOT NULL, alive_count int8 NOT NULL,
      history_floor int8 NOT NULL, feed_floor int8 NOT NULL, fence int8 NOT NULL, receipt_floor int8 NOT NULL,
      schema_version int8 NOT NULL
    ) WITH (fillfactor = 50);
    CREATE TABLE log (
      revision int8 NOT NULL, version int8 NOT NULL, previous int8 NOT NULL, created_at_us int8 NOT NULL,
      updated_at_us int8 NOT NULL, edited_at_us int8, space int4 NOT NULL, kind int2 NOT NULL, type text COLLATE "C" NOT NULL,
      id bytea NOT NULL, created_by text COLLATE "C" NOT NULL, updated_by text COLLATE "C" NOT NULL, operation bytea NOT NULL,
      salt bytea NOT NULL, content_digest bytea NOT NULL, chain_hash bytea NOT NULL, fields bytea, PRIMARY KEY (space, revision)
    );
    CREATE TABLE head (
      space int4 NOT NULL, life int2 NOT NULL, version int8 NOT NULL, revision int8 NOT NULL, type text COLLATE "C" NOT NULL,
      id bytea NOT NULL, PRIMARY KEY (space, type, id)
    ) WITH (fillfactor = 80);
    CREATE TABLE receipt (
      version int8, revision int8, at_us int8 NOT NULL, checksum int8 NOT NULL, space int4 NOT NULL, code int2 NOT NULL,
      principal text COLLATE "C" NOT NULL, operation bytea NOT NULL, content bytea NOT NULL,
      PRIMARY KEY (space, principal, operation)
    );
    CREATE TABLE schema (
      space int4 NOT NULL, version int8 NOT NULL, content bytea NOT NULL, applied_at_us int8 NOT NULL,
      applied_by text COLLATE "C" NOT NULL, checksum int8 NOT NULL, PRIMARY KEY (space, version)
    );
    CREATE TABLE held_key (
      space int4 NOT NULL, type text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, value bytea NOT NULL, id bytea NOT NULL,
      whole_value bytea, PRIMARY KEY (space, type, key, value)
    );
    CREATE TABLE held_reference (
      space int4 NOT NULL, target_type text COLLATE "C" NOT NULL, target_id bytea NOT NULL, source_type text COLLATE "C" NOT NULL,
      source_id bytea NOT NULL, field text COLLATE "C" NOT NULL,
      PRIMARY KEY (space, target_type, target_id, source_type, source_id, field)
    );
    CREATE TABLE token (
      id text COLLATE "C" PRIMARY KEY, secret_hash bytea NOT NULL, principal text COLLATE "C" NOT NULL, role_everywhere int2,
      created_at_us int8 NOT NULL
    );
    CREATE TABLE token_role (
      token text COLLATE "C" NOT NULL, space text COLLATE "C" NOT NULL, role int2 NOT NULL, PRIMARY KEY (token, space)
    )
    """
}
