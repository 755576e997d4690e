-- A bulk of 100 versioned updates as somebody writes it by hand, for pgbench: the row of the space is locked and counts on, heads move where the
-- version is the expected one, and the log and the receipts get rows of the sizes that Tidemark's have. Nothing is hashed or judged, and the
-- items are made by the server in the array that is unnested, so that none cross the socket: faster than a program could.
\set start random(1, 20000)
BEGIN;
UPDATE raw.space SET revision = revision + 100, changed_at_us = changed_at_us + 1 WHERE id = 1 RETURNING revision - 100 AS before \gset
WITH item AS MATERIALIZED (
  SELECT place, convert_to(lpad(to_hex((:start + place * 197) % 20000 + 1), 36, '0'), 'UTF8') AS id,
    convert_to(repeat(md5((:start + place)::text), 10), 'UTF8') AS fields
  FROM unnest(ARRAY(SELECT generate_series(1, 100))) AS place
), known AS MATERIALIZED (
  SELECT item.*, h.version AS expected, h.revision AS previous FROM item
  CROSS JOIN LATERAL (SELECT * FROM raw.head WHERE space = 1 AND type = 'assignment' AND head.id = item.id LIMIT 1) AS h
), moved AS (
  UPDATE raw.head SET version = head.version + 1, revision = :before + known.place FROM known
  WHERE head.space = 1 AND head.type = 'assignment' AND head.id = known.id AND head.version = known.expected
  RETURNING head.id, head.version, head.revision, known.previous, known.fields
), logged AS (
  INSERT INTO raw.log
  SELECT revision, version, previous, 0, 0, NULL, 1, 2, 'assignment', id, 'bench', 'bench', int8send(revision) || int8send(0),
    int8send(revision) || int8send(version), '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'::bytea,
    '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'::bytea, fields
  FROM moved
)
INSERT INTO raw.receipt
SELECT version, revision, 0, 0, 1, 1, 'bench', int8send(revision) || int8send(0),
  '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'::bytea
FROM moved;
COMMIT;
