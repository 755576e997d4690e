"""When a call is sent again, as docs/PROTOCOL.md section 11 says."""

import enum
import random
import time
from dataclasses import dataclass
from typing import Literal, Union

from .errors import StatusCode, TidemarkError

_UNKNOWN_OUTCOME = (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED)
_MUST_CHANGE = (StatusCode.INVALID_ARGUMENT, StatusCode.RESOURCE_EXHAUSTED, StatusCode.UNIMPLEMENTED, StatusCode.UNAUTHENTICATED,
                StatusCode.PERMISSION_DENIED)
_EXHAUSTED_FACTOR = 10

#: For how long after a deadline the client still waits for the server's word on it, in seconds: only the server knows whether a
#: call ran.
GRACE_SECONDS = 0.25


class Default(enum.Enum):
  """Stands for the client's own timeout."""

  DEFAULT = "default"


DEFAULT = Default.DEFAULT
Timeout = Union[float, None, Literal[Default.DEFAULT]]


def deadline_of(timeout: Timeout, default: float | None) -> float | None:
  """The moment of ``time.monotonic`` at which a call ends; ``None`` for never."""
  chosen = default if isinstance(timeout, Default) else timeout
  return None if chosen is None else time.monotonic() + chosen


def patience(deadline: float | None) -> float | None:
  """For how long to wait for an answer, in seconds."""
  return None if deadline is None else max(0.0, deadline - time.monotonic()) + GRACE_SECONDS


def connect_patience(deadline: float | None) -> float:
  """For how long to try to connect, in seconds. Raises ``TimeoutError`` when the deadline has passed."""
  remaining = CONNECT_SECONDS if deadline is None else min(CONNECT_SECONDS, deadline - time.monotonic())
  if remaining <= 0:
    raise TimeoutError
  return remaining


CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Retry:
  """How often a call is tried, and for how long to wait between: exponential, with full jitter."""

  attempts_max: int = 5
  pause_seconds: float = 0.05
  pause_seconds_max: float = 2.0

  def pause(self, error: TidemarkError, is_repeatable: bool, attempt: int) -> float | None:
    """Seconds to wait before the call may be sent again after ``attempt`` attempts; ``None`` when it must not be."""
    if attempt >= self.attempts_max:
      return None
    if error.is_not_executed:
      if error.code in _MUST_CHANGE and not error.retry_after_seconds:
        return None  # RESOURCE_EXHAUSTED with a pause is a busy server, without one a message that is too large
    elif not is_repeatable or error.code not in (*_UNKNOWN_OUTCOME, StatusCode.RESOURCE_EXHAUSTED):
      return None
    limit = min(self.pause_seconds_max, self.pause_seconds * 2 ** (attempt - 1))
    if error.code == StatusCode.RESOURCE_EXHAUSTED:
      limit = min(self.pause_seconds_max, limit * _EXHAUSTED_FACTOR)
    return error.retry_after_seconds + random.uniform(0, limit)
