"""The framing without a socket: the vectors of Tests/Fixtures/frames, and what a wrong server could send."""

import random
import struct
import uuid
import zlib
from datetime import datetime
from pathlib import Path

import pytest

from tidemark import Json, Limits, Retry, StatusCode, TidemarkError, make_operation_id
from tidemark._calls import failure, server_info
from tidemark._connection import Broken, Connection, Ended, GoneAway, Message, Ready, _Stream
from tidemark._framing import END, META, MORE, ErrorCode, Frame, FrameType, InflateError, compress, encode, encode_call, inflate
from tidemark._messages import METHODS, message
from tidemark.values import from_value, to_value

VECTORS = Path(__file__).parents[3] / "Tests" / "Fixtures" / "frames"
HELLO = encode(Frame(FrameType.HELLO))


def vector(name: str, side: str) -> bytes:
  """What one side sends in a vector: ``>`` for the client, ``<`` for the server."""
  lines = (VECTORS / f"{name}.hex").read_text().splitlines()
  return bytes.fromhex("".join(line[1:] for line in lines if line.startswith(side)))


def connection(calls: int = 1, limits: Limits = Limits(can_inflate=True)) -> Connection:
  """A connection after the handshake with this many calls in flight."""
  made = Connection(limits)
  assert made.receive(HELLO) == [Ready()]
  for _ in range(calls):
    made.call(40, b"hi")
  made.take_output()
  return made


def test_calls_have_the_bytes_of_the_vectors():
  meta = message("CallMeta")(timeout_us=5_000_000, authorization="Bearer tmk_example", attempt=1).SerializeToString()
  assert b"".join(encode_call(1, 40, b"hi", meta, 65_536)) == vector("unary-call-metadata", ">")[20:]
  assert b"".join(encode_call(1, 40, b"hi", b"", 65_536)) == vector("unary-call", ">")[20:]
  squeezed = vector("unary-call-compressed", ">")[32:]
  assert inflate(squeezed, 4_000) == b"tidemark " * 200
  assert b"".join(encode_call(1, 40, squeezed, b"", 65_536, True)) == vector("unary-call-compressed", ">")[20:]


@pytest.mark.parametrize("name", sorted(path.stem for path in VECTORS.glob("*.hex") if not path.stem.startswith("invalid-")))
def test_what_the_server_sends_in_the_vectors_breaks_no_rule(name):
  sent = vector(name, "<")
  for step in (1, 7, len(sent)):
    client = Connection(Limits(can_inflate=True))
    for _ in range(151):
      client._last_stream += 2
      client._streams[client._last_stream] = _Stream(allowed=65_536)
    events = [event for start in range(0, len(sent), step) for event in client.receive(sent[start : start + step])]
    assert events[0] == Ready() and not client.is_closed, events


def test_a_stream_arrives_as_in_the_vector():
  client = connection(1, Limits(stream_credit_bytes=4))
  frames = vector("server-stream-credit", "<")[12 + 0x21 :]
  assert client.receive(frames[:16]) == []
  assert client.take_output() == vector("server-stream-credit", ">")[-16:]
  assert client.receive(frames[16:30]) == [Message(1, b"abcdef")]
  client.took(1)
  client.receive(frames[30:44])
  client.take_output()
  assert client.receive(frames[44:]) == [Message(1, b"abcdef"), Ended(1, 0, b"")]


def test_fragments_are_cut_at_the_limit_and_put_together_again():
  dice = random.Random(3)
  for size in (0, 1, 16_370, 16_384, 16_385, 100_000):
    content = dice.randbytes(size)
    frames = list(encode_call(1, 40, content, b"meta", 16_384))
    assert all(len(frame) <= 16_384 + 12 for frame in frames)
    flags = [frame[5] for frame in frames]
    assert flags[0] & META and all(flag & MORE for flag in flags[:-1]) and flags[-1] & END and not flags[-1] & MORE
    replies = [frame[:4] + b"\x04" + frame[5:6] + (b"\0\0") + frame[8:] for frame in frames]
    assert connection().receive(b"".join(replies)) == [Ended(1, 0, content)]


def reply(flags: int = END, aux: int = 0, stream: int = 1, payload: bytes = b"", kind: int = FrameType.REPLY) -> bytes:
  return encode(Frame(kind, flags, aux, stream, payload))


@pytest.mark.parametrize("frame, code", [
  (HELLO, 1),
  (reply(kind=FrameType.CALL), 1),
  (reply(kind=0), 1),
  (reply(kind=0x7F), 1),
  (reply(flags=0), 1),
  (reply(flags=END | MORE), 1),
  (reply(flags=END | 0x80), 1),
  (reply(stream=2), 1),
  (reply(stream=0), 1),
  (reply(stream=3), 1),
  (reply(stream=0x80000001), 1),
  (reply(flags=END | META, payload=b"\0\x05abc"), 1),
  (reply(kind=FrameType.DATA, flags=END), 1),
  (reply(kind=FrameType.DATA, flags=META), 1),
  (reply(kind=FrameType.DATA, flags=0, aux=1), 1),
  (reply(kind=FrameType.DATA, flags=MORE, payload=b"x") + reply(), 1),
  (reply(flags=MORE, payload=b"x") + reply(aux=5), 1),
  (reply(kind=FrameType.CANCEL, flags=0, payload=b"x"), 1),
  (reply(kind=FrameType.PING, flags=0, stream=0, payload=b"x"), 1),
  (reply(kind=FrameType.PING, flags=0, payload=bytes(8)), 1),
  (reply(kind=FrameType.GOAWAY, flags=0, stream=1), 1),
  (reply(kind=FrameType.GOAWAY, flags=0, stream=0, payload=b"\xff"), 1),
  (reply(kind=FrameType.CREDIT, flags=0, payload=bytes(4)), 3),
  (reply(kind=FrameType.CREDIT, flags=0, payload=b"\xff" * 4), 3),
  (reply(kind=FrameType.DATA, flags=0, payload=bytes(40_000)) * 2, 3),
  (struct.pack(">IBBHI", 65_537, 4, 1, 0, 1), 2),
])
def test_a_server_that_breaks_a_rule_is_told_and_left(frame, code):
  client = connection()
  client.receive(frame)
  assert client.is_closed
  output = client.take_output()
  assert cut(output)[-1][4:8] == struct.pack(">BBH", FrameType.GOAWAY, 0, code)


def test_no_bytes_at_all_can_make_the_connection_raise():
  seed = random.randrange(2**32)
  print("seed", seed)
  dice = random.Random(seed)
  for _ in range(3_000):
    client = connection(3)
    for _ in range(dice.randrange(1, 6)):
      kind, flags = dice.choice((1, 3, 4, 4, 5, 6, 7, 8, 0x80)), dice.choice((0, 1, 2, 4, 5, 8, 3, dice.randrange(256)))
      payload = dice.randbytes(dice.choice((0, 4, 8, 30)))
      frame = encode(Frame(kind, flags, dice.choice((0, 0, 4, 8, 99)), dice.randrange(8), payload))
      for event in client.receive(frame):
        if isinstance(event, Message):
          client.took(event.stream)
    client.close()


def test_credit_is_given_back_to_the_stream_and_to_the_connection():
  client = connection(1, Limits(stream_credit_bytes=1_000, connection_credit_bytes=1_000))
  for _ in range(1_000):
    events = client.receive(reply(kind=FrameType.DATA, flags=0, payload=bytes(700)))
    assert events == [Message(1, bytes(700))], client.is_closed
    client.took(1)
  # a message of which nobody took the one before is not given credit for; after that it is
  assert client.receive(reply(kind=FrameType.DATA, flags=0, payload=bytes(400))) == [Message(1, bytes(400))]
  client.take_output()
  client.receive(reply(kind=FrameType.DATA, flags=MORE, payload=bytes(600)))
  assert client.take_output() == b""
  client.took(1)
  assert sorted(frame[-4:] for frame in cut(client.take_output())) == [(1_000).to_bytes(4, "big")] * 2


def test_credit_of_streams_that_ended_goes_to_the_connection():
  client = connection(1, Limits(connection_credit_bytes=1_000))
  client.receive(reply(kind=FrameType.DATA, flags=0, payload=bytes(300)))
  client.cancel(1)
  client.take_output()
  client.receive(reply(kind=FrameType.DATA, flags=0, payload=bytes(300)))
  assert client.take_output() == encode(Frame(FrameType.CREDIT, stream=0, payload=(600).to_bytes(4, "big")))


def test_streams_that_nobody_reads_do_not_keep_the_credit_of_others():
  client = connection(2, Limits(connection_credit_bytes=1_000))
  client.receive(reply(kind=FrameType.DATA, flags=0, payload=bytes(300), stream=3))
  client.took(3)
  assert client.take_output() == b""
  client.receive(reply(kind=FrameType.DATA, flags=0, payload=bytes(600), stream=1))
  assert client.take_output() == encode(Frame(FrameType.CREDIT, payload=(300).to_bytes(4, "big")))
  for _ in range(100):
    assert client.receive(reply(kind=FrameType.DATA, flags=0, payload=bytes(400), stream=3)) == [Message(3, bytes(400))]
    client.took(3)


def cut(data: bytes) -> list[bytes]:
  frames = []
  while data:
    end = 12 + int.from_bytes(data[:4], "big")
    frames.append(data[:end])
    data = data[end:]
  return frames


def test_ping_is_answered_and_pong_is_not():
  client = connection()
  client.receive(reply(kind=FrameType.PING, flags=0, stream=0, payload=b"12345678"))
  assert client.take_output() == vector("ping", "<")[12 + 0x21 :]
  client.receive(reply(kind=FrameType.PING, flags=1, stream=0, payload=b"12345678"))
  assert client.take_output() == b""


def test_goaway_sorts_calls_by_its_last_stream():
  client = connection(3)
  goaway = message("GoAway")(last_stream=3, debug="drain", retry_after_ms=5).SerializeToString()
  events = client.receive(reply(kind=FrameType.GOAWAY, flags=0, stream=0, payload=goaway))
  assert events == [GoneAway(ErrorCode.NONE, "drain", 5), Broken(5, ErrorCode.NONE, True, "drain")]
  assert not client.has_slot and not client.is_closed
  assert client.receive(reply(stream=3)) == [Ended(3, 0, b"")]
  assert client.close("gone") == [Broken(1, ErrorCode.NONE, False, "gone")]


def test_a_refused_call_was_not_executed():
  assert connection().receive(reply(kind=FrameType.CANCEL, flags=0, aux=8)) == [
    Broken(1, ErrorCode.REFUSED, True, "The server refused the call.")]


def test_limits_of_the_server_are_kept():
  client = Connection()
  hello = message("Hello")(frame_bytes_max=16_384, message_bytes_max=20_000, calls_in_flight_max=1).SerializeToString()
  client.receive(encode(Frame(FrameType.HELLO, payload=hello)))
  client.take_output()
  client.call(40, bytes(20_000))
  assert [len(frame) for frame in cut(client.take_output())] == [12 + 16_384, 12 + 3_616] and not client.has_slot
  with pytest.raises(ValueError):
    client.call(40, bytes(20_001))


def test_compression_is_bounded_both_ways():
  text = random.Random(1).randbytes(5_000).hex().encode()
  assert inflate(compress(text), len(text)) == text
  for unfit in (b"x" * 1_023, bytes(1_000_000), random.Random(1).randbytes(5_000)):
    assert compress(unfit) is None
  for bad in (zlib.compress(bytes(1_000_000)), compress(text)[:-1], compress(text) + b"x", b"nonsense"):
    with pytest.raises(InflateError):
      inflate(bad, 4_000_000)
  with pytest.raises(InflateError):
    inflate(compress(text), len(text) - 1)
  client = connection()
  assert client.receive(reply(flags=END | 4, payload=compress(text))) == [Ended(1, 0, text)]
  assert connection().receive(reply(flags=END | 4, payload=b"nonsense"))[0].code == ErrorCode.COMPRESSION


def test_methods_have_the_numbers_of_their_option():
  assert {name: method.number for name, method in METHODS.items()} == {
    "Create": 1, "Get": 2, "BatchGet": 3, "Update": 4, "Replace": 5, "Delete": 6, "Restore": 7, "GetOrCreate": 8, "List": 9,
    "BulkWrite": 10, "GetOutcomes": 11, "UndoWrites": 12,
    "CreateSpace": 20, "ListSpaces": 21, "DeleteSpace": 22, "GetSpace": 23, "VerifySpace": 24, "CreateToken": 30,
    "ListTokens": 31,
    "RevokeToken": 32, "Echo": 40, "GetServerInfo": 41,
    "Pull": 50, "Exchange": 51, "Watch": 52, "ApplySchema": 60, "GetSchema": 61, "RollbackSchema": 62}
  assert {name for name, method in METHODS.items() if method.is_stream} == {"List", "VerifySpace", "Watch"}


def test_operation_ids_are_of_version_7_and_in_order_of_time():
  made = [uuid.UUID(make_operation_id()) for _ in range(1_000)]
  assert all(each.version == 7 and each.variant == uuid.RFC_4122 for each in made) and len(set(made)) == 1_000
  assert [each.int >> 80 for each in made] == sorted(each.int >> 80 for each in made)


def test_values_without_a_place_are_refused():
  unfit = ((2**63, ValueError), (object(), TypeError), (datetime(2026, 1, 1), ValueError), ({"a": float("nan")}, ValueError))
  for bad, error in unfit:
    with pytest.raises(error):
      to_value(bad)
  assert from_value(to_value({"a": [1]})) == Json('{"a":[1]}')
  assert from_value(to_value([[1], {"a": None}])) == Json('[[1],{"a":null}]')
  assert from_value(to_value(True)) is True and type(from_value(to_value(1.0))) is float


@pytest.mark.parametrize("code, is_not_executed, is_repeatable, retry_after, is_retried", [
  (StatusCode.UNAVAILABLE, False, True, 0, True),
  (StatusCode.UNAVAILABLE, False, False, 0, False),
  (StatusCode.UNAVAILABLE, True, False, 0.5, True),
  (StatusCode.DEADLINE_EXCEEDED, False, True, 0, True),
  (StatusCode.CANCELLED, False, True, 0, True),
  (StatusCode.RESOURCE_EXHAUSTED, False, True, 0, True),
  (StatusCode.RESOURCE_EXHAUSTED, True, True, 0, False),
  (StatusCode.RESOURCE_EXHAUSTED, True, False, 5, True),
  (StatusCode.INVALID_ARGUMENT, True, True, 0, False),
  (StatusCode.ABORTED, False, True, 0, False),
  (StatusCode.INTERNAL, False, True, 0, False),
  (StatusCode.NOT_FOUND, False, True, 0, False),
])
def test_only_what_is_safe_is_retried(code, is_not_executed, is_repeatable, retry_after, is_retried):
  error = TidemarkError(code, "", is_not_executed=is_not_executed, retry_after_seconds=retry_after)
  pause = Retry().pause(error, is_repeatable, 1)
  assert (pause is not None) == is_retried and (pause is None or retry_after <= pause <= retry_after + 2)
  assert Retry(attempts_max=1).pause(error, is_repeatable, 1) is None


def test_the_pause_of_a_busy_server_is_read_from_its_status():
  status = message("google.rpc.Status")(code=8, message="busy")
  for detail in (message("google.rpc.ErrorInfo")(reason="NOT_EXECUTED", domain="tidemark"),
                 message("google.rpc.RetryInfo")(retry_delay={"nanos": 200_000_000})):
    status.details.add(type_url=f"type.googleapis.com/{detail.DESCRIPTOR.full_name}", value=detail.SerializeToString())
  error = failure(server_info(), Ended(1, 8, status.SerializeToString()))
  assert (error.is_not_executed, error.retry_after_seconds, error.reason) == (True, 0.2, "NOT_EXECUTED")
