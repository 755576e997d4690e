"""The blocking client."""

import threading
import time
from contextlib import closing
from datetime import datetime
from queue import Empty
from typing import Any, Callable, Generator, Iterable, Iterator, Mapping, Sequence, TypeVar

from . import _calls as calls
from . import model
from . import schema as schemas
from ._address import Addresses
from ._bulk import Bulk, Part, undo_parts
from ._calls import Call, ExpectedLike
from ._connection import Broken, Ended, Limits
from ._framing import ErrorCode
from ._keeper import Keeper
from ._link import Link
from ._modify import Modification, RetryOnConflict
from ._retry import DEFAULT, Retry, Timeout, deadline_of, patience
from .errors import LinkClosed, StatusCode, TidemarkError
from .values import Fields, FieldValue

T = TypeVar("T")

class Client:
  """A client that may be shared by threads. It connects when the first call needs it, and again when the connection is lost.

  ``address`` is ``host:port`` or ``tidemark://host:port/space``; anything else is a ``ValueError``. The space is not used: every
  call names its own. Several servers of one store are a list of addresses, or stand behind commas: ``host:port,host:port``. The
  client calls one of them, any at first; when it fails, calls go on with the next one, with the same operation ids.

  ``timeout`` is in seconds, for a call with all its attempts; ``None`` waits as long as the server allows. Streams (``list``,
  ``verify``) have no deadline unless they are given one. ``compresses`` sends large messages compressed; do not use it where a
  secret travels beside text that somebody else chose.
  """

  def __init__(
    self, address: Addresses = "127.0.0.1:8433", *, token: str = "", timeout: float | None = 30.0, retry: Retry = Retry(),
    compresses: bool = False, limits: Limits = Limits(can_inflate=True)
  ) -> None:
    self._links = Keeper(address, limits)
    self._authorization = f"Bearer {token}" if token else ""
    self._timeout = timeout
    self._retry = retry
    self._compresses = compresses

  def __enter__(self) -> "Client":
    return self

  def __exit__(self, *_: object) -> None:
    self.close()

  def close(self) -> None:
    """Ends the connection. Calls of other threads that are in flight fail."""
    self._links.close()

  # Entities

  def create(
    self, space: str, type: str, fields: Fields, *, id: str = "", operation_id: str | None = None,
    edited_at: datetime | None = None,
    known_revision: int = 0, returns_entity: bool = False, timeout: Timeout = DEFAULT
  ) -> model.Outcome:
    """Makes an entity. The server makes an id when none is given."""
    options = calls.make_options(operation_id, edited_at, known_revision, returns_entity)
    return self._run(calls.create(space, type, id, fields, options), timeout)

  def get(self, space: str, type: str, id: str, *, include_deleted: bool = False, timeout: Timeout = DEFAULT) -> model.Entity:
    """Reads one entity. Raises ``TidemarkError`` with NOT_FOUND when there is none."""
    return self._run(calls.get(space, type, id, include_deleted), timeout)

  def batch_get(
    self, space: str, keys: Iterable[tuple[str, str]], *, include_deleted: bool = False, timeout: Timeout = DEFAULT
  ) -> model.Batch:
    """Reads 1 to 1,000 entities, named by type and id, in one consistent state."""
    return self._run(calls.batch_get(space, keys, include_deleted), timeout)

  def update(
    self, space: str, type: str, id: str, *, expected: ExpectedLike, set: Fields = {}, unset: Sequence[str] = (),
    increment: Mapping[str, int | float] = {}, operation_id: str | None = None, edited_at: datetime | None = None,
    known_revision: int = 0, returns_entity: bool = False, timeout: Timeout = DEFAULT
  ) -> model.Outcome:
    """Changes some fields."""
    options = calls.make_options(operation_id, edited_at, known_revision, returns_entity)
    return self._run(calls.update(space, type, id, expected, set, unset, increment, options), timeout)

  def replace(
    self, space: str, type: str, id: str, fields: Fields, *, expected: ExpectedLike, operation_id: str | None = None,
    edited_at: datetime | None = None, known_revision: int = 0, returns_entity: bool = False, timeout: Timeout = DEFAULT
  ) -> model.Outcome:
    """Changes all fields: those not named are removed."""
    options = calls.make_options(operation_id, edited_at, known_revision, returns_entity)
    return self._run(calls.replace(space, type, id, fields, expected, options), timeout)

  def delete(
    self, space: str, type: str, id: str, *, expected: ExpectedLike, operation_id: str | None = None,
    edited_at: datetime | None = None, known_revision: int = 0, returns_entity: bool = False, timeout: Timeout = DEFAULT
  ) -> model.Outcome:
    """Hides an entity. ``restore`` brings it back."""
    options = calls.make_options(operation_id, edited_at, known_revision, returns_entity)
    return self._run(calls.delete(space, type, id, expected, options), timeout)

  def restore(
    self, space: str, type: str, id: str, *, expected: ExpectedLike, operation_id: str | None = None,
    edited_at: datetime | None = None, known_revision: int = 0, returns_entity: bool = False, timeout: Timeout = DEFAULT
  ) -> model.Outcome:
    """Brings a deleted entity back; ``expected`` is the version of the delete."""
    options = calls.make_options(operation_id, edited_at, known_revision, returns_entity)
    return self._run(calls.restore(space, type, id, expected, options), timeout)

  def get_or_create(
    self, space: str, type: str, id: str, fields: Fields, *, operation_id: str | None = None, edited_at: datetime | None = None,
    known_revision: int = 0, timeout: Timeout = DEFAULT
  ) -> model.Outcome:
    """The entity with this id, made now when it is not there. The outcome holds the entity in both cases."""
    options = calls.make_options(operation_id, edited_at, known_revision, True)
    return self._run(calls.get_or_create(space, type, id, fields, options), timeout)

  def modify(
    self, space: str, type: str, id: str, change: Callable[[dict[str, FieldValue]], Fields | None], *,
    retry: RetryOnConflict | None = None, returns_entity: bool = False, timeout: Timeout = DEFAULT
  ) -> model.Outcome | None:
    """Reads an entity, lets ``change`` edit its fields, and writes what differs against the version that was read.

    ``change`` edits the dictionary it gets, or returns another one. A conflict is the outcome, as of any write, unless ``retry``
    says how often to begin again from the read; ``change`` is then called again. ``None`` when nothing differs. Raises
    ``TidemarkError`` with NOT_FOUND when there is no such entity. ``timeout`` holds for each call.
    """
    work = Modification(space, type, id, retry, returns_entity)
    while True:
      seen = self._run(work.read(), timeout)
      fields = dict(seen.fields)
      edited = change(fields)
      call = work.write(seen, fields if edited is None else edited)
      if call is None:
        return None
      outcome = self._run(call, timeout, attempts_before=work.conflicts)
      pause = work.pause(outcome)
      if pause is None:
        return outcome
      time.sleep(pause)

  def list(
    self, space: str, type: str, *, after_id: str = "", limit: int = 0, deleted: model.Deleted = model.Deleted.EXCLUDE,
    timeout: Timeout = None
  ) -> Generator[model.Entity, None, None]:
    """The entities of a type, sorted by the bytes of their ids, as the server sends them; ``limit`` 0 means all.

    The server sends no more than the caller takes. Closing the generator ends the call. A connection that is lost is made anew,
    and the list goes on after the last id; entities changed meanwhile may then appear in their newer state.
    """
    return self._list(space, type, after_id, limit, deleted, timeout)

  # Many writes

  def bulk(
    self, space: str, writes: Iterable[model.Write], *, mode: model.BulkMode = model.BulkMode.PARTIAL,
    validates_only: bool = False, returns_entities: bool = False, known_revision: int = 0, timeout: Timeout = DEFAULT
  ) -> Generator[model.Outcome, None, None]:
    """Sends any number of writes, in order, and yields their outcomes in the same order as the requests are answered.

    The writes are taken from the iterator as they are needed, in requests as full as the server allows. ``timeout`` holds for
    each request with all its attempts. When a request fails for good the generator raises ``TidemarkError``: the outcomes of its
    writes, ``operation_ids`` of the error, are unknown unless ``is_not_executed``, and ``get_outcomes`` tells; what follows was
    not sent. Raises ``ValueError`` for a write that no request can hold. With ``validates_only`` nothing is stored, and requests
    do not see what earlier ones would do.
    """
    return self._bulk(space, writes, mode, validates_only, returns_entities, known_revision, timeout)

  def get_outcomes(
    self, space: str, operation_ids: Sequence[str], *, timeout: Timeout = DEFAULT
  ) -> Sequence[model.Outcome | None]:
    """What became of earlier writes of the caller, in order; ``None`` where there is no receipt."""
    known = []
    for start in range(0, len(operation_ids), 1_000):
      known += self._run(calls.get_outcomes(space, operation_ids[start:start + 1_000]), timeout)
    return known

  def undo_writes(
    self, space: str, operation_ids: Sequence[str], *, on_conflict: model.OnConflict = model.OnConflict.FAIL,
    mode: model.BulkMode = model.BulkMode.PARTIAL, validates_only: bool = False, timeout: Timeout = DEFAULT
  ) -> Sequence[model.Outcome]:
    """Takes earlier writes of the caller back with new, version-checked ones. Returns an outcome for each, in order.

    More than 1,000 go in several requests, the last first, so name them in the order they were made. Raises ``ValueError`` for
    more than 1,000 with ``ATOMIC``.
    """
    parts = undo_parts(operation_ids)
    if mode == model.BulkMode.ATOMIC and len(parts) > 1:
      raise ValueError("The writes of an atomic undo are more than a request holds.")
    outcomes: Sequence[model.Outcome] = []
    for part in parts:
      outcomes = [*self._run(calls.undo_writes(space, part, on_conflict, mode, validates_only), timeout), *outcomes]
    return outcomes

  # Schemas

  def get_schema(self, space: str, *, version: int = 0, timeout: Timeout = DEFAULT) -> schemas.SchemaVersion | None:
    """The schema of a space; ``None`` when it has none. ``version`` 0 is the one in force."""
    return self._run(calls.get_schema(space, version), timeout)

  def apply_schema(
    self, space: str, schema: schemas.Schema, *, expected_version: int, validates_only: bool = False,
    allows_breaking: bool = False, timeout: Timeout = DEFAULT
  ) -> schemas.SchemaResult:
    """Changes the schema, after the server checked what exists. ``expected_version`` is the one it was made from, 0 for none."""
    return self._run(calls.apply_schema(space, schema, expected_version, validates_only, allows_breaking), timeout)

  def rollback_schema(
    self, space: str, *, expected_version: int, to_version: int = 0, validates_only: bool = False, timeout: Timeout = DEFAULT
  ) -> schemas.SchemaResult:
    """Brings an earlier schema back into force, as a new version; ``to_version`` 0 is the one before the one in force."""
    return self._run(calls.rollback_schema(space, to_version, expected_version, validates_only), timeout)

  # Spaces, tokens, the server

  def create_space(self, name: str, *, timeout: Timeout = DEFAULT) -> model.Space:
    return self._run(calls.create_space(name), timeout)

  def get_space(self, name: str, *, timeout: Timeout = DEFAULT) -> model.Space:
    return self._run(calls.get_space(name), timeout)

  def list_spaces(self, *, timeout: Timeout = DEFAULT) -> Sequence[model.Space]:
    """The spaces that the caller may read, sorted by name."""
    return self._run(calls.list_spaces(), timeout)

  def delete_space(self, name: str, *, expected_revision: int, timeout: Timeout = DEFAULT) -> int:
    """Removes a space with everything in it, unless it moved on. Returns the latest revision that it had."""
    return self._run(calls.delete_space(name, expected_revision), timeout)

  def verify(self, space: str, *, timeout: Timeout = None) -> Iterator[model.Verification]:
    """Checks the hash chain of a space; the last step has ``is_done``. Begins again when the connection is lost."""
    return self._verify(space, timeout)

  def create_token(
    self, principal: str, grants: Mapping[str, model.Role], *, timeout: Timeout = DEFAULT
  ) -> tuple[model.Token, str]:
    """Makes a token. The second value is its secret, which cannot be shown again."""
    return self._run(calls.create_token(principal, grants), timeout)

  def list_tokens(self, *, timeout: Timeout = DEFAULT) -> Sequence[model.Token]:
    return self._run(calls.list_tokens(), timeout)

  def revoke_token(self, id: str, *, timeout: Timeout = DEFAULT) -> None:
    self._run(calls.revoke_token(id), timeout)

  def echo(
    self, fields: Fields, *, type: str = "echo", id: str = "echo", timeout: Timeout = DEFAULT
  ) -> dict[str, FieldValue]:
    """Sends fields to the server and returns what came back."""
    return self._run(calls.echo(fields, type, id), timeout)

  def server_info(self, *, timeout: Timeout = DEFAULT) -> model.ServerInfo:
    return self._run(calls.server_info(), timeout)

  # How calls are carried out

  def _run(self, call: Call[T], timeout: Timeout, attempts_before: int = 0) -> T:
    """Carries out a unary call, again and again where that is safe."""
    deadline = deadline_of(timeout, self._timeout)
    attempt, may_be_executed = 1, False
    while True:
      try:
        return self._attempt(call, deadline, attempts_before + attempt)
      except TidemarkError as error:
        may_be_executed = may_be_executed or not error.is_not_executed
        if not self._wait_to_retry(error, call, deadline, attempt):
          # An attempt before may have been executed, whatever became of this one.
          error.is_not_executed = not may_be_executed
          raise
      attempt += 1

  def _wait_to_retry(self, error: TidemarkError, call: Call[Any], deadline: float | None, attempt: int) -> bool:
    pause = self._links.route.pause(error, self._retry, call.is_repeatable, attempt)
    if pause is None or self._links.is_closed or (deadline is not None and time.monotonic() + pause >= deadline):
      return False
    time.sleep(pause)
    return True

  def _attempt(self, call: Call[T], deadline: float | None, attempt: int) -> T:
    link, stream, answers = self._open(call, deadline, attempt)
    code = ErrorCode.CANCELLED
    try:
      event = answers.get(timeout=patience(deadline))
    except Empty:
      code = ErrorCode.TIMEOUT
      raise calls.late(call) from None
    finally:
      link.cancel(stream, code)  # of an answered call this is nothing
    self._links.note(link, event)
    return calls.finish(call, event)

  def _stream(self, call: Call[T], deadline: float | None) -> Generator[T, None, None]:
    """Carries out a server stream once. Closing the generator cancels the call."""
    link, stream, answers = self._open(call, deadline, 1)
    code = ErrorCode.CANCELLED
    try:
      while True:
        try:
          event = answers.get(timeout=patience(deadline))
        except Empty:
          code = ErrorCode.TIMEOUT
          raise calls.late(call) from None
        if isinstance(event, (Ended, Broken)):
          self._links.note(link, event)
          if isinstance(event, Broken) or event.status:
            raise calls.failure(call, event)
          return
        yield calls.answer(call, event.content)
        link.took(stream)
    finally:
      link.cancel(stream, code)

  def _list(
    self, space: str, type: str, after_id: str, limit: int, deleted: model.Deleted, timeout: Timeout
  ) -> Generator[model.Entity, None, None]:
    deadline = deadline_of(timeout, self._timeout)
    attempt, taken = 1, 0
    while True:
      call = calls.list(space, type, after_id, limit - taken if limit else 0, deleted)
      try:
        with closing(self._stream(call, deadline)) as pages:
          for page in pages:
            for entity in page:
              yield entity
              attempt, taken, after_id = 1, taken + 1, entity.id
        return
      except TidemarkError as error:
        if limit and taken >= limit:
          return
        if not self._wait_to_retry(error, call, deadline, attempt):
          raise
      attempt += 1

  def _verify(self, space: str, timeout: Timeout) -> Generator[model.Verification, None, None]:
    deadline = deadline_of(timeout, self._timeout)
    call, attempt = calls.verify(space), 1
    while True:
      try:
        yield from self._stream(call, deadline)
        return
      except TidemarkError as error:
        if not self._wait_to_retry(error, call, deadline, attempt):
          raise
      attempt += 1

  def _bulk(
    self, space: str, writes: Iterable[model.Write], mode: model.BulkMode, validates_only: bool, returns_entities: bool,
    known_revision: int, timeout: Timeout
  ) -> Generator[model.Outcome, None, None]:
    limits = self._server_limits(timeout)
    bulk = Bulk(space, limits, mode, validates_only, returns_entities, known_revision)
    for write in writes:
      for part in bulk.add(write):
        yield from self._send_part(bulk, part, timeout)
    for part in bulk.end():
      yield from self._send_part(bulk, part, timeout)

  def _send_part(self, bulk: Bulk, part: Part, timeout: Timeout) -> Sequence[model.Outcome]:
    call = bulk.call(part)
    try:
      return bulk.take(part, self._run(call, timeout) if call else [])
    except TidemarkError as error:
      error.operation_ids = bulk.operation_ids(part)
      raise

  def _server_limits(self, timeout: Timeout) -> Limits:
    self._run(calls.server_info(), timeout)  # makes the connection, with the attempts of a call
    try:
      return (self._links.get(deadline_of(timeout, self._timeout))).server_limits
    except (LinkClosed, TimeoutError) as error:
      raise calls.not_sent(calls.server_info(), error) from error

  def _open(self, call: Call[Any], deadline: float | None, attempt: int) -> tuple[Link, int, Any]:
    """Sends a call. Raises ``TidemarkError`` when that was not possible, in which case nothing was executed."""
    try:
      link = self._links.get(deadline)
      stream, answers = link.call(
        call.method.number, call.content, deadline=deadline, authorization=self._authorization, attempt=attempt,
        compresses=self._compresses)
      return link, stream, answers
    except (LinkClosed, TimeoutError, ValueError) as error:
      raise calls.not_sent(call, error) from error
