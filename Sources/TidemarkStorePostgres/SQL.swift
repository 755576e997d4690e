internal import TidemarkPostgres

/// Every statement of the engine. Columns are used by number next to where a statement runs.
///
/// What is looked up for each element of a list is a `LATERAL` with a `LIMIT`: a planner can neither turn the order of such a join round nor leave
/// out a part of the key, whatever it believes about the sizes of tables.
///
/// docs/decisions/postgres-statements.md lists what they need of a database.
enum SQL: Int, CaseIterable {
  case beginRead, beginWrite, commit, rollback
  case spaces, spaceNamed, spaceLock, spaceLockNumber, spaceNumber, spaceInsert, spaceUpdate, spaceDelete, spacesMoved
  case entities, entitiesAhead, entityPage
  case logEntry, logHead, logRows, changes, latestChanges, logEnd, logAppend, logDelete
  case headInsert, headMove, headPage, typeAfter, headDelete
  case receipts, receiptInsert, receiptDelete
  case schema, schemaInsert, schemaDelete
  case keyHolders, keyTake, keyRelease, keyReleaseAll, keyDelete
  case heldKeys, heldReferences, referencesHeld
  case referrers, targetsHeld, referenceTake, referenceRelease, referenceReleaseAll, referenceDelete
  case lowestFormat, tokens, tokenRoles, tokenInsert, tokenRoleInsert, tokenDelete, tokenRoleDelete, tokenMark, tokenMarkMove
  case secret, secretInsert

  /// What a connection asks of the server's planner, of which a server takes what it knows: every statement finds its rows by their keys and in the
  /// order of a key, and no plan is made anew or compiled.
  static let planSettings = """
    SELECT set_config(s.name, s.value, false) FROM (VALUES ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'),
    ('enable_sort', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('enable_material', 'off'),
    ('plan_cache_mode', 'force_generic_plan'), ('jit', 'off')) AS s (name, value) WHERE current_setting(s.name, true) IS NOT NULL
    """

  private static let spaceColumns = """
    id, name, epoch, created_at_us, revision, chain_hash, changed_at_us, alive_count, history_floor, feed_floor, fence,
    receipt_floor, schema_version, lowest_format
    """
  /// A head that disagrees with its row of the log is damage, found by `agrees`.
  private static let entityColumns = """
    h.version, h.revision, h.life, l.type = h.type AND l.id = h.id AND l.version = h.version AS agrees, l.kind, l.created_at_us,
    l.created_by, l.updated_at_us, l.updated_by, l.fields
    """
  private static let logColumns = """
    revision, type, id, version, previous, kind, created_at_us, created_by, updated_at_us, updated_by, operation, salt,
    content_digest, chain_hash, fields, edited_at_us
    """

  var text: String {
    switch self {
    case .beginRead: "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
    case .beginWrite: "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE"
    case .commit: "COMMIT"
    case .rollback: "ROLLBACK"
    case .spaces, .spaceNamed, .spaceLock, .spaceLockNumber, .spaceNumber, .spaceInsert, .spaceUpdate, .spaceDelete, .spacesMoved:
      spaceText
    case .entities, .entitiesAhead, .entityPage, .logEntry, .logHead, .logRows, .changes, .latestChanges, .logEnd, .logAppend,
      .logDelete:
      logText
    case .headInsert, .headMove, .headPage, .headDelete, .typeAfter, .receipts, .receiptInsert, .receiptDelete: headText
    case .schema, .schemaInsert, .schemaDelete, .keyHolders, .keyTake, .keyRelease, .keyReleaseAll, .keyDelete, .heldKeys,
      .heldReferences, .referencesHeld, .referrers, .targetsHeld,
      .referenceTake, .referenceRelease, .referenceReleaseAll, .referenceDelete:
      relationText
    case .lowestFormat, .tokens, .tokenRoles, .tokenInsert, .tokenRoleInsert, .tokenDelete, .tokenRoleDelete, .tokenMark,
      .tokenMarkMove, .secret, .secretInsert:
      tokenText
    }
  }

  private var spaceText: String {
    switch self {
    case .spaces: "SELECT \(SQL.spaceColumns) FROM space ORDER BY name"
    case .spaceNamed: "SELECT \(SQL.spaceColumns) FROM space WHERE name = $1"
    case .spaceLock: "SELECT \(SQL.spaceColumns) FROM space WHERE name = $1 FOR UPDATE"
    case .spaceLockNumber: "SELECT lowest_format FROM space WHERE id = $1 FOR UPDATE"
    case .spaceNumber: "UPDATE store SET value = value + 1 WHERE key = 'last_space' RETURNING value"
    case .spaceInsert:
      """
      INSERT INTO space (id, name, epoch, created_at_us, revision, chain_hash, changed_at_us, alive_count, history_floor, feed_floor,
      fence, receipt_floor, schema_version, lowest_format)
      VALUES ($1, $2, $3, $4, 0, $5, $4, 0, 0, 0, 0, 0, 0, (SELECT value FROM store WHERE key = 'lowest_format'))
      ON CONFLICT (name) DO NOTHING RETURNING lowest_format
      """
    case .spaceUpdate:
      """
      UPDATE space SET revision = $2, chain_hash = $3, changed_at_us = $4, alive_count = $5, history_floor = $6, feed_floor = $7,
      fence = $8, receipt_floor = $9, schema_version = $10 WHERE id = $1
      """
    case .spacesMoved:
      """
      SELECT k.id, s.revision FROM unnest($1::int4[], $2::int8[]) AS k (id, revision) LEFT JOIN space s ON s.id = k.id
      WHERE s.revision IS NULL OR s.revision <> k.revision
      """
    default: "DELETE FROM space WHERE id = $1"
    }
  }

  private var logText: String {
    switch self {
    case .entities:
      """
      SELECT \(SQL.entityColumns), k.place
      FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS k (type, id, place)
      CROSS JOIN LATERAL (SELECT * FROM head WHERE space = $1 AND type = k.type AND id = k.id LIMIT 1) AS h
      LEFT JOIN LATERAL (SELECT * FROM log WHERE space = $1 AND revision = h.revision LIMIT 1) AS l ON true
      """
    case .entitiesAhead:
      // In whatever order the rows come: of those that are too many only the fields are left out.
      """
      SELECT version, revision, life, agrees, kind, created_at_us, created_by, updated_at_us, updated_by,
      CASE WHEN bytes_before < $4 THEN fields END, place, bytes_before < $4
      FROM (
        SELECT \(SQL.entityColumns), k.place,
          coalesce(sum(octet_length(l.fields)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
        FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS k (type, id, place)
        CROSS JOIN LATERAL (SELECT * FROM head WHERE space = $1 AND type = k.type AND id = k.id LIMIT 1) AS h
        LEFT JOIN LATERAL (SELECT * FROM log WHERE space = $1 AND revision = h.revision LIMIT 1) AS l ON true
      ) AS found
      """
    case .entityPage:
      // The lengths of the fields are summed up before any of them is read, so that what is behind the end of the page is not.
      """
      SELECT version, revision, life, agrees, kind, created_at_us, created_by, updated_at_us, updated_by, fields, id
      FROM (
        SELECT page.*, coalesce(sum(octet_length(fields)) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), -1)
          AS bytes_before
        FROM (
          SELECT \(SQL.entityColumns), h.id FROM head h
          LEFT JOIN LATERAL (SELECT * FROM log WHERE space = $1 AND revision = h.revision LIMIT 1) AS l ON true
          WHERE h.space = $1 AND h.type = $2 AND h.id > $3 AND h.life BETWEEN $4 AND $5 ORDER BY h.id LIMIT $6
        ) AS page
      ) AS page
      WHERE bytes_before < $7 OR bytes_before = -1 ORDER BY id
      """
    case .logEntry: "SELECT \(SQL.logColumns) FROM log WHERE space = $1 AND revision = $2"
    // Whether the fields are there is in the row itself: they are not read.
    case .logHead:
      """
      SELECT type, id, version, previous, kind, updated_at_us, updated_by, operation FROM log
      WHERE space = $1 AND revision = $2 AND fields IS NOT NULL
      """
    case .logRows: "SELECT \(SQL.logColumns) FROM log WHERE space = $1 AND revision > $2 ORDER BY revision LIMIT $3"
    // Of the rows that are looked at, those are answered before which the fields of all that count take less than the limit.
    case .changes:
      """
      SELECT \(SQL.logColumns), true FROM (
        SELECT page.*, sum(octet_length(fields)) OVER (ORDER BY revision ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
          AS bytes_before
        FROM (SELECT \(SQL.logColumns) FROM log WHERE space = $1 AND revision > $2 ORDER BY revision LIMIT $3) AS page
      ) AS page
      WHERE coalesce(bytes_before, 0) < $4 ORDER BY revision
      """
    case .latestChanges:
      """
      SELECT revision, type, id, version, previous, kind, created_at_us, created_by, updated_at_us, updated_by, operation, salt,
        content_digest, chain_hash, CASE WHEN is_latest THEN fields END, edited_at_us, is_latest
      FROM (
        SELECT page.*, sum(CASE WHEN is_latest THEN octet_length(fields) ELSE 0 END)
          OVER (ORDER BY revision ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
        FROM (
          SELECT l.*, h.revision = l.revision AS is_latest
          FROM (SELECT \(SQL.logColumns) FROM log WHERE space = $1 AND revision > $2 ORDER BY revision LIMIT $3) AS l
          LEFT JOIN LATERAL (
            SELECT h.revision FROM head h WHERE h.space = $1 AND h.type = l.type AND h.id = l.id LIMIT 1
          ) AS h ON true
        ) AS page
      ) AS page
      WHERE coalesce(bytes_before, 0) < $4 ORDER BY revision
      """
    case .logEnd: "SELECT revision FROM log WHERE space = $1 ORDER BY revision DESC LIMIT 1"
    case .logAppend:
      """
      INSERT INTO log (space, \(SQL.logColumns))
      SELECT $1::int4, u.* FROM unnest($2::int8[], $3::text[], $4::bytea[], $5::int8[], $6::int8[], $7::int2[], $8::int8[], $9::text[],
      $10::int8[], $11::text[], $12::bytea[], $13::bytea[], $14::bytea[], $15::bytea[], $16::bytea[], $17::int8[]) AS u
      """
    default: "DELETE FROM log WHERE space = $1"
    }
  }

  private var headText: String {
    switch self {
    case .headInsert:
      """
      INSERT INTO head (space, type, id, version, revision, life)
      SELECT $1::int4, u.* FROM unnest($2::text[], $3::bytea[], $4::int8[], $5::int8[], $6::int2[]) AS u
      """
    case .headMove:
      // An UPDATE with a join could be planned from the table to the list. A head that is not there is not made, and so not counted.
      """
      INSERT INTO head (space, type, id, version, revision, life)
      SELECT $1::int4, u.* FROM unnest($2::text[], $3::bytea[], $4::int8[], $5::int8[], $6::int2[])
      AS u (type, id, version, revision, life)
      CROSS JOIN LATERAL (SELECT 1 FROM head WHERE space = $1 AND type = u.type AND id = u.id LIMIT 1) AS h
      ON CONFLICT (space, type, id) DO UPDATE SET version = excluded.version, revision = excluded.revision, life = excluded.life
      """
    case .typeAfter: "SELECT type FROM head WHERE space = $1 AND type > $2 ORDER BY type LIMIT 1"
    case .headPage:
      """
      SELECT type, id, version, revision, life FROM head WHERE space = $1 AND (type, id) > ($2, $3) ORDER BY type, id LIMIT $4
      """
    case .headDelete: "DELETE FROM head WHERE space = $1"
    case .receipts:
      """
      SELECT r.content, r.code, r.version, r.revision, r.at_us, r.checksum, k.place
      FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS k (principal, operation, place)
      CROSS JOIN LATERAL (
        SELECT * FROM receipt WHERE space = $1 AND principal = k.principal AND operation = k.operation LIMIT 1
      ) AS r
      """
    case .receiptInsert:
      """
      INSERT INTO receipt (space, principal, at_us, operation, content, code, version, revision, checksum)
      SELECT $1::int4, $2::text, $3::int8, u.* FROM unnest($4::bytea[], $5::bytea[], $6::int2[], $7::int8[], $8::int8[], $9::int8[]) AS u
      """
    default: "DELETE FROM receipt WHERE space = $1"
    }
  }

  private var relationText: String {
    switch self {
    case .schema: "SELECT content, applied_at_us, applied_by, checksum FROM schema WHERE space = $1 AND version = $2"
    case .schemaInsert:
      "INSERT INTO schema (space, version, content, applied_at_us, applied_by, checksum) VALUES ($1, $2, $3, $4, $5, $6)"
    case .schemaDelete: "DELETE FROM schema WHERE space = $1"
    case .keyHolders:
      """
      SELECT h.id, k.place FROM unnest($2::text[], $3::text[], $4::bytea[]) WITH ORDINALITY AS k (type, key, value, place)
      CROSS JOIN LATERAL (
        SELECT id FROM held_key WHERE space = $1 AND type = k.type AND key = k.key AND value = k.value LIMIT 1
      ) AS h
      """
    case .keyTake:
      """
      INSERT INTO held_key (space, type, key, value, id, whole_value)
      SELECT $1::int4, u.* FROM unnest($2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[]) AS u
      """
    case .keyRelease: "DELETE FROM held_key WHERE space = $1 AND type = $2 AND key = $3 AND value = $4"
    case .keyReleaseAll: "DELETE FROM held_key WHERE space = $1 AND type = $2 AND key = $3"
    case .keyDelete: "DELETE FROM held_key WHERE space = $1"
    case .heldKeys:
      """
      SELECT type, key, coalesce(whole_value, value), id FROM held_key WHERE space = $1 AND (type, key, value) > ($2, $3, $4)
      ORDER BY type, key, value LIMIT $5
      """
    case .heldReferences:
      """
      SELECT target_type, target_id, source_type, source_id, field FROM held_reference
      WHERE space = $1 AND (target_type, target_id, source_type, source_id, field) > ($2, $3, $4, $5, $6)
      ORDER BY target_type, target_id, source_type, source_id, field LIMIT $7
      """
    case .referencesHeld:
      """
      SELECT u.place FROM unnest($2::text[], $3::bytea[], $4::text[], $5::bytea[], $6::text[]) WITH ORDINALITY
      AS u (target_type, target_id, source_type, source_id, field, place)
      CROSS JOIN LATERAL (
        SELECT 1 FROM held_reference WHERE space = $1 AND target_type = u.target_type AND target_id = u.target_id
        AND source_type = u.source_type AND source_id = u.source_id AND field = u.field LIMIT 1
      ) AS h
      """
    case .referrers:
      """
      SELECT source_type, source_id, field FROM held_reference WHERE space = $1 AND target_type = $2 AND target_id = $3
      ORDER BY source_type, source_id, field LIMIT $4
      """
    case .targetsHeld:
      """
      SELECT k.place FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS k (type, id, place)
      CROSS JOIN LATERAL (
        SELECT 1 FROM held_reference WHERE space = $1 AND target_type = k.type AND target_id = k.id LIMIT 1
      ) AS h
      """
    case .referenceTake:
      """
      INSERT INTO held_reference (space, target_type, target_id, source_type, source_id, field)
      SELECT $1::int4, u.* FROM unnest($2::text[], $3::bytea[], $4::text[], $5::bytea[], $6::text[]) AS u
      """
    case .referenceRelease:
      """
      DELETE FROM held_reference WHERE space = $1 AND target_type = $2 AND target_id = $3 AND source_type = $4
      AND source_id = $5 AND field = $6
      """
    case .referenceReleaseAll: "DELETE FROM held_reference WHERE space = $1 AND source_type = $2 AND field = $3"
    default: "DELETE FROM held_reference WHERE space = $1"
    }
  }

  private var tokenText: String {
    switch self {
    // Held until the commit: a migration that shuts older programs out waits for who reads it here.
    case .lowestFormat: "SELECT value FROM store WHERE key = 'lowest_format' FOR SHARE"
    case .tokens: "SELECT id, secret_hash, principal, role_everywhere, created_at_us FROM token ORDER BY id"
    case .tokenRoles: "SELECT token, space, role FROM token_role ORDER BY token, space"
    case .tokenInsert:
      "INSERT INTO token (id, secret_hash, principal, role_everywhere, created_at_us) VALUES ($1, $2, $3, $4, $5)"
    case .tokenRoleInsert:
      "INSERT INTO token_role (token, space, role) SELECT $1::text, u.* FROM unnest($2::text[], $3::int2[]) AS u"
    case .tokenDelete: "DELETE FROM token WHERE id = $1"
    case .tokenMark: "SELECT value FROM store WHERE key = 'token_changes'"
    case .tokenMarkMove:
      """
      INSERT INTO store (key, value) VALUES ('token_changes', 1) ON CONFLICT (key) DO UPDATE SET value = store.value + 1
      """
    case .secret: "SELECT value FROM secret WHERE name = $1"
    case .secretInsert: "INSERT INTO secret (name, value) VALUES ($1, $2)"
    default: "DELETE FROM token_role WHERE token = $1"
    }
  }
}
