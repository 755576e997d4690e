"""Which addresses are taken, and that everything else is refused at once and in words."""

import pytest

from tidemark import AsyncClient, Client


@pytest.mark.parametrize("address,expected", [
  ("127.0.0.1:8433", ("127.0.0.1", 8433)),
  ("tidemark://127.0.0.1:9/default", ("127.0.0.1", 9)),
  ("tidemark://127.0.0.1:9", ("127.0.0.1", 9)),
  ("localhost", ("localhost", 8433)),
  ("tidemark://localhost/hotel", ("localhost", 8433)),
  ("[::1]:8434", ("::1", 8434)),
  ("tidemark://[::1]:8434/default", ("::1", 8434)),
])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_addresses_that_name_a_server(kind, address, expected):
  assert kind(address)._links.route.addresses == [expected]


@pytest.mark.parametrize("addresses", [
  "a:1,b,[::1]:9", "tidemark://a:1,b,[::1]:9/hotel", ["a:1", "tidemark://b/hotel", "[::1]:9"], ("a:1", "b:8433", "[::1]:9"),
])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_addresses_of_several_servers(kind, addresses):
  assert kind(addresses)._links.route.addresses == [("a", 1), ("b", 8433), ("::1", 9)]


@pytest.mark.parametrize("addresses", [[], "a,", ",a", "a,,b", "a,a:8433", ["a", "a:8433"], "a,http://b", ["a,b"]])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_other_lists_are_refused_in_words(kind, addresses):
  with pytest.raises(ValueError, match="host:port"):
    kind(addresses)


@pytest.mark.parametrize("address", [
  "", ":", ":8433", "localhost:", "localhost:port", "localhost:0", "localhost:65536", "http://localhost:8433", "::1:8433",
  "tidemark://", "tidemark://me@localhost:8433", "localhost:8433/default", "tidemark://localhost:8433/a?b", "local host:1",
  "tidemark:localhost:8433", "localhost:8433#x", "localhost\n:1", None,
])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_other_addresses_are_refused_in_words(kind, address):
  with pytest.raises(ValueError, match="host:port"):
    kind(address)


def test_a_whole_address_reaches_the_server(daemon):
  with Client(f"tidemark://{daemon.address}/default") as client:
    assert client.server_info().version
