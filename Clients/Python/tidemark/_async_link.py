"""A connection over a socket for asyncio. It belongs to the event loop that made it."""

import asyncio
import time
from typing import Callable, Union

from ._connection import Broken, Connection, Ended, Event, GoneAway, Limits, Message
from ._framing import ErrorCode
from ._link import PONG_SECONDS, SILENCE_SECONDS
from .errors import LinkClosed

Answer = Union[Message, Ended, Broken]


class AsyncLink(asyncio.Protocol):
  """One connection to the server. Make it with ``open``."""

  def __init__(self, limits: Limits) -> None:
    self._machine = Connection(limits)
    self._transport: asyncio.Transport | None = None
    self._answers: dict[int, asyncio.Queue[Answer]] = {}
    self._waiters: list[asyncio.Future[None]] = []
    self._reason = "The connection was lost."
    self._retry_after = 0.0
    self._heard_at = time.monotonic()
    self._is_asked = False
    self._watch: asyncio.TimerHandle | None = None

  @classmethod
  async def open(cls, host: str, port: int, limits: Limits, timeout: float) -> "AsyncLink":
    """Connects and waits for the server's HELLO, for at most ``timeout`` seconds. Raises ``LinkClosed``."""
    deadline = time.monotonic() + timeout
    try:
      create = asyncio.get_running_loop().create_connection(lambda: cls(limits), host, port)
      _, link = await asyncio.wait_for(create, timeout)
    except (OSError, asyncio.TimeoutError) as error:
      raise LinkClosed(f"There is no connection to {host}:{port}: {error}") from error
    try:
      await link._wait_for(lambda: link._machine.is_ready or not link._machine.is_usable, deadline)
    except TimeoutError:
      link._reason = "The server did not answer in time."
    except BaseException:
      link.close()
      raise
    if not link._machine.is_ready:
      link.close()
      raise LinkClosed(link._reason, link._retry_after)
    return link

  @property
  def is_usable(self) -> bool:
    return self._machine.is_usable

  @property
  def server_limits(self) -> Limits:
    """What the server's HELLO said."""
    return self._machine.peer

  async def call(
    self, method: int, content: bytes, *, deadline: float | None, authorization: str, attempt: int, compresses: bool
  ) -> tuple[int, "asyncio.Queue[Answer]"]:
    """Sends a call once a slot is free; what comes back appears in the queue. Raises as ``Link.call`` does."""
    await self._wait_for(lambda: self._machine.has_slot or not self._machine.is_usable, deadline)
    if not self._machine.is_usable:
      raise LinkClosed(self._reason, self._retry_after)
    remaining = None if deadline is None else deadline - time.monotonic()
    if remaining is not None and remaining <= 0:
      raise TimeoutError
    stream = self._machine.call(
      method, content, timeout_us=0 if remaining is None else max(1, int(remaining * 1e6)), authorization=authorization,
      attempt=attempt, compresses=compresses)
    answers = self._answers[stream] = asyncio.Queue()
    self._flush()
    return stream, answers

  def took(self, stream: int) -> None:
    self._machine.took(stream)
    self._flush()

  def cancel(self, stream: int, code: ErrorCode = ErrorCode.CANCELLED) -> None:
    """Ends a call that nobody waits for any more; does nothing when it has ended."""
    self._machine.cancel(stream, code)
    self._answers.pop(stream, None)
    self._flush()
    self._notify()

  def leave(self) -> None:
    """Takes no more calls; ends when those in flight have ended."""
    self._machine.leave()
    self._flush()
    self._notify()

  def close(self) -> None:
    """Ends the connection. Calls in flight are broken."""
    self._machine.leave()
    self._flush()
    if self._transport is not None:
      self._transport.close()
    self._end()

  # asyncio.Protocol

  def connection_made(self, transport: asyncio.BaseTransport) -> None:
    assert isinstance(transport, asyncio.Transport)
    self._transport = transport
    self._flush()
    self._look()

  def data_received(self, data: bytes) -> None:
    self._heard_at, self._is_asked = time.monotonic(), False
    for event in self._machine.receive(data):
      self._deliver(event)
    self._flush()
    self._notify()
    if self._machine.is_closed and self._transport is not None:
      self._transport.close()

  def connection_lost(self, exc: Exception | None) -> None:
    if exc is not None:
      self._reason = f"The connection was lost: {exc}"
    self._end()

  # Below

  def _deliver(self, event: Event) -> None:
    if isinstance(event, Message):
      answers = self._answers.get(event.stream)
    elif isinstance(event, (Ended, Broken)):
      answers = self._answers.pop(event.stream, None)
    else:
      if isinstance(event, GoneAway):
        self._reason = event.text or "The server takes no more calls on this connection."
        self._retry_after = event.retry_after_ms / 1e3
      return
    if answers is not None:
      answers.put_nowait(event)

  def _flush(self) -> None:
    output = self._machine.take_output()
    if output and self._transport is not None:
      self._transport.write(output)

  def _notify(self) -> None:
    if self._machine.is_leaving and not self._answers and self._transport is not None:
      self._transport.close()
    waiters, self._waiters = self._waiters, []
    for waiter in waiters:
      if not waiter.done():
        waiter.set_result(None)

  async def _wait_for(self, is_met: Callable[[], bool], deadline: float | None) -> None:
    """Waits for a condition. Raises ``TimeoutError`` at the deadline."""
    while not is_met():
      waiter = asyncio.get_running_loop().create_future()
      self._waiters.append(waiter)
      remaining = None if deadline is None else deadline - time.monotonic()
      try:
        await asyncio.wait_for(waiter, remaining)
      except asyncio.TimeoutError:
        raise TimeoutError from None

  def _look(self) -> None:
    """Looks for signs of life while calls are in flight, and asks for one when there are none."""
    quiet_for = time.monotonic() - self._heard_at if self._answers else 0
    if quiet_for >= SILENCE_SECONDS + PONG_SECONDS and self._transport is not None:
      self._reason = "The server gave no sign of life."
      self._transport.abort()
      return
    if quiet_for >= SILENCE_SECONDS and not self._is_asked:
      self._is_asked = True
      self._machine.ping()
      self._flush()
    self._watch = asyncio.get_running_loop().call_later(PONG_SECONDS / 4, self._look)

  def _end(self) -> None:
    if self._watch is not None:
      self._watch.cancel()
    for event in self._machine.close(self._reason):
      self._deliver(event)
    self._notify()
