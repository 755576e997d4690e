"""Several servers of one store: which is called, and that no call is lost when one of them dies."""

import asyncio
import random
import threading

import pytest

from tidemark import AsyncClient, Client, OutcomeCode
from tidemark._servers import LEAVE_SECONDS, LEAVE_SECONDS_MAX, Servers


def test_the_server_in_use_is_kept_until_it_fails():
  servers = Servers(3, start=1)
  assert [servers.choose(0) for _ in range(3)] == [1, 1, 1]
  servers.failed(1, 0, 1.0)
  assert servers.choose(0) == 2
  servers.failed(2, 0, 1.0)
  assert servers.choose(0) == 0
  assert servers.may_try_elsewhere(0)
  servers.failed(0, 0, 1.0)
  assert not servers.may_try_elsewhere(0)


def test_when_all_failed_they_are_called_in_turn():
  servers = Servers(3)
  called = []
  for _ in range(9):
    called.append(servers.choose(0))
    servers.failed(called[-1], 0, 1.0)
  assert called == [0, 1, 2] * 3


def test_a_server_that_fails_again_and_again_is_left_alone_for_longer_up_to_a_limit():
  servers = Servers(2)
  waits = []
  now = 0.0
  for _ in range(12):
    servers.failed(0, now, 1.0)
    assert servers.choose(now) == 1
    waits.append(servers._servers[0].not_before - now)
    now = servers._servers[0].not_before
  assert waits[:3] == pytest.approx([LEAVE_SECONDS, 2 * LEAVE_SECONDS, 4 * LEAVE_SECONDS])
  assert waits[-1] == pytest.approx(LEAVE_SECONDS_MAX)
  servers.answered(0)
  servers.failed(0, now, 1.0)
  assert servers._servers[0].not_before - now == pytest.approx(LEAVE_SECONDS)


def test_waits_are_spread_over_their_whole_range():
  dice = random.Random(1)
  waits = []
  for _ in range(100):
    servers = Servers(2)
    servers.failed(0, 0, dice.random())
    waits.append(servers._servers[0].not_before)
  assert min(waits) < LEAVE_SECONDS * 0.1 and max(waits) > LEAVE_SECONDS * 0.9


def test_one_server_is_called_however_often_it_failed():
  servers = Servers(1)
  for _ in range(5):
    servers.failed(0, 0, 1.0)
    assert servers.choose(0) == 0
    assert not servers.may_try_elsewhere(0)


def test_no_call_is_lost_and_none_applied_twice_when_a_node_is_killed_under_load(own_daemon, shared_store):
  nodes = [own_daemon(store=shared_store) for _ in range(2)]
  outcomes, failures = [], []
  has_written = threading.Semaphore(0)

  def write(client: Client, worker: int) -> None:
    try:
      outcome = client.create("default", "room", {"n": 0}, id=f"{worker}")
      for _ in range(40):
        outcome = client.update("default", "room", f"{worker}", expected=outcome, increment={"n": 1})
        assert client.get("default", "room", f"{worker}").version == outcome.version
        outcomes.append(outcome.code)
        has_written.release()
    except Exception as error:  # a failure in a thread is a failure of the test
      failures.append(error)

  clients = [Client([node.address for node in nodes], timeout=60) for _ in range(4)]
  threads = [threading.Thread(target=write, args=(clients[worker % 4], worker)) for worker in range(8)]
  for thread in threads:
    thread.start()
  for _ in range(100):
    has_written.acquire(timeout=60)
  nodes[0].stop()
  for thread in threads:
    thread.join()
  assert not failures
  assert outcomes == [OutcomeCode.APPLIED] * 320
  assert clients[0].get_space("default").revision == 8 * 41
  assert [room.fields["n"] for room in clients[0].list("default", "room")] == [40] * 8
  for client in clients:
    client.close()


def test_lists_bulks_and_drains_with_two_nodes_and_asyncio(own_daemon, shared_store):
  nodes = [own_daemon(store=shared_store) for _ in range(2)]

  async def use() -> None:
    async with AsyncClient(f"{nodes[0].address},{nodes[1].address}", timeout=60) as client:
      async def write(worker: int) -> None:
        for number in range(100):
          outcome = await client.create("default", "room", {"n": number}, id=f"{worker}-{number:03}")
          assert outcome.code == OutcomeCode.APPLIED
          if worker == 0 and number == 30:
            nodes[1].terminate()

      await asyncio.gather(*(write(worker) for worker in range(8)))
      assert (await client.get_space("default")).revision == 800
      again = own_daemon("--listen", f"127.0.0.1:{nodes[1].port}", store=shared_store)
      taken = []
      async for room in client.list("default", "room"):
        taken.append(room.id)
        if len(taken) == 50:
          nodes[0].stop()
      assert taken == sorted(f"{worker}-{number:03}" for worker in range(8) for number in range(100))
      assert (await client.server_info()).version and again.process.poll() is None

  asyncio.run(use())


def test_a_server_that_cannot_be_reached_costs_no_call(own_daemon, shared_store):
  node = own_daemon(store=shared_store)
  for _ in range(8):  # each begins with any of the two
    with Client(["127.0.0.1:1", node.address]) as client:
      assert client.server_info().version
