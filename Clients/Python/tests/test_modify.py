"""Read, change, write: against a real daemon."""

import asyncio

import pytest

from tidemark import AsyncClient, Json, OutcomeCode, RetryOnConflict, StatusCode, TidemarkError
from tidemark._modify import differences

QUICK = RetryOnConflict(pause_seconds=0.001)


@pytest.fixture
def room(client, space):
  client.create(space, "room", {"seats": 2, "note": "x", "address.city": "Kiel", "plan": Json('{"a": 1}')}, id="a")
  return space, "room", "a"


def test_modify_writes_only_what_differs(client, room):
  def change(fields):
    fields["seats"] += 1
    del fields["note"]

  outcome = client.modify(*room, change, returns_entity=True)
  assert outcome.code == OutcomeCode.APPLIED and outcome.version == 2
  assert outcome.entity.fields == {"seats": 3, "address.city": "Kiel", "plan": Json('{"a": 1}')}
  assert client.modify(*room, lambda fields: {**fields, "seats": 4}).version == 3
  assert client.modify(*room, lambda fields: None) is None and client.get(*room).version == 3
  with pytest.raises(TidemarkError) as missing:
    client.modify(room[0], "room", "nowhere", lambda fields: None)
  assert missing.value.code == StatusCode.NOT_FOUND


def test_a_conflict_is_the_answer_unless_a_retry_was_asked_for(client, room):
  calls = []

  def slow(fields):
    calls.append(fields["seats"])
    if len(calls) == 1:  # somebody else is faster
      client.update(*room, expected=1, set={"seats": 10})
    fields["seats"] += 1

  assert client.modify(*room, slow).code == OutcomeCode.CONFLICT and calls == [2]
  calls.clear()

  def slower(fields):
    calls.append(fields["seats"])
    if len(calls) < 3:
      client.modify(*room, lambda other: {**other, "seats": other["seats"] + 100})
    fields["seats"] += 1

  assert client.modify(*room, slower, retry=QUICK).is_ok
  assert calls == [10, 110, 210] and client.get(*room).fields["seats"] == 211


def test_the_last_conflict_is_the_answer_when_the_attempts_are_used_up(client, room):
  calls = []

  def hopeless(fields):
    calls.append(1)
    client.modify(*room, lambda other: {**other, "seats": other["seats"] + 1})
    fields["seats"] = 0

  outcome = client.modify(*room, hopeless, retry=QUICK)
  assert outcome.code == OutcomeCode.CONFLICT and len(calls) == 3
  assert outcome.conflict.overlapping_fields == ["seats"]


def test_pauses_grow_and_have_a_bound():
  steady = RetryOnConflict(attempts=100, jitter=0)
  assert [steady.pause(conflicts) for conflicts in (1, 2, 3)] == [0.1, 0.2, 0.4]
  assert steady.pause(99) == 60.0 and RetryOnConflict().pause(3) is None
  assert all(0 <= RetryOnConflict().pause(2) <= 0.2 for _ in range(100))


def test_differences_know_kinds_and_levels():
  assert differences({"a": 1, "b": 1.0, "c": True}, {"a": 1.0, "b": 1.0, "c": 1}) == ({"a": 1.0, "c": 1}, [])
  assert differences({"a": 1, "b": 2}, {"a.x": 1}) == ({"a.x": 1}, ["b"])
  assert differences({"a": [1, "x"]}, {"a": [1, "x"]}) == ({}, [])


def test_more_changes_than_an_update_holds_become_a_replace(client, space):
  many = {f"f{number}": number for number in range(400)}
  client.create(space, "wide", many, id="a")
  outcome = client.modify(space, "wide", "a", lambda fields: {f"g{number}": number for number in range(400)}, returns_entity=True)
  assert outcome.is_ok and set(outcome.entity.fields) == {f"g{number}" for number in range(400)}


def test_the_asynchronous_client_loses_no_increment(daemon, room):
  async def main():
    async with AsyncClient(daemon.address) as client:
      async def change(fields):
        await client.get_space(room[0])
        fields["seats"] += 1

      patient = RetryOnConflict(attempts=50, pause_seconds=0.005)
      outcomes = await asyncio.gather(*(client.modify(*room, change, retry=patient) for _ in range(8)))
      assert all(outcome.is_ok for outcome in outcomes)
      assert (await client.get(*room)).fields["seats"] == 10
      assert await client.modify(*room, lambda fields: None) is None

  asyncio.run(main())
