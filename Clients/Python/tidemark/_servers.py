"""Which of several servers of one store a client calls next."""

import random
import time
from dataclasses import dataclass, replace
from typing import Sequence

from ._connection import Broken, Ended
from ._retry import Retry
from .errors import StatusCode, TidemarkError

#: The longest wait before a server that failed once is tried again, in seconds; doubled with each further failure.
LEAVE_SECONDS = 0.1
LEAVE_SECONDS_MAX = 10.0


@dataclass
class _Server:
  failures: int = 0
  not_before: float = 0.0


class Servers:
  """The servers of a client, which calls one of them until it fails: no clock, no socket and no randomness of its own.

  A server that failed is left alone for a while, with full jitter; the next in turn that is not is called then. When all are left alone,
  they are called in turn. ``start`` is the place of the one to begin with, so that clients spread.
  """

  def __init__(self, count: int, start: int = 0) -> None:
    self._servers = [_Server() for _ in range(count)]
    self._next = start % count

  def choose(self, now: float) -> int:
    """The place of the server to connect to."""
    count = len(self._servers)
    turns = [(self._next + step) % count for step in range(count)]
    self._next = next((place for place in turns if self._servers[place].not_before <= now), self._next)
    return self._next

  def failed(self, place: int, now: float, random: float) -> None:
    """Takes that a server could not be reached, lost its connection or is not available. ``random`` is from 0 to 1."""
    server = self._servers[place]
    server.failures += 1
    server.not_before = now + random * min(LEAVE_SECONDS_MAX, LEAVE_SECONDS * 2 ** min(server.failures - 1, 16))
    if place == self._next:
      self._next = (place + 1) % len(self._servers)

  def answered(self, place: int) -> None:
    """Takes that a server answered a call."""
    if self._servers[place].failures:
      self._servers[place] = _Server()

  def may_try_elsewhere(self, now: float) -> bool:
    """Whether there is a server that did not fail lately, so that nobody need wait."""
    return len(self._servers) > 1 and any(server.not_before <= now for server in self._servers)


class Route:
  """The servers of a client by their addresses, with the clock and the randomness of the machine."""

  def __init__(self, addresses: Sequence[tuple[str, int]]) -> None:
    self.addresses = addresses
    self._servers = Servers(len(addresses), random.randrange(len(addresses)))
    self._place = 0

  def choose(self) -> tuple[str, int]:
    """The address of the server to connect to."""
    self._place = self._servers.choose(time.monotonic())
    return self.addresses[self._place]

  def failed(self) -> None:
    """Takes that the server chosen last failed."""
    self._servers.failed(self._place, time.monotonic(), random.random())

  def must_leave(self, event: Ended | Broken) -> bool:
    """Takes the answer of the server chosen last. True when the next call should go to another one."""
    if isinstance(event, Broken):
      return False  # the connection tells the rest
    if event.status != StatusCode.UNAVAILABLE:
      self._servers.answered(self._place)
      return False
    return len(self.addresses) > 1

  def pause(self, error: TidemarkError, retry: Retry, is_repeatable: bool, attempt: int) -> float | None:
    """As ``Retry.pause``, with as many attempts for each server, and no pause where another server may be tried."""
    attempts_max = retry.attempts_max * len(self.addresses)
    pause = replace(retry, attempts_max=attempts_max).pause(error, is_repeatable, attempt)
    if pause is None or error.code != StatusCode.UNAVAILABLE:
      return pause
    return 0.0 if self._servers.may_try_elsewhere(time.monotonic()) else pause
