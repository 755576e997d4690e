"""Schemas of a space, against a real daemon."""

import asyncio
from datetime import datetime, timezone

import pytest

from tidemark import (
  ABSENT, AsyncClient, Compatibility, ConflictPolicy, DeletePolicy, DeleteRule, FieldSchema, MergeKind, OutcomeCode, Reference,
  Schema, TypeSchema, ValueType,
)

ROOM = TypeSchema({"name": FieldSchema(ValueType.STRING, is_required=True), "seats": FieldSchema(ValueType.INT, default=2)})
FIRST = Schema({"room": ROOM})
EVERYTHING = Schema({
  "room": TypeSchema(
    {
      "name": FieldSchema(ValueType.STRING, True, "What it is called", length_min=1, length_max=80, merge=MergeKind.TEXT),
      "seats": FieldSchema(ValueType.INT, default=2, minimum=0, maximum=500, merge=MergeKind.COUNTER),
      "kind": FieldSchema(ValueType.STRING, allowed_values=["hall", "desk"], conflict_policy=ConflictPolicy.CLIENT_WINS),
      "tags": FieldSchema(ValueType.STRING_LIST, default=[], merge=MergeKind.SET),
      "built": FieldSchema(ValueType.TIMESTAMP, minimum=datetime(1900, 1, 1, tzinfo=timezone.utc)),
      "house": FieldSchema(ValueType.STRING, reference=Reference("house", DeleteRule.CASCADE)),
    },
    summary="A room", allows_other_fields=True, unique_keys={"number": ["house", "name"]}, indexes={"by_kind": ["kind"]},
    conflict_policy=ConflictPolicy.SERVER_WINS, delete_policy=DeletePolicy.UPDATE_WINS, is_owner_only=True,
    history_seconds=86_400, tombstone_seconds=172_800),
  "house": TypeSchema({"name": FieldSchema(ValueType.STRING)}),
})


def test_a_schema_is_applied_read_and_rolled_back(client, space):
  assert client.get_schema(space) is None
  would = client.apply_schema(space, FIRST, expected_version=0, validates_only=True)
  assert not would.is_applied and [change.kind for change in would.changes] == ["schema_added", "type_added"]
  assert client.get_schema(space) is None
  assert client.apply_schema(space, FIRST, expected_version=0).is_applied
  known = client.get_schema(space)
  assert (known.version, known.applied_by, known.schema.types["room"]) == (1, "developer", ROOM)
  assert client.create(space, "room", {"seats": 3}).code == OutcomeCode.INVALID
  assert client.create(space, "room", {"name": "A"}, id="a", returns_entity=True).entity.fields == {"name": "A", "seats": 2}
  late = client.apply_schema(space, FIRST, expected_version=0)
  assert not late.is_applied and late.version == 1 and late.message
  wider = Schema({"room": ROOM, "desk": TypeSchema()})
  assert client.apply_schema(space, wider, expected_version=1).version == 2
  assert client.rollback_schema(space, expected_version=2).version == 3
  assert client.get_schema(space).schema == FIRST and set(client.get_schema(space, version=2).schema.types) == {"room", "desk"}


def test_what_stands_in_the_way_is_told(client, space):
  client.create(space, "room", {"seats": 3}, id="a")
  refused = client.apply_schema(space, FIRST, expected_version=0)
  assert not refused.is_applied and (refused.checked_entities, refused.offending_entities) == (1, 1)
  [offender] = refused.offenders
  assert (offender.type, offender.id, offender.version, offender.violations[0].field) == ("room", "a", 1, "name")
  broken = Schema({"room": TypeSchema({"house": FieldSchema(ValueType.STRING, reference=Reference("nowhere"))})})
  assert client.apply_schema(space, broken, expected_version=0).problems
  client.update(space, "room", "a", expected=1, set={"name": "A"})
  assert client.apply_schema(space, FIRST, expected_version=0).is_applied
  breaking = client.apply_schema(space, Schema({"room": TypeSchema()}), expected_version=1)
  assert not breaking.is_applied and Compatibility.BREAKING in [change.compatibility for change in breaking.changes]
  assert client.apply_schema(
    space, Schema({"room": TypeSchema(allows_other_fields=True)}), expected_version=1, allows_breaking=True).is_applied


def test_every_rule_survives_the_way_there_and_back(client, space):
  result = client.apply_schema(space, EVERYTHING, expected_version=0)
  assert result.is_applied, result
  assert client.get_schema(space).schema == EVERYTHING
  assert Schema.from_bytes(EVERYTHING.to_bytes()) == EVERYTHING
  assert FIRST.types["room"].fields["name"].default is ABSENT
  with pytest.raises(ValueError, match="This is no schema"):
    Schema.from_bytes(b"types:\n  room: {}\n")


def test_the_asynchronous_client_has_the_same_calls(daemon, space):
  async def main():
    async with AsyncClient(daemon.address) as client:
      assert await client.get_schema(space) is None
      assert (await client.apply_schema(space, FIRST, expected_version=0)).is_applied
      assert (await client.apply_schema(space, Schema({"room": ROOM, "desk": TypeSchema()}), expected_version=1)).is_applied
      assert (await client.rollback_schema(space, expected_version=2, to_version=1)).version == 3
      assert (await client.get_schema(space)).schema == FIRST

  asyncio.run(main())
