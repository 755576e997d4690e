"""Reads the address of a server."""

from urllib.parse import urlsplit

PORT_DEFAULT = 8433


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
  if not is_plain or not is_clean or not names_port or "?" in text or "#" in text:
    raise problem
  return host, PORT_DEFAULT if port is None else port
