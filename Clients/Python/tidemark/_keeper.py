"""Keeps a client's one connection: to any of its servers, made when it is needed, and anew when it is lost or its server is not available."""

import asyncio
import threading
from contextlib import contextmanager
from typing import Iterator

from ._address import Addresses, parse_addresses
from ._async_link import AsyncLink
from ._connection import Broken, Ended, Limits
from ._link import Link
from ._retry import connect_patience
from ._servers import Route
from .errors import LinkClosed, StatusCode, TidemarkError


class _Servers:
  def __init__(self, address: Addresses, limits: Limits) -> None:
    self.route = Route(parse_addresses(address))
    self.limits = limits
    self.is_closed = False

  def refuse_when_closed(self) -> None:
    if self.is_closed:
      raise TidemarkError(StatusCode.CANCELLED, "The client is closed.", is_not_executed=True)

  @contextmanager
  def opening(self) -> Iterator[tuple[str, int]]:
    """The address to connect to; takes that it cannot be reached."""
    try:
      yield self.route.choose()
    except LinkClosed:
      self.route.failed()
      raise


class Keeper(_Servers):
  """The connection of a blocking client. Every method may be called from any thread."""

  def __init__(self, address: Addresses, limits: Limits) -> None:
    super().__init__(address, limits)
    self._connecting = threading.Lock()
    self._link: Link | None = None

  def get(self, deadline: float | None) -> Link:
    """The connection. Raises ``LinkClosed`` when none comes about, ``TimeoutError`` when the deadline has passed."""
    with self._connecting:
      self.refuse_when_closed()
      if self._link is not None and not self._link.is_usable:
        self._drop(self._link)
      if self._link is None:
        with self.opening() as (host, port):
          self._link = Link(host, port, self.limits, connect_patience(deadline))
      return self._link

  def note(self, link: Link, event: Ended | Broken) -> None:
    """Takes the end of a call: a server that is not available is left, so that the next call goes to another."""
    if self.route.must_leave(event):
      with self._connecting:
        if link is self._link:
          self._drop(link)

  def _drop(self, link: Link) -> None:
    self._link = None
    self.route.failed()
    link.leave()

  def close(self) -> None:
    with self._connecting:
      self.is_closed = True
      link, self._link = self._link, None
    if link is not None:
      link.close()


class AsyncKeeper(_Servers):
  """The connection of a client for asyncio."""

  def __init__(self, address: Addresses, limits: Limits) -> None:
    super().__init__(address, limits)
    self._connecting = asyncio.Lock()
    self._link: AsyncLink | None = None

  async def get(self, deadline: float | None) -> AsyncLink:
    """As ``Keeper.get``."""
    async with self._connecting:
      self.refuse_when_closed()
      if self._link is not None and not self._link.is_usable:
        self._drop(self._link)
      if self._link is None:
        with self.opening() as (host, port):
          self._link = await AsyncLink.open(host, port, self.limits, connect_patience(deadline))
      return self._link

  def note(self, link: AsyncLink, event: Ended | Broken) -> None:
    """As ``Keeper.note``."""
    if self.route.must_leave(event) and link is self._link:
      self._drop(link)

  def _drop(self, link: AsyncLink) -> None:
    self._link = None
    self.route.failed()
    link.leave()

  async def close(self) -> None:
    async with self._connecting:
      self.is_closed = True
      link, self._link = self._link, None
    if link is not None:
      link.close()
