"""What a call that failed raises."""

from enum import IntEnum
from typing import Any, Sequence


class StatusCode(IntEnum):
  """The status codes of gRPC. ``OK`` is never raised."""

  OK = 0
  CANCELLED = 1
  UNKNOWN = 2
  INVALID_ARGUMENT = 3
  DEADLINE_EXCEEDED = 4
  NOT_FOUND = 5
  ALREADY_EXISTS = 6
  PERMISSION_DENIED = 7
  RESOURCE_EXHAUSTED = 8
  FAILED_PRECONDITION = 9
  ABORTED = 10
  OUT_OF_RANGE = 11
  UNIMPLEMENTED = 12
  INTERNAL = 13
  UNAVAILABLE = 14
  DATA_LOSS = 15
  UNAUTHENTICATED = 16

  @classmethod
  def of(cls, number: int) -> "StatusCode":
    """The code with this number; ``UNKNOWN`` for a number that no code has."""
    return cls(number) if 0 <= number <= 16 else cls.UNKNOWN


class TidemarkError(Exception):
  """A call failed. A write that was judged and refused is no error but an ``Outcome``.

  ``details`` are protobuf messages, for example ``google.rpc.BadRequest``. ``is_not_executed`` is true when it is certain that
  the call had no effect. When it is false and the code is UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED or RESOURCE_EXHAUSTED, a
  write may have been applied: send it again with the same ``operation_id`` to learn its outcome. ``operation_id`` is that of
  the write, and empty for other calls; ``operation_ids`` are those of the request of a bulk that failed.
  ``retry_after_seconds`` is the pause that the server asked for before a retry; 0 when it did not.
  """

  def __init__(
    self, code: StatusCode, message: str, details: Sequence[Any] = (), *, is_not_executed: bool = False, operation_id: str = "",
    retry_after_seconds: float = 0
  ) -> None:
    super().__init__(f"{code.name}: {message}")
    self.code = code
    self.message = message
    self.details = tuple(details)
    self.is_not_executed = is_not_executed
    self.operation_id = operation_id
    self.retry_after_seconds = retry_after_seconds
    self.operation_ids: tuple[str, ...] = ()

  @property
  def reason(self) -> str:
    """Why, in a stable word such as ``SPACE_NOT_FOUND`` or ``ENTITY_NOT_FOUND``; empty when the server gave none."""
    for detail in self.details:
      if getattr(detail, "domain", "") == "tidemark":
        return detail.reason
    return ""


class LinkClosed(Exception):
  """A connection takes no more calls, so this one was not sent. It never leaves the package."""

  def __init__(self, text: str, retry_after_seconds: float = 0) -> None:
    super().__init__(text)
    self.retry_after_seconds = retry_after_seconds
