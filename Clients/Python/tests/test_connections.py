"""Streams, deadlines, sizes, drains and lost connections, against a real daemon."""

import asyncio
import inspect
import random
import re
import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tidemark import AsyncClient, Client, Limits, OutcomeCode, Retry, StatusCode, TidemarkError

COUNT = 10_000
ONCE = Retry(attempts_max=1)


@pytest.fixture(scope="module")
def full_space(daemon):
  """The name of a space with 10,000 rooms."""

  async def fill() -> None:
    async with AsyncClient(daemon.address) as client:
      await client.create_space("full")
      ids = iter(range(COUNT))

      async def work() -> None:
        for number in ids:
          assert (await client.create("full", "room", {"n": number, "text": "x" * 100}, id=f"{number:05}")).is_ok

      await asyncio.gather(*(work() for _ in range(128)))

  asyncio.run(fill())
  return "full"


@pytest.mark.parametrize("limits", [
  Limits(can_inflate=True),
  Limits(stream_credit_bytes=1_000, connection_credit_bytes=1_500),
  Limits(frame_bytes_max=16_384, stream_credit_bytes=5),
], ids=["default", "credit-below-a-page", "credit-of-5-bytes"])
def test_a_list_of_10000_entities_arrives_in_order(daemon, full_space, limits):
  limit = 20 if limits.stream_credit_bytes == 5 else 0  # the server takes many small credits for a flood
  with Client(daemon.address, limits=limits) as client:
    entities = list(client.list(full_space, "room", limit=limit))
  assert [entity.id for entity in entities] == [f"{number:05}" for number in range(limit or COUNT)]
  assert all(entity.fields["n"] == int(entity.id) for entity in entities)


def test_other_calls_go_on_beside_a_list_that_is_not_read(daemon, full_space):
  with Client(daemon.address) as client:
    entities = client.list(full_space, "room", after_id="00099")
    assert next(entities).id == "00100"
    for _ in range(200):
      client.server_info()
    assert sum(1 for _ in entities) == COUNT - 101


def test_lists_that_nobody_reads_hold_up_no_calls_and_give_their_credit_back(daemon, full_space):
  with Client(daemon.address) as client:
    lists = [client.list(full_space, "room") for _ in range(16)]
    assert {next(entities).id for entities in lists} == {"00000"}
    assert client.get(full_space, "room", "00001").version == 1
    for entities in lists:
      entities.close()
    assert sum(1 for _ in client.list(full_space, "room")) == COUNT


def test_lists_share_a_connection(daemon, full_space):
  with Client(daemon.address) as client:
    lists = [client.list(full_space, "room", limit=3_000) for _ in range(8)]
    for entities in zip(*lists, strict=True):
      assert len({entity.id for entity in entities}) == 1


def test_a_list_can_be_cancelled_in_the_middle(daemon, full_space):
  with Client(daemon.address) as client:
    for _ in range(300):  # each left 64 KiB on the way; without its credit given back the connection would stall
      with closing(client.list(full_space, "room")) as entities:
        assert next(entities).id == "00000"
    assert client.get(full_space, "room", "00001").version == 1


def test_a_list_has_a_deadline_when_it_is_given_one(daemon, full_space):
  with Client(daemon.address, retry=ONCE) as client:
    client.server_info()
    with pytest.raises(TidemarkError) as caught:
      list(client.list(full_space, "room", timeout=0.01))
    assert caught.value.code == StatusCode.DEADLINE_EXCEEDED
    assert client.server_info().version


def test_a_call_whose_deadline_passed_before_it_was_sent_was_not_executed(client, space):
  client.server_info()
  with pytest.raises(TidemarkError) as caught:
    client.create(space, "room", {}, timeout=0)
  assert caught.value.code == StatusCode.DEADLINE_EXCEEDED and caught.value.is_not_executed
  assert client.get_space(space).revision == 0


def test_what_became_of_a_write_that_was_too_late_is_learned_by_its_operation_id(client, space):
  seed = random.randrange(2**32)
  print("seed", seed)
  dice = random.Random(seed)
  late = 0
  for number in range(300):
    timeout = dice.choice((0.00001, 0.0001, 0.0005, 0.001, 0.002))
    try:
      outcome = client.create(space, "room", {}, id=str(number), timeout=timeout)
    except TidemarkError as error:
      assert error.code == StatusCode.DEADLINE_EXCEEDED
      late += 1
      outcome = client.create(space, "room", {}, id=str(number), operation_id=error.operation_id)
      assert not (error.is_not_executed and outcome.is_replay)
    assert outcome.code == OutcomeCode.APPLIED
  assert late and client.get_space(space).revision == 300


def test_a_server_that_says_nothing_is_given_up_at_the_deadline():
  with socket.create_server(("127.0.0.1", 0)) as mute:
    with Client(f"127.0.0.1:{mute.getsockname()[1]}", timeout=0.1) as client:
      with pytest.raises(TidemarkError) as caught:
        client.server_info()
  assert caught.value.code in (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED) and caught.value.is_not_executed


def test_not_executed_is_said_only_when_it_is_certain_of_every_attempt(monkeypatch):
  failures = [False, True, True]

  def fail(*_):
    raise TidemarkError(StatusCode.UNAVAILABLE, "away", is_not_executed=failures.pop(0))

  with Client("127.0.0.1:1", retry=Retry(attempts_max=3, pause_seconds=0.0)) as client:
    monkeypatch.setattr(client, "_attempt", fail)
    with pytest.raises(TidemarkError) as caught:
      client.create("default", "note", {})
  assert not failures and not caught.value.is_not_executed


@pytest.mark.parametrize("compresses", [False, True])
def test_a_message_near_4_mib_goes_both_ways(daemon, compresses):
  dice = random.Random(7)
  fields = {f"part{number}": dice.randbytes(520_000).hex() for number in range(4)}  # as text: compresses by half
  with Client(daemon.address, compresses=compresses) as client:
    assert client.echo(fields) == fields


@pytest.mark.parametrize("compresses", [False, True])
def test_what_compresses_too_well_is_sent_as_it_is(daemon, compresses):
  with Client(daemon.address, compresses=compresses) as client:
    fields = {"zeros": bytes(1_000_000)}
    assert client.echo(fields) == fields


def test_a_message_above_the_limit_is_not_sent(client):
  with pytest.raises(TidemarkError) as caught:
    client.echo({f"part{number}": bytes(1_000_000) for number in range(5)})
  assert caught.value.code == StatusCode.RESOURCE_EXHAUSTED and caught.value.is_not_executed
  assert client.server_info().version


def test_more_threads_than_slots_wait_for_their_turn(own_daemon):
  daemon = own_daemon("--calls-in-flight-max", "2")
  with Client(daemon.address) as client:
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(client.create("default", "room", {"a": 1}))) for _ in range(40)]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
    assert sorted(outcome.revision for outcome in outcomes) == list(range(1, 41))


def test_a_drain_loses_no_call_in_flight(own_daemon):
  daemon = own_daemon()
  acknowledged, failures = [], []
  has_written = threading.Event()

  def write(client: Client, worker: int) -> None:
    for number in range(100_000):
      try:
        outcome = client.create("default", "room", {"n": number}, id=f"{worker}-{number}")
      except TidemarkError as error:
        failures.append(error)
        return
      assert outcome.code == OutcomeCode.APPLIED
      acknowledged.append(outcome.id)
      has_written.set()

  with Client(daemon.address, retry=ONCE) as client:
    threads = [threading.Thread(target=write, args=(client, worker)) for worker in range(16)]
    for thread in threads:
      thread.start()
    has_written.wait()
    daemon.terminate()
    for thread in threads:
      thread.join()
  assert daemon.process.wait(timeout=60) == 0
  assert len(failures) == 16
  assert all(error.code == StatusCode.UNAVAILABLE and error.is_not_executed for error in failures), failures


def test_a_restart_is_bridged_by_retries(tmp_path, own_daemon):
  daemon = own_daemon()
  with Client(daemon.address, retry=Retry(attempts_max=100, pause_seconds=0.05, pause_seconds_max=0.1)) as client:
    first = client.create("default", "room", {"a": 1}, id="a")
    entities = client.list("default", "room")
    assert next(entities).id == "a"
    daemon.stop()
    again = own_daemon("--store", f"sqlite:{tmp_path / '0' / 'store'}", "--listen", f"127.0.0.1:{daemon.port}")
    assert again.port == daemon.port
    assert client.update("default", "room", "a", expected=first, set={"a": 2}).version == 2
    assert list(entities) == []


def test_a_lost_connection_leaves_the_outcome_unknown(own_daemon):
  daemon = own_daemon()
  with Client(daemon.address, retry=ONCE) as client:
    client.server_info()
    daemon.stop()
    with pytest.raises(TidemarkError) as caught:
      client.create("default", "room", {})
    assert caught.value.code == StatusCode.UNAVAILABLE and len(caught.value.operation_id) == 36


def test_a_closed_client_says_so(daemon):
  client = Client(daemon.address)
  client.server_info()
  client.close()
  with pytest.raises(TidemarkError) as caught:
    client.server_info()
  assert caught.value.code == StatusCode.CANCELLED and caught.value.is_not_executed


def test_the_asyncio_client_does_the_same(daemon, full_space):
  async def use() -> None:
    async with AsyncClient(daemon.address) as client:
      outcome = await client.create("default", "room", {"a": 1})
      stale = [client.update("default", "room", outcome.id, expected=outcome, set={"by": number}) for number in range(8)]
      codes = [each.code for each in await asyncio.gather(*stale)]
      assert sorted(codes) == [OutcomeCode.APPLIED] + [OutcomeCode.CONFLICT] * 7
      assert [entity.id async for entity in client.list(full_space, "room")] == [f"{number:05}" for number in range(COUNT)]
      async for entity in client.list(full_space, "room"):
        break
      with pytest.raises(TidemarkError) as caught:
        await client.get(full_space, "room", "nobody")
      assert caught.value.code == StatusCode.NOT_FOUND
      task = asyncio.create_task(client.get(full_space, "room", "00000"))
      await asyncio.wait({task}, timeout=0)
      task.cancel()
      with pytest.raises(asyncio.CancelledError):
        await task
      assert (await client.server_info()).version
      assert [step async for step in client.verify("default")][-1].is_done

  asyncio.run(use())


def test_both_clients_have_the_same_names():
  def shape(kind: type) -> dict[str, list[str]]:
    public = {name: each for name, each in vars(kind).items() if inspect.isfunction(each) and name[0] != "_"}
    return {name: list(inspect.signature(each).parameters) for name, each in public.items()}

  assert shape(Client) == shape(AsyncClient)


def test_the_tour_of_the_readme_runs(own_daemon, monkeypatch, capsys):
  readme = (Path(__file__).parents[1] / "README.md").read_text()
  address = own_daemon().address
  for code in re.findall(r"```python\n(.*?)```", readme, re.S):
    exec(compile(code.replace("127.0.0.1:8433", address), "README.md", "exec"), {"__name__": "tour"})
  assert capsys.readouterr().out
