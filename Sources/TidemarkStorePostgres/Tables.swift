internal import TidemarkPostgres
internal import TidemarkStore

/// The tables of the engine, in the first schema of the connection's search path.
///
/// Every key of a table that belongs to a space begins with the space. Ids, key values and hashes are `bytea`, names are `text` in the
/// collation `C`: the order of both is that of their bytes, whatever the database's locale. Times are microseconds since 1970.
enum Tables {
  /// The format this program reads and writes.
  static let format: Int64 = 1

  /// Makes the tables where there are none.
  ///
  /// - Throws: `StoreError` with code `unknownFormat` when there are tables of another format or of another program.
  static func prepare(_ connection: PostgresConnection) throws {
    // Two that start at once both find nothing; the one that comes second finds what the first made.
    for attempt in 0..<3 {
      if let found = try readFormat(connection) {
        guard found == format else {
          throw StoreError(.unknownFormat, "the store has format \(found), this program knows format \(format)")
        }
        return
      }
      do throws(PostgresError) { return try connection.execute("BEGIN; \(schema); COMMIT") } catch {
        if connection.isInTransaction { try? connection.execute("ROLLBACK") }
        // A table, type or row of that name exists.
        guard ["42P07", "42710", "23505"].contains(error.state) else { throw error }
        if attempt > 0 { throw StoreError(.unknownFormat, "the database has tables of another program: \(error)") }
      }
    }
  }

  /// The format of the tables; `nil` when there are none.
  private static func readFormat(_ connection: PostgresConnection) throws -> Int64? {
    do throws(PostgresError) {
      let command = PostgresConnection.Command(number: -1, text: "SELECT value FROM store WHERE key = 'format'")
      let rows = try connection.run([command])
      return rows.first?.first?.integer(at: 0) ?? 0
    } catch {
      // There is no such table, or it has no such columns.
      if error.state == "42P01" { return nil }
      if error.state == "42703" { throw StoreError(.unknownFormat, "the database has a table 'store' of another program") }
      throw error
    }
  }

  /// ```
  /// store           what belongs to no space: the format, and the highest number a space ever had
  /// space           also the lock of a space: who writes to it holds its row until the commit
  /// log             one row per change and never updated
  /// head            the latest version of each entity
  /// receipt         checksum = `RowChecksum` over the other columns, as in schema
  /// held_key        value = `KeyValue.stored`; whole_value only where that is not all of it
  /// held_reference  in the order of the targets
  /// ```
  static let schema = """
    CREATE TABLE store (key text COLLATE "C" PRIMARY KEY, value int8 NOT NULL);
    INSERT INTO store (key, value) VALUES ('format', \(format)), ('last_space', 0);
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
