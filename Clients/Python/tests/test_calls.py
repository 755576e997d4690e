"""Every method, against a real daemon."""

import threading
from datetime import datetime, timedelta, timezone

import pytest

from tidemark import (
  ABSENT, Client, Deleted, EntityState, Expected, Json, OutcomeCode, RetryAdvice, Role, StatusCode, TidemarkError,
  make_operation_id,
)

EVERYTHING = {
  "nothing": None, "yes": True, "count": -(2**63), "ratio": 0.1, "text": "Gr\u00fc\u00dfe\0", "raw": b"\0\xff",
  "list": [1, "a", None, 2.5, True], "empty": [], "address.city": "Kiel",
  "when": datetime(2026, 2, 28, 12, 30, 0, 123456, timezone(timedelta(hours=2))),
  "tree": Json('{ "a" : [1, {"b": null}] }'), "first": datetime(1, 1, 1, tzinfo=timezone.utc),
}


def test_create_and_get_keep_every_kind_of_value(client, space):
  outcome = client.create(space, "room", EVERYTHING, id="a")
  assert outcome.code == OutcomeCode.APPLIED and outcome.is_ok and (outcome.version, outcome.revision) == (1, 1)
  entity = client.get(space, "room", "a")
  assert entity.fields == EVERYTHING and entity.state == EntityState.ALIVE and entity.created_by == "developer"
  assert entity.expected == outcome.expected == Expected(1, 1, entity.epoch) and len(entity.epoch) == 16
  assert entity.fields["tree"].value == {"a": [1, {"b": None}]} and entity.deleted_at is None
  assert abs(entity.created_at - datetime.now(timezone.utc)) < timedelta(minutes=5)


def test_create_without_an_id_gets_one(client, space):
  outcome = client.create(space, "room", {"a": 1}, returns_entity=True)
  assert len(outcome.id) == 36 and outcome.entity.fields == {"a": 1}


def test_create_of_what_exists_is_an_outcome(client, space):
  client.create(space, "room", {"a": 1}, id="a")
  outcome = client.create(space, "room", {"a": 2}, id="a")
  assert outcome.code == OutcomeCode.ALREADY_EXISTS and not outcome.is_ok
  assert outcome.conflict.current.fields == {"a": 1} and outcome.retry == RetryAdvice.REFRESH


def test_update_sets_unsets_and_increments(client, space):
  created = client.create(space, "room", {"name": "old", "seats": 3, "note": "x"}, id="a")
  outcome = client.update(
    space, "room", "a", expected=created, set={"name": "new"}, unset=["note"], increment={"seats": 2, "visits": 1},
    returns_entity=True)
  assert outcome.is_ok and outcome.version == 2
  assert outcome.entity.fields == {"name": "new", "seats": 5, "visits": 1}
  again = client.update(space, "room", "a", expected=outcome, set={"name": "new"})
  assert again.code == OutcomeCode.UNCHANGED and again.version == 2


def test_a_stale_update_is_a_conflict_with_all_its_detail(client, space):
  client.create(space, "room", {"seats": 3, "note": "x", "floor": 1}, id="a")
  seen = client.get(space, "room", "a")
  client.update(space, "room", "a", expected=seen, set={"seats": 4, "new": True}, unset=["note"])
  outcome = client.update(space, "room", "a", expected=seen, set={"seats": 5, "floor": 2})
  assert outcome.code == OutcomeCode.CONFLICT and outcome.retry == RetryAdvice.REFRESH and outcome.message
  conflict = outcome.conflict
  assert conflict.expected == seen.expected and conflict.actual == Expected(2, 2, seen.epoch)
  assert conflict.base == seen and conflict.current == client.get(space, "room", "a")
  changes = {change.name: (change.before, change.after) for change in conflict.changes}
  assert changes == {"seats": (3, 4), "new": (ABSENT, True), "note": ("x", ABSENT)}
  assert all(change.version == 2 and change.changed_by == "developer" and change.changed_at for change in conflict.changes)
  assert conflict.overlapping_fields == ["seats"] and not conflict.is_truncated
  repaired = client.update(space, "room", "a", expected=conflict.actual, set={"seats": 5, "floor": 2})
  assert repaired.is_ok and client.get(space, "room", "a").fields == {"seats": 5, "floor": 2, "new": True}


def test_an_update_that_breaks_a_rule_names_it(client, space):
  client.create(space, "room", {"name": "x"}, id="a")
  outcome = client.update(space, "room", "a", expected=1, increment={"name": 1})
  assert outcome.code == OutcomeCode.INVALID and outcome.retry == RetryAdvice.NEVER
  assert [(violation.field, violation.rule) for violation in outcome.violations] == [("name", "increment_kind")]


def test_replace_removes_what_it_does_not_name(client, space):
  client.create(space, "room", {"a": 1, "b": 2}, id="a")
  assert client.replace(space, "room", "a", {"b": 3}, expected=1).version == 2
  assert client.get(space, "room", "a").fields == {"b": 3}


def test_delete_and_restore(client, space):
  client.create(space, "room", {"a": 1}, id="a")
  deleted = client.delete(space, "room", "a", expected=1)
  assert deleted.is_ok
  with pytest.raises(TidemarkError) as caught:
    client.get(space, "room", "a")
  assert (caught.value.code, caught.value.reason) == (StatusCode.NOT_FOUND, "ENTITY_NOT_FOUND")
  entity = client.get(space, "room", "a", include_deleted=True)
  assert entity.state == EntityState.DELETED and entity.deleted_at and entity.fields == {"a": 1}
  assert [each.id for each in client.list(space, "room", deleted=Deleted.ONLY)] == ["a"]
  assert client.restore(space, "room", "a", expected=deleted).version == 3
  assert client.get(space, "room", "a").fields == {"a": 1}


def test_get_or_create_makes_it_once(client, space):
  made = client.get_or_create(space, "room", "a", {"a": 1})
  found = client.get_or_create(space, "room", "a", {"a": 2})
  assert (made.code, found.code) == (OutcomeCode.APPLIED, OutcomeCode.UNCHANGED)
  assert made.entity == found.entity and found.entity.fields == {"a": 1}


def test_batch_get_answers_in_the_order_of_its_keys(client, space):
  for each in "abc":
    client.create(space, "room", {"name": each}, id=each)
  batch = client.batch_get(space, [("room", "c"), ("room", "nobody"), ("room", "a")])
  assert [entity and entity.id for entity in batch.entities] == ["c", None, "a"]
  assert batch.revision == 3 and batch.truncated == []


def test_batch_get_names_what_had_no_room(client, space):
  for number in range(6):
    client.create(space, "room", {"raw": bytes([number]) * 1_000_000}, id=str(number))
  batch = client.batch_get(space, [("room", str(number)) for number in range(6)])
  assert batch.truncated and all(
    (entity is None) == (("room", str(number)) in batch.truncated) for number, entity in enumerate(batch.entities))


def test_spaces_are_made_found_and_removed(client, space):
  client.create(space, "room", {}, id="a")
  found = client.get_space(space)
  assert (found.name, found.revision, found.alive_entities) == (space, 1, 1)
  assert space in [each.name for each in client.list_spaces()]
  with pytest.raises(TidemarkError) as caught:
    client.delete_space(space, expected_revision=0)
  assert (caught.value.code, caught.value.reason) == (StatusCode.ABORTED, "REVISION_MISMATCH")
  assert client.delete_space(space, expected_revision=1) == 1
  with pytest.raises(TidemarkError) as caught:
    client.create_space("default")
  assert caught.value.code == StatusCode.ALREADY_EXISTS


def test_an_unknown_space_is_an_error_everywhere(client):
  for attempt in (
    lambda: client.get("nowhere", "room", "a"), lambda: client.create("nowhere", "room", {}), lambda: client.get_space("nowhere"),
    lambda: list(client.list("nowhere", "room")), lambda: list(client.verify("nowhere")),
  ):
    with pytest.raises(TidemarkError) as caught:
      attempt()
    assert (caught.value.code, caught.value.reason) == (StatusCode.NOT_FOUND, "SPACE_NOT_FOUND")


def test_verify_walks_the_whole_chain(client, space):
  for number in range(20):
    client.create(space, "room", {"n": number})
  steps = list(client.verify(space))
  assert steps[-1].is_done and steps[-1].changes_checked == steps[-1].changes_total == 20
  assert not any(step.faults for step in steps)


def test_tokens_grant_what_they_say(client, daemon, space):
  token, secret = client.create_token("reader", {space: Role.READER})
  assert token in client.list_tokens() and token.grants == {space: Role.READER}
  client.create(space, "room", {"a": 1}, id="a")
  with Client(daemon.address, token=secret) as reader:
    assert reader.get(space, "room", "a").fields == {"a": 1}
    assert reader.server_info().principal == "reader" and not reader.server_info().is_admin
    with pytest.raises(TidemarkError) as caught:
      reader.create(space, "room", {"a": 1})
    assert caught.value.code == StatusCode.PERMISSION_DENIED
    client.revoke_token(token.id)
    with pytest.raises(TidemarkError) as caught:
      reader.get(space, "room", "a")
    assert caught.value.code == StatusCode.UNAUTHENTICATED


def test_a_bad_token_is_refused(daemon):
  with Client(daemon.address, token="tmk_000000000000_nonsense") as stranger:
    with pytest.raises(TidemarkError) as caught:
      stranger.server_info()
    assert caught.value.code == StatusCode.UNAUTHENTICATED


def test_echo_and_server_info(client):
  assert client.echo(EVERYTHING) == EVERYTHING
  info = client.server_info()
  assert info.version and info.is_development and info.principal == "developer" and info.uptime_seconds > 0


def test_the_same_operation_id_is_applied_once(client, space):
  operation = make_operation_id()
  first = client.create(space, "room", {"a": 1}, operation_id=operation)
  second = client.create(space, "room", {"a": 1}, operation_id=operation)
  assert first.is_ok and not first.is_replay and second.is_ok and second.is_replay
  assert (second.id, second.version, second.revision) == (first.id, 1, 1)
  other = client.create(space, "room", {"a": 2}, operation_id=operation)
  assert [violation.rule for violation in other.violations] == ["operation_id_reused"]
  assert client.get_space(space).revision == 1


def test_of_two_clients_with_one_version_one_wins(daemon, client, space):
  client.create(space, "room", {"seats": 0}, id="a")
  rounds, outcomes = 20, []
  start = threading.Barrier(2)

  def race(name: str) -> None:
    with Client(daemon.address) as racer:
      racer.server_info()
      for version in range(1, rounds + 1):
        start.wait()
        outcomes.append(racer.update(space, "room", "a", expected=version, set={"by": f"{name} {version}"}).code)

  racers = [threading.Thread(target=race, args=(name,)) for name in ("one", "two")]
  for racer in racers:
    racer.start()
  for racer in racers:
    racer.join()
  assert sorted(outcomes) == [OutcomeCode.APPLIED] * rounds + [OutcomeCode.CONFLICT] * rounds
  assert client.get(space, "room", "a").version == rounds + 1
