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
  client = kind(address)
  assert (client._host, client._port) == expected


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
