import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tidemark import Client

sys.dont_write_bytecode = True

START_SECONDS = 60


class Daemon:
  """A real ``tidemarkd`` on loopback with a store of its own."""

  def __init__(self, folder: Path, *arguments: str, store: str = "") -> None:
    binary = os.environ.get("TIDEMARKD_BINARY")
    if not binary:
      pytest.fail("TIDEMARKD_BINARY must name the tidemarkd to test against.", pytrace=False)
    port_file, self.log = folder / "port", folder / "log"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TIDEMARKD_")}
    with open(self.log, "wb") as log:
      self.process = subprocess.Popen(
        [binary, "serve", "--store", store or f"sqlite:{folder / 'store'}", "--listen", "127.0.0.1:0", "--development", "true",
         "--port-file", str(port_file), *arguments],
        stdout=subprocess.DEVNULL, stderr=log, env=environment)
    until = time.monotonic() + START_SECONDS
    while not (port_file.exists() and port_file.read_text().strip()):
      try:
        self.process.wait(timeout=0.02)
        has_failed = True
      except subprocess.TimeoutExpired:
        has_failed = time.monotonic() > until
      if has_failed:
        self.stop()
        pytest.fail(f"tidemarkd did not start: {self.log.read_text()}", pytrace=False)
    self.port = int(port_file.read_text())
    self.address = f"127.0.0.1:{self.port}"

  def terminate(self) -> None:
    """Asks it to drain."""
    self.process.send_signal(signal.SIGTERM)

  def stop(self) -> None:
    if self.process.poll() is None:
      self.process.kill()
    self.process.wait()


@pytest.fixture(scope="session")
def daemon(tmp_path_factory):
  running = Daemon(tmp_path_factory.mktemp("tidemarkd"))
  yield running
  running.stop()


@pytest.fixture
def own_daemon(tmp_path):
  """Makes daemons that belong to one test."""
  running = []

  def start(*arguments: str, store: str = "") -> Daemon:
    folder = tmp_path / str(len(running))
    folder.mkdir()
    running.append(Daemon(folder, *arguments, store=store))
    return running[-1]

  yield start
  for each in running:
    each.stop()


_shared_stores = os.environ.get("TIDEMARK_POSTGRES_STORES", "").split()


@pytest.fixture
def shared_store():
  """The URL of an empty store that several daemons may share."""
  if not _shared_stores:
    pytest.skip("TIDEMARK_POSTGRES_STORES names no empty PostgreSQL stores.")
  return _shared_stores.pop()


@pytest.fixture
def client(daemon):
  with Client(daemon.address) as made:
    yield made


@pytest.fixture
def space(client):
  """The name of a new space."""
  name = f"s-{uuid.uuid4()}"
  client.create_space(name)
  return name
