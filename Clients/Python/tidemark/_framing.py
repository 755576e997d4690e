"""Frames and their bytes, as docs/PROTOCOL.md section 2 describes them. Nothing here does I/O."""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Iterator

PREFACE = b"TDMK\x01\x00\x00\x00"
STREAM_MAX = 2_147_483_647
CREDIT_MAX = 2_147_483_647
META_BYTES_MAX = 8_192
COMPRESS_BYTES_MIN = 1_024
INFLATE_RATIO_MAX = 100

_HEADER = struct.Struct(">IBBHI")
_IGNORABLE_TYPE = 0x80


class FrameType(IntEnum):
  HELLO = 1
  CALL = 2
  DATA = 3
  REPLY = 4
  CANCEL = 5
  CREDIT = 6
  PING = 7
  GOAWAY = 8


class ErrorCode(IntEnum):
  """The codes of CANCEL and GOAWAY."""

  NONE = 0
  PROTOCOL_VIOLATION = 1
  FRAME_TOO_LARGE = 2
  FLOW_CONTROL = 3
  VERSION = 4
  CALM = 5
  TIMEOUT = 6
  CANCELLED = 7
  REFUSED = 8
  STREAM_CLOSED = 9
  MESSAGE_TOO_LARGE = 10
  COMPRESSION = 11
  INTERNAL = 12

  @classmethod
  def of(cls, number: int) -> "ErrorCode":
    """The code with this number; ``INTERNAL`` for a number that no code has."""
    return cls(number) if 0 <= number <= 12 else cls.INTERNAL


END = 0x01
META = 0x02
COMPRESSED = 0x04
MORE = 0x08
PONG = 0x01


class ProtocolError(Exception):
  """The peer broke a rule of the framing: the connection ends, with ``code`` in a GOAWAY."""

  def __init__(self, code: ErrorCode, text: str) -> None:
    super().__init__(text)
    self.code = code


class InflateError(Exception):
  """A compressed message is damaged, too large, or grows too much: its call fails."""


@dataclass(frozen=True, slots=True)
class Frame:
  """One frame. ``aux`` is a method, status or error code, or 0."""

  type: int
  flags: int = 0
  aux: int = 0
  stream: int = 0
  payload: bytes = b""


def encode(frame: Frame) -> bytes:
  """The bytes of a frame."""
  return _HEADER.pack(len(frame.payload), frame.type, frame.flags, frame.aux, frame.stream) + frame.payload


def encode_call(
  stream: int, method: int, message: bytes, meta: bytes, frame_bytes_max: int, is_compressed: bool = False
) -> Iterator[bytes]:
  """The frames of one CALL without further messages, each with at most ``frame_bytes_max`` bytes of payload.

  The metadata goes into the first frame and is left out when it is empty.
  """
  head = struct.pack(">H", len(meta)) + meta if meta else b""
  flags = (META if meta else 0) | (COMPRESSED if is_compressed else 0)
  offset = frame_bytes_max - len(head)
  payload = head + message[:offset]
  while offset < len(message):
    yield encode(Frame(FrameType.CALL, flags | MORE, method, stream, payload))
    flags, method = 0, 0
    payload = message[offset : offset + frame_bytes_max]
    offset += frame_bytes_max
  yield encode(Frame(FrameType.CALL, flags | END, method, stream, payload))


class FrameDecoder:
  """Cuts bytes into frames, however they arrive. Frames of later versions (types from 0x80 on) are skipped."""

  def __init__(self, frame_bytes_max: int) -> None:
    self._frame_bytes_max = frame_bytes_max
    self._buffer = bytearray()

  def feed(self, data: bytes) -> Iterator[Frame]:
    """The frames that are complete with ``data``.

    Raises ``ProtocolError`` as soon as a header announces more than the limit.
    """
    self._buffer += data
    offset = 0
    try:
      while len(self._buffer) - offset >= _HEADER.size:
        length, kind, flags, aux, stream = _HEADER.unpack_from(self._buffer, offset)
        if length > self._frame_bytes_max:
          raise ProtocolError(ErrorCode.FRAME_TOO_LARGE, f"A frame of {length} bytes is announced.")
        end = offset + _HEADER.size + length
        if len(self._buffer) < end:
          return
        payload = bytes(memoryview(self._buffer)[offset + _HEADER.size : end])
        offset = end
        if kind < _IGNORABLE_TYPE:
          yield Frame(kind, flags, aux, stream, payload)
    finally:
      del self._buffer[:offset]


def split_meta(payload: bytes) -> tuple[bytes, bytes]:
  """Metadata and message of a payload that begins with metadata. Raises ``ProtocolError`` when the metadata is cut off."""
  if len(payload) < 2:
    raise ProtocolError(ErrorCode.PROTOCOL_VIOLATION, "The metadata is cut off.")
  end = 2 + int.from_bytes(payload[:2], "big")
  if len(payload) < end:
    raise ProtocolError(ErrorCode.PROTOCOL_VIOLATION, "The metadata is cut off.")
  return payload[2:end], payload[end:]


def compress(message: bytes, level: int = 1) -> bytes | None:
  """The message as one zlib stream, or ``None`` when that is not worth it or a receiver would take it for a bomb."""
  if len(message) < COMPRESS_BYTES_MIN:
    return None
  squeezed = zlib.compress(message, level)
  if len(squeezed) >= len(message) or len(message) > len(squeezed) * INFLATE_RATIO_MAX:
    return None
  return squeezed


def inflate(message: bytes, message_bytes_max: int) -> bytes:
  """The content of one zlib stream. Never holds much more than the limit. Raises ``InflateError``."""
  limit = min(message_bytes_max, len(message) * INFLATE_RATIO_MAX)
  inflater = zlib.decompressobj()
  try:
    content = inflater.decompress(message, limit + 1)
  except zlib.error as error:
    raise InflateError("The compressed message is damaged.") from error
  if len(content) > limit:
    raise InflateError("The compressed message grows too much.")
  if not inflater.eof or inflater.unused_data:
    raise InflateError("The compressed message is cut off or followed by further bytes.")
  return content
