"""Reads the address of a server, or of several servers of one store."""

from typing import Sequence, Union
from urllib.parse import urlsplit

PORT_DEFAULT = 8433

#: One address, or the addresses of several servers of one store.
Addresses = Union[str, Sequence[str]]


def parse_addresses(addresses: Addresses) -> Sequence[tuple[str, int]]:
  """The host and the port of each server, in order.

  A text may name several behind commas: ``host:port,host:port`` or ``tidemark://host:port,host:port/space``. Raises ``ValueError``
  as ``parse_address`` does, for a server that is named twice, and for none.
  """
  if isinstance(addresses, str):
    scheme, _, rest = addresses.rpartition("://")
    hosts, slash, space = rest.partition("/")
    prefix = f"{scheme}://" if scheme else ""
    servers = [parse_address(f"{prefix}{host}{slash}{space}") for host in hosts.split(",")]
  elif isinstance(addresses, Sequence):
    servers = [parse_address(address) for address in addresses]
  else:
    servers = [parse_address(addresses)]
  if not servers or len(set(servers)) < len(servers):
    raise ValueError(f"{addresses!r} names no server, or one twice. Write 'host:port' once for each.")
  return servers


def parse_address(address: str) -> tuple[str, int]:
  """The host and the port of ``host``, ``host:port``, ``[ipv6]:port`` or ``tidemark://host:port/space``.

  The space of an address is not used: every call names its own. Raises ``ValueError`` for anything else.
  """
  problem = ValueError(
    f"{address!r} is no address of a server. Write 'host:port' or 'tidemark://host:port/space', for example '127.0.0.1:8433'.")
  if not isinstance(address, str):
    raise problem
  text = address if "://" in address else f"tidemark://{address}"
  try:
    parts = urlsplit(text)
    host, port = parts.hostname, parts.port
  except ValueError:
    raise problem from None
  is_plain = address == text or parts.path == ""
  is_clean = all("!" <= character <= "~" for character in text)
  names_port = not parts.netloc.endswith(":")
  if parts.scheme != "tidemark" or not host or port == 0 or parts.query or parts.fragment or "@" in parts.netloc:
    raise problem
  if not is_plain or not is_clean or not names_port or any(mark in text for mark in "?#,"):
    raise problem
  return host, PORT_DEFAULT if port is None else port
