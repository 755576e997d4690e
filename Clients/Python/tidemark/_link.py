"""A connection over a socket, shared by threads: one thread of its own moves the bytes, callers wait in queues."""

import queue
import selectors
import socket
import threading
import time
from typing import Union

from ._connection import Broken, Connection, Ended, Event, GoneAway, Limits, Message, Ready
from ._framing import ErrorCode
from .errors import LinkClosed

Answer = Union[Message, Ended, Broken]

_RECEIVE_BYTES = 262_144
SILENCE_SECONDS = 30.0
PONG_SECONDS = 20.0


class Link:
  """One connection to the server. Every method may be called from any thread."""

  def __init__(self, host: str, port: int, limits: Limits, timeout: float) -> None:
    """Connects and waits for the server's HELLO, for at most ``timeout`` seconds. Raises ``LinkClosed``."""
    try:
      self._socket = socket.create_connection((host, port), timeout)
    except OSError as error:
      raise LinkClosed(f"There is no connection to {host}:{port}: {error}") from error
    self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    self._socket.setblocking(False)
    self._wake_reader, self._wake_writer = socket.socketpair()
    self._wake_reader.setblocking(False)
    self._wake_writer.setblocking(False)
    self._state = threading.Condition()
    self._machine = Connection(limits)
    self._unsent = bytearray()
    self._answers: dict[int, queue.SimpleQueue[Answer]] = {}
    self._reason = "The connection was lost."
    self._retry_after = 0.0
    self._is_stopping = False
    self._thread = threading.Thread(target=self._run, name="tidemark", daemon=True)
    with self._state:
      self._flush()
    self._thread.start()
    with self._state:
      self._state.wait_for(lambda: self._machine.is_ready or not self._machine.is_usable, timeout)
      if self._machine.is_ready:
        return
      self._reason = "The server did not answer in time." if self._machine.is_usable else self._reason
    self.close()
    raise LinkClosed(self._reason, self._retry_after)

  @property
  def is_usable(self) -> bool:
    with self._state:
      return self._machine.is_usable

  @property
  def server_limits(self) -> Limits:
    """What the server's HELLO said."""
    return self._machine.peer

  def call(
    self, method: int, content: bytes, *, deadline: float | None, authorization: str, attempt: int, compresses: bool
  ) -> tuple[int, "queue.SimpleQueue[Answer]"]:
    """Sends a call once a slot is free; what comes back appears in the queue.

    ``deadline`` is a moment of ``time.monotonic``. Raises ``LinkClosed`` when it cannot be sent, ``TimeoutError`` when the
    deadline passes before, ``ValueError`` when it is too large; in all three cases nothing was sent.
    """
    with self._state:
      remaining = None if deadline is None else deadline - time.monotonic()
      if not self._state.wait_for(lambda: self._machine.has_slot or not self._machine.is_usable, remaining):
        raise TimeoutError
      if not self._machine.is_usable:
        raise LinkClosed(self._reason, self._retry_after)
      remaining = None if deadline is None else deadline - time.monotonic()
      if remaining is not None and remaining <= 0:
        raise TimeoutError
      stream = self._machine.call(
        method, content, timeout_us=0 if remaining is None else max(1, int(remaining * 1e6)), authorization=authorization,
        attempt=attempt, compresses=compresses)
      answers = self._answers[stream] = queue.SimpleQueue()
      self._flush()
      return stream, answers

  def took(self, stream: int) -> None:
    with self._state:
      self._machine.took(stream)
      self._flush()

  def cancel(self, stream: int, code: ErrorCode = ErrorCode.CANCELLED) -> None:
    """Ends a call that nobody waits for any more; does nothing when it has ended."""
    with self._state:
      self._machine.cancel(stream, code)
      self._answers.pop(stream, None)
      self._state.notify_all()
      self._flush()

  def leave(self) -> None:
    """Takes no more calls; ends when those in flight have ended."""
    with self._state:
      self._machine.leave()
      self._flush()
      self._wake()

  def close(self) -> None:
    """Ends the connection. Calls in flight are broken."""
    with self._state:
      self._machine.leave()
      self._flush()
      self._is_stopping = True
      self._wake()
    if self._thread is not threading.current_thread():
      self._thread.join()

  # Below: called with the lock held, or by the thread

  def _wake(self) -> None:
    try:
      self._wake_writer.send(b"\0")
    except OSError:
      pass  # the pipe is full, so the thread will wake; or it has ended

  def _flush(self) -> None:
    """Sends what the socket takes now. The thread sends the rest, so nobody waits here, and reading never stops."""
    had_unsent = bool(self._unsent)
    self._unsent += self._machine.take_output()
    if not had_unsent:
      self._send_some()
      if self._unsent:
        self._wake()

  def _send_some(self) -> None:
    try:
      while self._unsent:
        del self._unsent[: self._socket.send(self._unsent)]
    except (BlockingIOError, InterruptedError):
      pass
    except OSError:
      self._unsent.clear()  # reading will show that the connection is gone, and may still find answers

  def _run(self) -> None:
    selector = selectors.DefaultSelector()
    selector.register(self._wake_reader, selectors.EVENT_READ)
    selector.register(self._socket, selectors.EVENT_READ)
    heard_at, is_asked = time.monotonic(), False
    try:
      while True:
        with self._state:
          if self._is_stopping or (self._machine.is_leaving and not self._answers and not self._unsent):
            return
          wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
          patience = SILENCE_SECONDS + (PONG_SECONDS if is_asked else 0) if self._answers else None
        selector.modify(self._socket, wanted)
        quiet_for = time.monotonic() - heard_at
        ready = selector.select(None if patience is None else max(0, patience - quiet_for))
        for key, mask in ready:
          if key.fileobj is self._wake_reader:
            self._drain_wakes()
            continue
          if mask & selectors.EVENT_WRITE:
            with self._state:
              self._send_some()
          if mask & selectors.EVENT_READ:
            heard_at, is_asked = time.monotonic(), False
            if not self._read():
              return
        if patience is not None and time.monotonic() - heard_at >= patience:
          if is_asked:
            self._reason = "The server gave no sign of life."
            return
          is_asked = self._ask()
    except OSError as error:
      self._reason = f"The connection was lost: {error}"
    finally:
      self._end(selector)

  def _drain_wakes(self) -> None:
    try:
      self._wake_reader.recv(4_096)
    except BlockingIOError:
      pass

  def _ask(self) -> bool:
    with self._state:
      self._machine.ping()
      self._flush()
    return True

  def _read(self) -> bool:
    """Takes what arrived. False when the connection has ended."""
    try:
      data = self._socket.recv(_RECEIVE_BYTES)
    except (BlockingIOError, InterruptedError):
      return True
    if not data:
      return False
    with self._state:
      for event in self._machine.receive(data):
        self._deliver(event)
      self._flush()
      return not self._machine.is_closed

  def _deliver(self, event: Event) -> None:
    if isinstance(event, Message):
      answers = self._answers.get(event.stream)
      if answers is not None:
        answers.put(event)
    elif isinstance(event, (Ended, Broken)):
      answers = self._answers.pop(event.stream, None)
      if answers is not None:
        answers.put(event)
      self._state.notify_all()
    else:
      if isinstance(event, GoneAway):
        self._reason = event.text or "The server takes no more calls on this connection."
        self._retry_after = event.retry_after_ms / 1e3
      self._state.notify_all()

  def _end(self, selector: selectors.BaseSelector) -> None:
    with self._state:
      for event in self._machine.close(self._reason):
        self._deliver(event)
      self._state.notify_all()
    selector.close()
    for each in (self._socket, self._wake_reader, self._wake_writer):
      each.close()
