-- The tables of pg_bulk.sql: the columns, keys and settings of the engine's, and as many rows of the same size as the load has.
CREATE SCHEMA raw;
SET search_path = raw;
CREATE TABLE space (id int4 PRIMARY KEY, revision int8 NOT NULL, chain_hash bytea NOT NULL, changed_at_us int8 NOT NULL)
  WITH (fillfactor = 50);
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
INSERT INTO space VALUES (1, 20000, sha256(''), 0);
INSERT INTO head SELECT 1, 1, 1, n, 'assignment', convert_to(lpad(to_hex(n), 36, '0'), 'UTF8') FROM generate_series(1, 20000) AS n;
INSERT INTO log
SELECT n, 1, 0, 0, 0, NULL, 1, 1, 'assignment', convert_to(lpad(to_hex(n), 36, '0'), 'UTF8'), 'bench', 'bench',
  int8send(n) || int8send(0), int8send(n) || int8send(n), sha256(int8send(n)), sha256(int8send(n)),
  convert_to(repeat(md5(n::text), 10), 'UTF8')
FROM generate_series(1, 20000) AS n;
ANALYZE space, head, log, receipt;
