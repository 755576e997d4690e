"""The programs of a run: building, starting and stopping them."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

# No single program of a run may take longer, in seconds.
PROGRAM_SECONDS_MAX = 600


def build(root, dynamic):
    """Builds everything in release, with the Swift library linked statically unless `dynamic`."""
    flags = [] if dynamic else ["--static-swift-stdlib"]
    for product in ("nio_echo", "tidemark-bench", "writer-bench", "tidemarkd"):
        subprocess.run(["swift", "build", "-c", "release", *flags, "--product", product], cwd=root, check=True)
    limits = root / ".build" / "limits"
    limits.mkdir(exist_ok=True)
    benchmarks = root / "Benchmarks"
    log = benchmarks / "limits" / "sqlite_log.c"
    subprocess.run(["cc", "-O2", str(log), "-o", str(limits / "sqlite_log"), "-lsqlite3"], check=True)
    shim = benchmarks / "harness" / "sigsuspend.c"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", str(shim), "-o", str(limits / "sigsuspend.so")], check=True)


class Failure(Exception):
    """A program failed, so the run says nothing."""


class Workspace:
    """A temporary folder and the processes of a run. Leaving it ends and removes all of them."""

    def __init__(self, root, folder):
        self.root = pathlib.Path(root)
        self.release = self.root / ".build" / "release"
        parent = pathlib.Path(folder) if folder else self.root / ".build"
        parent.mkdir(parents=True, exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidemark-bench-", dir=parent))
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def program(self, name):
        """The path of a built program."""
        path = self.root / ".build" / "limits" / name if name in ("sqlite_log", "sigsuspend.so") else self.release / name
        if not path.exists():
            raise Failure(f"{path} is not built; run scripts/bench --build-only")
        return str(path)

    def spawn(self, command, log="/dev/null", environment=None):
        """Starts a process that ends with the workspace."""
        with open(log, "ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=self.folder)
        self.processes.append(process)
        return process

    def run(self, command):
        """Runs a program to its end and returns what it printed."""
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=PROGRAM_SECONDS_MAX, cwd=self.folder)
        if done.returncode != 0:
            raise Failure(f"{pathlib.Path(command[0]).name} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def load(self, mode, port, **options):
        """Runs the load generator and returns its figures."""
        command = [self.program("tidemark-bench"), mode, "--port", port]
        for name, value in options.items():
            if value not in ("", None):
                command += ["--" + name.replace("_", "-"), value]
        return json.loads(self.run(command).splitlines()[-1])

    def start_nio_echo(self):
        """Starts the bare echo; returns its process and port."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = self.spawn([self.program("nio_echo"), str(port)])
        wait_for(lambda: accepts(port), process, "nio_echo")
        return process, port

    def writer(self, items, updates, entities):
        """Runs updates through the store's writer alone, `items` a transaction; returns updates per second."""
        folder = self.folder / "writer"
        try:
            printed = self.run([self.program("writer-bench"), folder, items, 1, updates, entities])
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return float(printed.split()[0])

    def sqlite_log(self, group, updates, entities):
        """Runs the raw log loop; returns updates per second."""
        file = self.folder / "raw-log.db"
        try:
            printed = self.run([self.program("sqlite_log"), group, updates, entities, "v7", file])
        finally:
            for path in self.folder.glob("raw-log.db*"):
                path.unlink()
        return float(printed.split()[0])


class Daemon:
    """A running tidemarkd."""

    def __init__(self, workspace, store, wrapper=(), program=None, preload=None, url=None, **settings):
        """`store` is the folder of the store, or only of what lies beside it when a `url` names another store."""
        self.workspace = workspace
        port_file = store / "port"
        port_file.unlink(missing_ok=True)
        store.mkdir(exist_ok=True)
        command = [*wrapper, program or workspace.program("tidemarkd"), "--store", url or f"sqlite:{store}", "--listen", "127.0.0.1:0"]
        command += ["--port-file", str(port_file), "--log-level", "warning"]
        for name, value in settings.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        self.log = workspace.folder / "tidemarkd.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEMARKD_")}
        if preload:
            environment["LD_PRELOAD"] = str(preload)
        started = time.monotonic()
        self.process = workspace.spawn(command, self.log, environment)
        wait_for(port_file.exists, self.process, "tidemarkd", 120 if wrapper else 20)
        self.port = int(port_file.read_text())
        wait_for(lambda: accepts(self.port), self.process, "tidemarkd")
        # From before exec to an accepted connection.
        self.start_ms = (time.monotonic() - started) * 1000

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)

    def memory_mib(self):
        """The resident set now."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise Failure("tidemarkd is gone")


def make_token(workspace, store, url=None):
    """Makes a token for an administrator while no daemon serves the store."""
    command = [workspace.program("tidemarkd"), "token", "--store", url or f"sqlite:{store}", "--principal", "bench"]
    command += ["--role", "admin"]
    return workspace.run(command).strip()


def processor_seconds(process):
    """The processor time a process has used so far."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_for(condition, process, name, seconds=20):
    """Waits until a started program is ready."""
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            raise Failure(f"{name} ended with {process.returncode} before it was ready")
        if time.monotonic() > deadline:
            raise Failure(f"{name} was not ready after {seconds} s")
        time.sleep(0.0003)


def stop(process):
    """Ends one process of ours."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
