"""A PostgreSQL server of a run, in a private folder, on the disk that is measured."""
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile
import urllib.parse

from . import programs

ROOT = pathlib.Path("/usr/lib/postgresql")


def newest():
    """The folder of the newest version's programs; None when there is none."""
    versions = sorted((int(path.name) for path in ROOT.glob("*") if path.name.isdigit()), reverse=True)
    found = [ROOT / str(version) / "bin" for version in versions]
    return next((path for path in found if (path / "initdb").exists()), None)


class Server:
    """A server with the defaults of its version: every commit is on the disk before it is answered. It does not run as root."""

    def __init__(self, workspace, bin_folder):
        entry = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        # Other users do not come through the folder of a workspace.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidemark-pg-", dir=workspace.folder.parent))
        self.user = []
        if entry:
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self.user = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
        self.programs = bin_folder
        self.control = [*self.user, str(bin_folder / "pg_ctl"), "-D", str(self.folder / "data"), "-s", "-w"]
        try:
            self.run([*self.user, str(bin_folder / "initdb"), "-D", str(self.folder / "data"), "-U", "tidemark", "-A", "trust",
                      "-E", "UTF8", "--locale=C"])
            options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}'"
            self.run([*self.control, "-l", str(self.folder / "log"), "-o", options, "start"])
        except programs.Failure:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def run(self, command):
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", env=environment)
        if done.returncode != 0:
            raise programs.Failure(f"{pathlib.Path(command[len(self.user)]).name} ended with {done.returncode}")

    @property
    def url(self):
        return f"postgres://tidemark@/postgres?host={urllib.parse.quote(str(self.folder), safe='')}"

    @property
    def can_run_raw(self):
        return all((self.programs / name).exists() for name in ("pgbench", "psql"))

    def make_raw_tables(self, script):
        """Runs a script of statements."""
        self.client("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(script))

    def run_raw(self, script, clients, seconds):
        """Runs a script again and again; returns how often a second. Plans are by keys, as the engine's are."""
        printed = self.client(
            "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(seconds), "-f", str(script))
        return float(re.search(r"tps = ([\d.]+)", printed).group(1))

    def client(self, name, *arguments):
        environment = {**os.environ, "LC_ALL": "C", "PGOPTIONS": "-c enable_hashjoin=off -c enable_mergejoin=off"}
        command = [str(self.programs / name), "-h", str(self.folder), "-U", "tidemark", *arguments, "postgres"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/", env=environment)
        if done.returncode != 0:
            raise programs.Failure(f"{name} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.run([*self.control, "-m", "fast", "stop"])
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
