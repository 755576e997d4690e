"""Many writes at once, against a real daemon; and how they are split, without one."""

import asyncio
import random

import pytest

from tidemark import (
  AsyncClient, BulkMode, Client, Limits, OnConflict, OutcomeCode, Retry, StatusCode, TidemarkError, Write, WriteKind,
  make_operation_id,
)
from tidemark._bulk import Bulk


def creates(count, prefix="b"):
  return [
    Write(WriteKind.CREATE, "booking", id=f"{prefix}-{number}", fields={"seats": number}, operation_id=make_operation_id())
    for number in range(count)
  ]


def split(writes, *, items_max=1_000, bytes_max=4_194_304, mode=BulkMode.PARTIAL):
  bulk = Bulk("default", Limits(bulk_items_max=items_max, message_bytes_max=bytes_max), mode, False, False, 0)
  return [part for write in writes for part in bulk.add(write)] + bulk.end()


def test_more_than_a_request_holds_is_written_in_order(client, space):
  writes = creates(2_300)
  outcomes = list(client.bulk(space, iter(writes)))
  assert [outcome.id for outcome in outcomes] == [write.id for write in writes]
  assert [outcome.revision for outcome in outcomes] == list(range(1, 2_301))
  again = list(client.bulk(space, writes))
  assert all(outcome.is_replay and outcome.is_ok for outcome in again) and client.get_space(space).revision == 2_300


def test_outcomes_come_while_the_iterator_is_read(client, space):
  taken = []

  def writes():
    for write in creates(3_000):
      taken.append(write.id)
      yield write

  outcomes = client.bulk(space, writes())
  assert next(outcomes).is_ok and len(taken) == 1_001
  outcomes.close()
  assert client.get_space(space).revision == 1_000


def test_each_write_fails_for_itself_and_tells_why(client, space):
  client.create(space, "booking", {"seats": 1}, id="b-1")
  outcomes = list(client.bulk(space, creates(3)))
  assert [outcome.code for outcome in outcomes] == [OutcomeCode.APPLIED, OutcomeCode.ALREADY_EXISTS, OutcomeCode.APPLIED]
  update = Write(WriteKind.UPDATE, "booking", id="b-1", expected=outcomes[1], increment={"seats": 2}, set={"a": 1})
  delete = Write(WriteKind.DELETE, "booking", id="b-2", expected=7)
  updated, deleted = client.bulk(space, [update, delete], returns_entities=True)
  assert updated.is_ok and updated.entity.fields == {"seats": 3, "a": 1}
  assert deleted.code == OutcomeCode.CONFLICT and deleted.conflict.current.version == 1


def test_a_group_is_done_whole_or_not_at_all(client, space):
  client.create(space, "booking", {}, id="b-1")
  writes = [Write(WriteKind.CREATE, "booking", id=f"b-{number}", group="g") for number in range(3)]
  outcomes = list(client.bulk(space, writes))
  assert [outcome.code.name for outcome in outcomes] == ["ABORTED", "ALREADY_EXISTS", "ABORTED"]
  assert [outcome.cause for outcome in outcomes] == [1, None, 1]
  assert client.get_space(space).revision == 1
  atomic = client.bulk(space, creates(2, "b"), mode=BulkMode.ATOMIC)
  assert [outcome.code.name for outcome in atomic] == ["ABORTED", "ALREADY_EXISTS"]


@pytest.mark.parametrize("between", [0, 1_500])
def test_writes_refer_to_earlier_ones_also_over_requests(client, space, between):
  first = Write(WriteKind.CREATE, "guest", fields={"name": "x"})
  writes = [first, *creates(between)]
  writes.append(Write(WriteKind.CREATE, "booking", id="of", references={"guest": 0}))
  writes.append(Write(WriteKind.UPDATE, "guest", after_item=0, set={"name": "y"}))
  outcomes = list(client.bulk(space, writes))
  assert all(outcome.is_ok for outcome in outcomes)
  assert client.get(space, "booking", "of").fields == {"guest": outcomes[0].id}
  assert client.get(space, "guest", outcomes[0].id).fields == {"name": "y"}


def test_what_refers_to_a_failed_write_is_aborted_also_over_requests(client, space):
  client.create(space, "guest", {}, id="g")
  writes = [Write(WriteKind.CREATE, "guest", id="g"), *creates(1_500)]
  writes += [Write(WriteKind.CREATE, "booking", id=f"r-{number}", group="g", references={"guest": 0}) for number in range(1)]
  writes += [Write(WriteKind.CREATE, "booking", id="r-1", group="g")]
  outcomes = list(client.bulk(space, writes))
  assert outcomes[0].code == OutcomeCode.ALREADY_EXISTS
  assert [(outcome.code.name, outcome.cause) for outcome in outcomes[-2:]] == [("ABORTED", 0), ("ABORTED", 1_501)]
  assert sum(outcome.is_ok for outcome in outcomes) == 1_500


def test_validating_stores_nothing(client, space):
  outcomes = list(client.bulk(space, creates(2), validates_only=True))
  assert all(outcome.is_ok for outcome in outcomes) and client.get_space(space).revision == 0


def test_outcomes_are_asked_for_and_writes_taken_back(client, space):
  writes = creates(3)
  list(client.bulk(space, writes))
  ids = [write.operation_id for write in writes]
  known = client.get_outcomes(space, [*ids, make_operation_id()])
  assert [outcome and outcome.code for outcome in known] == [OutcomeCode.APPLIED] * 3 + [None]
  client.update(space, "booking", "b-1", expected=1, set={"seats": 9})
  undone = client.undo_writes(space, ids, on_conflict=OnConflict.FAIL)
  assert [outcome.code for outcome in undone] == [OutcomeCode.APPLIED, OutcomeCode.CONFLICT, OutcomeCode.APPLIED]
  assert [entity.id for entity in client.list(space, "booking")] == ["b-1"]


def test_a_request_that_fails_names_its_operations(own_daemon):
  daemon = own_daemon()
  writes = creates(2_500)
  with Client(daemon.address, retry=Retry(attempts_max=1)) as client:
    outcomes = client.bulk("default", writes)
    assert next(outcomes).is_ok
    daemon.stop()
    with pytest.raises(TidemarkError) as failed:
      list(outcomes)
    assert failed.value.code == StatusCode.UNAVAILABLE
    assert failed.value.operation_ids == tuple(write.operation_id for write in writes[1_000:2_000])


def test_the_same_with_asyncio(daemon, space):
  async def main():
    async def writes():
      for write in creates(1_200):
        yield write

    async with AsyncClient(daemon.address) as client:
      outcomes = [outcome async for outcome in client.bulk(space, writes())]
      assert len(outcomes) == 1_200 and all(outcome.is_ok for outcome in outcomes)
      ids = [outcome.operation_id for outcome in outcomes]
      assert all(outcome.is_ok for outcome in await client.get_outcomes(space, ids))
      undone = await client.undo_writes(space, ids)
      assert len(undone) == 1_200 and all(outcome.is_ok for outcome in undone)
      assert [outcome async for outcome in client.bulk(space, creates(2, "c"))][1].id == "c-1"

  asyncio.run(main())


def test_requests_are_the_writes_in_order_within_limits_and_groups_whole():
  seed = random.randrange(2**32)
  print("seed", seed)
  chance = random.Random(seed)
  for _ in range(100):
    writes, group = [], 0
    for number in range(chance.randrange(80)):
      group += chance.random() < 0.5
      label = f"g{group}" if chance.random() < 0.6 else ""
      writes.append(Write(
        WriteKind.CREATE, "t", id=str(number), fields={"a": "x" * chance.randrange(80)}, group=label,
        references={"of": chance.randrange(number)} if number and chance.random() < 0.2 else {}))
    items_max, bytes_max = chance.randrange(1, 30), chance.randrange(700, 4_000)
    try:
      parts = split(writes, items_max=items_max, bytes_max=bytes_max)
    except ValueError as error:
      assert "larger than a request" in str(error)
      continue
    assert [place for part in parts for place in part.places] == list(range(len(writes)))
    bulk = Bulk("default", Limits(), BulkMode.PARTIAL, False, False, 0)
    for part in parts:
      assert 1 <= len(part.places) <= items_max
      end = part.places[-1] + 1
      assert end == len(writes) or not writes[end].group or writes[end].group != writes[end - 1].group
      if all(other in part.places for write in part.writes for other in write.places):
        assert len(bulk.call(part).content) <= bytes_max


def test_writes_that_no_request_holds_are_refused():
  with pytest.raises(ValueError, match="has .* bytes"):
    split([Write(WriteKind.CREATE, "t", fields={"a": "x" * 2_000})], bytes_max=1_000)
  with pytest.raises(ValueError, match="group 'g'"):
    split([Write(WriteKind.CREATE, "t", group="g")] * 4, items_max=3)
  with pytest.raises(ValueError, match="atomic"):
    split([Write(WriteKind.CREATE, "t")] * 4, items_max=3, mode=BulkMode.ATOMIC)
  with pytest.raises(ValueError, match="not before it"):
    split([Write(WriteKind.CREATE, "t", references={"a": 0})])
  write = Write(WriteKind.CREATE, "t", operation_id=make_operation_id())
  with pytest.raises(ValueError, match="operation id"):
    split([write, write])
