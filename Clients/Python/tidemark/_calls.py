"""One function a method: its arguments become a ``Call``, which ``Client`` and ``AsyncClient`` then carry out."""

import os
import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable, Generic, Iterable, Mapping, Sequence, TypeVar, Union

from . import model, schema
from ._connection import Broken, Ended
from ._framing import ErrorCode
from ._messages import METHODS, Method, message, unpack
from .errors import LinkClosed, StatusCode, TidemarkError
from .values import Fields, FieldValue, to_fields, to_microseconds, to_value

T = TypeVar("T")

#: The state a write is made against: as an entity or an outcome knows it, or only the version.
ExpectedLike = Union[model.Expected, model.Entity, model.Outcome, int]

_Status = message("google.rpc.Status")
_Outcome = message("Outcome")
_RetryInfo = message("google.rpc.RetryInfo")


@dataclass(frozen=True)
class Call(Generic[T]):
  """What to send, what to make of the answer, and whether sending it twice is safe."""

  method: Method
  content: bytes
  parse: Callable[[Any], T]
  is_repeatable: bool
  operation_id: str = ""


def make_operation_id() -> str:
  """A new UUID of version 7: 48 bits of milliseconds, then random bits (RFC 9562)."""
  bits = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
  bits = bits & ~(0xF << 76) | 0x7 << 76
  return str(uuid.UUID(int=bits & ~(0x3 << 62) | 0x2 << 62))


def make_options(
  operation_id: str | None, edited_at: datetime | None, known_revision: int, returns_entity: bool
) -> dict[str, Any]:
  """The ``WriteOptions`` of a write, with an operation id of its own when the caller gave none."""
  return {
    "operation_id": operation_id or make_operation_id(),
    "known_revision": known_revision,
    "edited_at_us": to_microseconds(edited_at) if edited_at else 0,
    "return_entity": returns_entity,
  }


def _call(
  name: str, parse: Callable[[Any], T], is_repeatable: bool = True, operation_id: str = "", /, **content: Any
) -> Call[T]:
  method = METHODS[name]
  return Call(method, method.request(**content).SerializeToString(), parse, is_repeatable, operation_id)


def write_item(write: model.Write, place: Callable[[int], int]) -> dict[str, Any]:
  """The content of a write of a bulk; ``place`` gives the place in the request of another write."""
  content: dict[str, Any] = {
    "kind": int(write.kind), "type": write.type, "id": write.id, "operation_id": write.operation_id, "group": write.group,
    "fields": to_fields(write.fields), "operations": _operations(write.set, write.unset, write.increment),
    "on_conflict": int(write.on_conflict), "edited_at_us": to_microseconds(write.edited_at) if write.edited_at else 0,
    "references": [{"field": name, "item": place(other)} for name, other in write.references.items()],
  }
  if write.after_item is not None:
    content["after_item"] = {"item": place(write.after_item)}
  elif write.expected is not None:
    content["expected"] = _expected(write.expected)
  return content


def bulk_write(content: dict[str, Any]) -> Call[Sequence[model.Outcome]]:
  return _call("BulkWrite", _outcomes, **content)


def get_outcomes(space: str, operation_ids: Sequence[str]) -> Call[Sequence[model.Outcome | None]]:
  def known(m: Any) -> Sequence[model.Outcome | None]:
    return [model.outcome(result.outcome) if result.HasField("outcome") else None for result in m.results]

  return _call("GetOutcomes", known, space=space, operation_ids=operation_ids)


def undo_writes(
  space: str, items: Sequence[dict[str, str]], on_conflict: model.OnConflict, mode: model.BulkMode, validates_only: bool
) -> Call[Sequence[model.Outcome]]:
  return _call(
    "UndoWrites", _outcomes, space=space, items=items, on_conflict=int(on_conflict), mode=int(mode), validate_only=validates_only)


def _outcomes(m: Any) -> Sequence[model.Outcome]:
  return [model.outcome(each) for each in m.outcomes]


def _write(name: str, options: dict[str, Any], /, **content: Any) -> Call[model.Outcome]:
  return _call(
    name, lambda m: model.outcome(m.outcome), True, options["operation_id"], options=options, **content)


def _expected(value: ExpectedLike) -> dict[str, Any]:
  known = model.Expected(value) if isinstance(value, int) else value if isinstance(value, model.Expected) else value.expected
  return {"version": known.version, "revision": known.revision, "epoch": known.epoch}


def _operations(
  set: Fields, unset: Sequence[str], increment: Mapping[str, int | float]
) -> Sequence[dict[str, Any]]:
  return (
    [{"name": name, "set": to_value(value)} for name, value in set.items()]
    + [{"name": name, "unset": True} for name in unset]
    + [{"name": name, "increment": to_value(value)} for name, value in increment.items()]
  )


# Entities


def create(space: str, type: str, id: str, fields: Fields, options: dict[str, Any]) -> Call[model.Outcome]:
  return _write("Create", options, space=space, type=type, id=id, fields=to_fields(fields))


def get(space: str, type: str, id: str, include_deleted: bool) -> Call[model.Entity]:
  return _call(
    "Get", lambda m: model.entity(m.entity, m.epoch), space=space, type=type, id=id, include_deleted=include_deleted)


def batch_get(space: str, keys: Iterable[tuple[str, str]], include_deleted: bool) -> Call[model.Batch]:
  named = [{"type": type, "id": id} for type, id in keys]
  return _call("BatchGet", model.batch, space=space, keys=named, include_deleted=include_deleted)


def update(
  space: str, type: str, id: str, expected: ExpectedLike, set: Fields, unset: Sequence[str], increment: Mapping[str, int | float],
  options: dict[str, Any]
) -> Call[model.Outcome]:
  operations = _operations(set, unset, increment)
  return _write("Update", options, space=space, type=type, id=id, operations=operations, expected=_expected(expected))


def replace(
  space: str, type: str, id: str, fields: Fields, expected: ExpectedLike, options: dict[str, Any]
) -> Call[model.Outcome]:
  return _write("Replace", options, space=space, type=type, id=id, fields=to_fields(fields), expected=_expected(expected))


def delete(space: str, type: str, id: str, expected: ExpectedLike, options: dict[str, Any]) -> Call[model.Outcome]:
  return _write("Delete", options, space=space, type=type, id=id, expected=_expected(expected))


def restore(space: str, type: str, id: str, expected: ExpectedLike, options: dict[str, Any]) -> Call[model.Outcome]:
  return _write("Restore", options, space=space, type=type, id=id, expected=_expected(expected))


def get_or_create(space: str, type: str, id: str, fields: Fields, options: dict[str, Any]) -> Call[model.Outcome]:
  return _write("GetOrCreate", options, space=space, type=type, id=id, fields=to_fields(fields))


def list(space: str, type: str, after_id: str, limit: int, deleted: model.Deleted) -> Call["_Page"]:  # noqa: A001
  return _call("List", _page, space=space, type=type, after_id=after_id, limit=limit, deleted=int(deleted))


_Page = Sequence[model.Entity]


def _page(m: Any) -> _Page:
  return [model.entity(entity, m.epoch) for entity in m.entities]


# Spaces, tokens, the server. Their writes have no operation id: sent twice, a lost success would come back as a failure.


def create_space(name: str) -> Call[model.Space]:
  return _call("CreateSpace", lambda m: model.space(m.space), False, name=name)


def get_space(name: str) -> Call[model.Space]:
  return _call("GetSpace", lambda m: model.space(m.space), name=name)


def list_spaces() -> Call[Sequence[model.Space]]:
  return _call("ListSpaces", lambda m: [model.space(space) for space in m.spaces])


def delete_space(name: str, expected_revision: int) -> Call[int]:
  return _call("DeleteSpace", lambda m: m.revision, False, name=name, expected_revision=expected_revision)


def get_schema(space: str, version: int) -> Call[schema.SchemaVersion | None]:
  return _call("GetSchema", schema.schema_version, space=space, version=version)


def apply_schema(
  space: str, wanted: schema.Schema, expected_version: int, validates_only: bool, allows_breaking: bool
) -> Call[schema.SchemaResult]:
  return _call(
    "ApplySchema", schema.schema_result, validates_only, space=space, schema=wanted.message(), expected_version=expected_version,
    validate_only=validates_only, allow_breaking=allows_breaking)


def rollback_schema(space: str, to_version: int, expected_version: int, validates_only: bool) -> Call[schema.SchemaResult]:
  return _call(
    "RollbackSchema", lambda m: schema.schema_result(m.result), validates_only, space=space, to_version=to_version,
    expected_version=expected_version, validate_only=validates_only)


def verify(space: str) -> Call[model.Verification]:
  return _call("VerifySpace", model.verification, name=space)


def create_token(principal: str, grants: Mapping[str, model.Role]) -> Call[tuple[model.Token, str]]:
  named = [{"space": space, "role": int(role)} for space, role in grants.items()]
  return _call("CreateToken", lambda m: (model.token(m.token), m.secret), False, principal=principal, grants=named)


def list_tokens() -> Call[Sequence[model.Token]]:
  return _call("ListTokens", lambda m: [model.token(token) for token in m.tokens])


def revoke_token(id: str) -> Call[None]:
  return _call("RevokeToken", lambda m: None, False, id=id)


def echo(fields: Fields, type: str, id: str) -> Call[dict[str, FieldValue]]:
  entity = {"type": type, "id": id, "fields": to_fields(fields)}
  return _call("Echo", lambda m: model.entity(m.entity, b"").fields, entity=entity)


def server_info() -> Call[model.ServerInfo]:
  return _call("GetServerInfo", model.server_info)


# Answers


def answer(call: Call[T], content: bytes) -> T:
  """What the response message says. Raises ``TidemarkError`` when it cannot be understood; a write may have been applied then."""
  try:
    return call.parse(call.method.response.FromString(content))
  except Exception as error:  # DecodeError, whose class differs between runtimes; values out of range
    raise TidemarkError(
      StatusCode.INTERNAL, f"The answer cannot be read: {error}", operation_id=call.operation_id) from error


def finish(call: Call[T], event: Ended | Broken) -> T:
  """The result of a unary call; that of a refused write is its ``Outcome``. Raises ``TidemarkError`` for what failed."""
  if isinstance(event, Ended) and event.status == 0:
    return answer(call, event.content)
  error = failure(call, event)
  for detail in error.details:
    if call.operation_id and isinstance(detail, _Outcome):
      return model.outcome(detail)  # type: ignore[return-value]
  raise error


def failure(call: Call[Any], event: Ended | Broken) -> TidemarkError:
  """The error that the end of a call stands for."""
  if isinstance(event, Broken):
    return TidemarkError(_BROKEN.get(event.code, StatusCode.INTERNAL), event.text, is_not_executed=event.is_not_executed,
                         operation_id=call.operation_id)
  try:
    status = _Status.FromString(event.content)
  except Exception:  # DecodeError, whose class differs between runtimes
    status = _Status(message="The server's message cannot be read.")
  details = [unpack(detail) for detail in status.details]
  is_not_executed = any(
    getattr(detail, "reason", "") == "NOT_EXECUTED" and getattr(detail, "domain", "") == "tidemark" for detail in details)
  pauses = [detail.retry_delay.seconds + detail.retry_delay.nanos / 1e9 for detail in details if isinstance(detail, _RetryInfo)]
  return TidemarkError(
    StatusCode.of(event.status), status.message, details, is_not_executed=is_not_executed, operation_id=call.operation_id,
    retry_after_seconds=max(pauses, default=0))


def not_sent(call: Call[Any], error: Exception) -> TidemarkError:
  """The error for a call that could not be sent: nothing was executed."""
  pause = 0.0
  if isinstance(error, LinkClosed):
    code, text, pause = StatusCode.UNAVAILABLE, str(error), error.retry_after_seconds
  elif isinstance(error, TimeoutError):
    code, text = StatusCode.DEADLINE_EXCEEDED, "The deadline passed before the call could be sent."
  else:
    code, text = StatusCode.RESOURCE_EXHAUSTED, str(error)
  return TidemarkError(code, text, is_not_executed=True, operation_id=call.operation_id, retry_after_seconds=pause)


def late(call: Call[Any]) -> TidemarkError:
  """The error for a call that the server did not answer in time: it may have been executed."""
  return TidemarkError(StatusCode.DEADLINE_EXCEEDED, "The deadline passed.", operation_id=call.operation_id)


_BROKEN = {
  ErrorCode.NONE: StatusCode.UNAVAILABLE,
  ErrorCode.VERSION: StatusCode.UNIMPLEMENTED,
  ErrorCode.CALM: StatusCode.UNAVAILABLE,
  ErrorCode.TIMEOUT: StatusCode.UNAVAILABLE,
  ErrorCode.REFUSED: StatusCode.UNAVAILABLE,
  ErrorCode.CANCELLED: StatusCode.CANCELLED,
  ErrorCode.MESSAGE_TOO_LARGE: StatusCode.RESOURCE_EXHAUSTED,
}
