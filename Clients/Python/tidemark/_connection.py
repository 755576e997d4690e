"""The client's side of one connection as a value: bytes and calls in, bytes and events out. No socket, no clock, no thread.

A stream goes through these states::

    open ── DATA ──> open            a message of a server stream; its bytes are credit that the application gives back
    open ── REPLY with END ──> closed
    open ── CANCEL, from either side ──> closed
    open ── GOAWAY below its number, end of the connection ──> closed

Exactly one ``Ended`` or ``Broken`` is made for each call, except for one that ``cancel`` closed.
"""

from collections import deque
from dataclasses import dataclass, field, fields
from typing import Union

from . import _framing as framing
from ._framing import ErrorCode, Frame, FrameType, ProtocolError
from ._messages import message

_Hello = message("Hello")
_CallMeta = message("CallMeta")
_GoAway = message("GoAway")


@dataclass(frozen=True)
class Limits:
  """What one side of a connection takes in, as its HELLO says."""

  frame_bytes_max: int = 65_536
  message_bytes_max: int = 4_194_304
  calls_in_flight_max: int = 128
  stream_credit_bytes: int = 65_536
  connection_credit_bytes: int = 1_048_576
  can_inflate: bool = False
  bulk_items_max: int = 1_000


@dataclass(frozen=True)
class Ready:
  """The server's HELLO came."""


@dataclass(frozen=True)
class Message:
  """A message of a server stream. ``Connection.took`` must follow when the application has it."""

  stream: int
  content: bytes


@dataclass(frozen=True)
class Ended:
  """The server's REPLY: a response when ``status`` is 0, else a ``google.rpc.Status``."""

  stream: int
  status: int
  content: bytes


@dataclass(frozen=True)
class Broken:
  """A call ended without a reply. ``is_not_executed`` when that is certain."""

  stream: int
  code: ErrorCode
  is_not_executed: bool
  text: str


@dataclass(frozen=True)
class GoneAway:
  """The server takes no more calls on this connection."""

  code: ErrorCode
  text: str
  retry_after_ms: int


Event = Union[Ready, Message, Ended, Broken, GoneAway]


@dataclass
class _Incoming:
  """A message that arrives."""

  type: int
  status: int
  is_compressed: bool
  parts: list[bytes]
  bytes_count: int = 0
  held_credit: int = 0


@dataclass
class _Stream:
  """A call in flight. ``allowed``: what the server may still send; ``waiting``: the credit of each message that nobody took."""

  allowed: int
  incoming: _Incoming | None = None
  waiting: deque[int] = field(default_factory=deque)
  owed: int = 0


class Connection:
  """The state of a connection. It is not safe to use from several threads at once."""

  def __init__(self, limits: Limits = Limits(can_inflate=True), name: str = "tidemark-python") -> None:
    self.limits = limits
    self.peer = Limits()
    self.is_ready = False
    self.is_closed = False
    self.is_leaving = False
    self._decoder = framing.FrameDecoder(limits.frame_bytes_max)
    self._streams: dict[int, _Stream] = {}
    self._last_stream = -1
    self._allowed = limits.connection_credit_bytes
    self._owed = 0
    hello = _Hello(
      frame_bytes_max=limits.frame_bytes_max,
      message_bytes_max=limits.message_bytes_max,
      stream_credit_bytes=limits.stream_credit_bytes,
      connection_credit_bytes=limits.connection_credit_bytes,
      compressions=["deflate"] if limits.can_inflate else [],
      name=name,
    )
    self._output = bytearray(framing.PREFACE)
    self._send(FrameType.HELLO, payload=hello.SerializeToString())

  # What the application does

  @property
  def has_slot(self) -> bool:
    """Whether a call may be sent now."""
    return self.is_usable and len(self._streams) < self.peer.calls_in_flight_max

  @property
  def is_usable(self) -> bool:
    """Whether this connection takes calls at all."""
    return not self.is_closed and not self.is_leaving and self._last_stream + 2 <= framing.STREAM_MAX

  def call(
    self, method: int, content: bytes, *, timeout_us: int = 0, authorization: str = "", attempt: int = 0, compresses: bool = False
  ) -> int:
    """Sends a call and returns its stream. Needs ``has_slot``. Raises ``ValueError`` when it is larger than the server takes."""
    if len(content) > self.peer.message_bytes_max:
      raise ValueError(f"The message has {len(content)} bytes; the server takes {self.peer.message_bytes_max}.")
    meta = _CallMeta(timeout_us=timeout_us, authorization=authorization, attempt=attempt).SerializeToString()
    if len(meta) > framing.META_BYTES_MAX:
      raise ValueError(f"The metadata has {len(meta)} bytes; the server takes {framing.META_BYTES_MAX}.")
    self._last_stream += 2
    stream = self._last_stream
    self._streams[stream] = _Stream(allowed=self.limits.stream_credit_bytes)
    squeezed = framing.compress(content) if compresses and self.peer.can_inflate else None
    frames = framing.encode_call(
      stream, method, content if squeezed is None else squeezed, meta, self.peer.frame_bytes_max, squeezed is not None)
    for frame in frames:
      self._output += frame
    return stream

  def cancel(self, stream: int, code: ErrorCode = ErrorCode.CANCELLED) -> None:
    """Says that nobody waits for the answer. Nothing more is heard of the call."""
    state = self._streams.pop(stream, None)
    if state is None or self.is_closed:
      return
    self._release(state)
    self._send(FrameType.CANCEL, aux=code, stream=stream)

  def took(self, stream: int) -> None:
    """The application took the oldest message of this stream: its bytes become credit again."""
    state = self._streams.get(stream)
    if state is None or not state.waiting:
      return  # the call has ended, and its credit was given back then
    count = state.waiting.popleft()
    if not state.waiting and state.incoming is not None:
      count += state.incoming.held_credit
      state.incoming.held_credit = 0
    self._give_back(stream, state, count)

  def ping(self, content: bytes = bytes(8)) -> None:
    """Asks for a sign of life: 8 bytes."""
    self._send(FrameType.PING, payload=content)

  def leave(self) -> None:
    """Says that no calls will follow. Those in flight are still answered."""
    if not self.is_closed and not self.is_leaving:
      self.is_leaving = True
      self._send(FrameType.GOAWAY)

  def take_output(self) -> bytes:
    """What is to be sent; it is empty afterwards."""
    output = bytes(self._output)
    self._output.clear()
    return output

  # What the server does

  def receive(self, data: bytes) -> list[Event]:
    """Takes bytes from the server. When they break a rule the connection is closed, with a GOAWAY in the output."""
    events: list[Event] = []
    if self.is_closed:
      return events
    try:
      for frame in self._decoder.feed(data):
        self._receive(frame, events)
    except ProtocolError as error:
      self._send(FrameType.GOAWAY, aux=error.code, payload=_GoAway(debug=str(error)).SerializeToString())
      events += self.close(f"The server broke the protocol: {error}", error.code)
    return events

  def close(self, text: str = "The connection was lost.", code: ErrorCode = ErrorCode.NONE) -> list[Event]:
    """The connection has ended: what became of the calls in flight is unknown."""
    if self.is_closed:
      return []
    self.is_closed = True
    streams, self._streams = self._streams, {}
    return [Broken(stream, code, False, text) for stream in streams]

  def _receive(self, frame: Frame, events: list[Event]) -> None:
    if not self.is_ready and frame.type not in (FrameType.HELLO, FrameType.GOAWAY):
      raise ProtocolError(ErrorCode.PROTOCOL_VIOLATION, "The first frame is no HELLO.")
    if frame.type == FrameType.DATA:
      self._check(frame, flags=framing.COMPRESSED | framing.MORE)
      self._receive_data(frame, events)
    elif frame.type == FrameType.REPLY:
      self._check(frame, flags=framing.END | framing.META | framing.COMPRESSED | framing.MORE, has_aux=True)
      self._receive_reply(frame, events)
    elif frame.type == FrameType.CANCEL:
      self._check(frame, has_aux=True, length=0)
      self._receive_cancel(frame, events)
    elif frame.type == FrameType.CREDIT:
      self._check(frame, length=4, may_be_zero=True)  # no method of today takes a client stream: credit changes nothing
      if not 1 <= int.from_bytes(frame.payload, "big") <= framing.CREDIT_MAX:
        raise ProtocolError(ErrorCode.FLOW_CONTROL, "A credit is 0 or too large.")
    elif frame.type == FrameType.PING:
      self._check(frame, flags=framing.PONG, length=8, may_be_zero=True, must_be_zero=True)
      if not frame.flags & framing.PONG:
        self._send(FrameType.PING, flags=framing.PONG, payload=frame.payload)
    elif frame.type == FrameType.GOAWAY:
      self._check(frame, has_aux=True, may_be_zero=True, must_be_zero=True)
      self._receive_goaway(frame, events)
    elif frame.type == FrameType.HELLO:
      self._check(frame, may_be_zero=True, must_be_zero=True)
      self._receive_hello(frame, events)
    else:
      raise ProtocolError(ErrorCode.PROTOCOL_VIOLATION, f"A frame of type {frame.type} is not for clients.")

  def _check(
    self, frame: Frame, *, flags: int = 0, has_aux: bool = False, length: int | None = None, may_be_zero: bool = False,
    must_be_zero: bool = False
  ) -> None:
    """Judges the header of a frame by the rules that all types share."""
    number = frame.stream
    is_known = number % 2 == 1 and number <= self._last_stream
    is_fit = (number == 0 and may_be_zero) or (is_known and not must_be_zero)
    if not is_fit:
      raise ProtocolError(ErrorCode.PROTOCOL_VIOLATION, f"Stream {number} does not fit a frame of type {frame.type}.")
    if frame.flags & ~flags or (frame.aux and not has_aux) or (length is not None and len(frame.payload) != length):
      raise ProtocolError(ErrorCode.PROTOCOL_VIOLATION, f"A frame of type {frame.type} is not well-formed.")

  def _receive_hello(self, frame: Frame, events: list[Event]) -> None:
    if self.is_ready:
      raise ProtocolError(ErrorCode.PROTOCOL_VIOLATION, "A second HELLO came.")
    hello = _parse(_Hello, frame.payload)
    if hello.minor_min or hello.minor_max:
      raise ProtocolError(ErrorCode.VERSION, "The server chose a version that was not offered.")
    said = {n.name: getattr(hello, n.name) for n in fields(Limits) if n.name != "can_inflate" and getattr(hello, n.name)}
    self.peer = Limits(can_inflate="deflate" in hello.compressions, **said)
    self.is_ready = True
    events.append(Ready())

  def _receive_goaway(self, frame: Frame, events: list[Event]) -> None:
    goaway = _parse(_GoAway, frame.payload)
    code = ErrorCode.of(frame.aux)
    self.is_leaving = True
    events.append(GoneAway(code, goaway.debug, goaway.retry_after_ms))
    for stream in [number for number in self._streams if number > goaway.last_stream]:
      self._release(self._streams.pop(stream))
      events.append(Broken(stream, code, True, goaway.debug or "The server takes no more calls on this connection."))

  def _receive_cancel(self, frame: Frame, events: list[Event]) -> None:
    state = self._streams.pop(frame.stream, None)
    if state is not None:
      self._release(state)
      code = ErrorCode.of(frame.aux)
      text = "The server refused the call." if code == ErrorCode.REFUSED else f"The server ended the call with code {frame.aux}."
      events.append(Broken(frame.stream, code, code == ErrorCode.REFUSED, text))

  def _receive_data(self, frame: Frame, events: list[Event]) -> None:
    length = len(frame.payload)
    self._allowed -= length
    state = self._streams.get(frame.stream)
    if state is not None:
      state.allowed -= length
    if self._allowed < 0 or (state is not None and state.allowed < 0):
      raise ProtocolError(ErrorCode.FLOW_CONTROL, "The server sent more than its credit.")
    if state is None:
      self._give_back_connection(length)
      return
    incoming = self._collect(frame, state, frame.payload)
    if incoming is None:
      self._give_back_connection(length)
      self._fail(frame.stream, ErrorCode.MESSAGE_TOO_LARGE, "A message is larger than this client takes.", events)
      return
    incoming.held_credit += length
    self._give_back_connection(0)
    if frame.flags & framing.MORE:
      if not state.waiting:
        self._give_back(frame.stream, state, incoming.held_credit)
        incoming.held_credit = 0
      return
    state.incoming = None
    state.waiting.append(incoming.held_credit)
    try:
      events.append(Message(frame.stream, self._content(incoming)))
    except framing.InflateError as error:
      self._fail(frame.stream, ErrorCode.COMPRESSION, str(error), events)

  def _receive_reply(self, frame: Frame, events: list[Event]) -> None:
    if bool(frame.flags & framing.END) == bool(frame.flags & framing.MORE):
      raise ProtocolError(ErrorCode.PROTOCOL_VIOLATION, "A REPLY needs either END or MORE.")
    state = self._streams.get(frame.stream)
    if state is None:
      return
    if state.incoming is not None and state.incoming.type == FrameType.DATA:
      if frame.aux == 0:
        raise ProtocolError(ErrorCode.PROTOCOL_VIOLATION, "A stream ended well in the middle of a message.")
      self._give_back(frame.stream, state, state.incoming.held_credit)
      state.incoming = None
    is_first = state.incoming is None
    payload = framing.split_meta(frame.payload)[1] if is_first and frame.flags & framing.META else frame.payload
    incoming = self._collect(frame, state, payload)
    if incoming is None:
      self._fail(frame.stream, ErrorCode.MESSAGE_TOO_LARGE, "The answer is larger than this client takes.", events)
    elif frame.flags & framing.END:
      try:
        ended = Ended(frame.stream, incoming.status, self._content(incoming))
      except framing.InflateError as error:
        self._fail(frame.stream, ErrorCode.COMPRESSION, str(error), events)
        return
      self._release(self._streams.pop(frame.stream))
      events.append(ended)

  def _collect(self, frame: Frame, state: _Stream, payload: bytes) -> _Incoming | None:
    """Adds a fragment to the message of its stream; ``None`` when the message grows beyond the limit."""
    incoming = state.incoming
    if incoming is None:
      incoming = state.incoming = _Incoming(frame.type, frame.aux, bool(frame.flags & framing.COMPRESSED), [])
    elif frame.type != incoming.type or frame.aux or frame.flags & ~(framing.END | framing.MORE):
      raise ProtocolError(ErrorCode.PROTOCOL_VIOLATION, "A fragment does not continue the message before it.")
    incoming.parts.append(payload)
    incoming.bytes_count += len(payload)
    return incoming if incoming.bytes_count <= self.limits.message_bytes_max else None

  def _content(self, incoming: _Incoming) -> bytes:
    content = b"".join(incoming.parts)
    if not incoming.is_compressed:
      return content
    if not self.limits.can_inflate:
      raise ProtocolError(ErrorCode.PROTOCOL_VIOLATION, "A message is compressed, which was not agreed on.")
    return framing.inflate(content, self.limits.message_bytes_max)

  def _fail(self, stream: int, code: ErrorCode, text: str, events: list[Event]) -> None:
    self.cancel(stream, code)
    events.append(Broken(stream, code, False, text))

  # Credit

  def _give_back(self, stream: int, state: _Stream, count: int) -> None:
    state.owed += count
    if state.owed and state.owed * 2 >= self.limits.stream_credit_bytes:
      self._send(FrameType.CREDIT, stream=stream, payload=state.owed.to_bytes(4, "big"))
      state.allowed += state.owed
      state.owed = 0
    self._give_back_connection(count)

  def _give_back_connection(self, count: int) -> None:
    """Here half of the initial credit is no good measure: streams that nobody reads may hold more than that for ever."""
    self._owed += count
    if self._owed and self._owed >= self._allowed:
      self._send(FrameType.CREDIT, payload=self._owed.to_bytes(4, "big"))
      self._allowed += self._owed
      self._owed = 0

  def _release(self, state: _Stream) -> None:
    """Gives back to the connection what a call that ended still held."""
    incoming = state.incoming.held_credit if state.incoming is not None else 0
    state.incoming = None
    self._give_back_connection(sum(state.waiting) + incoming)
    state.waiting.clear()

  def _send(self, kind: FrameType, *, flags: int = 0, aux: int = 0, stream: int = 0, payload: bytes = b"") -> None:
    self._output += framing.encode(Frame(kind, flags, aux, stream, payload))


def _parse(kind: type, content: bytes):  # noqa: ANN202: the classes are made at run time
  try:
    return kind.FromString(content)
  except Exception as error:  # DecodeError, whose class differs between runtimes
    raise ProtocolError(ErrorCode.PROTOCOL_VIOLATION, f"A {kind.DESCRIPTOR.name} cannot be read.") from error
