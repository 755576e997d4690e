"""A gauge that repeats where time does not: instructions and allocations a call, counted by valgrind.

The daemon runs twice, with few and with many calls on one connection; the difference of the totals belongs to the calls alone.
"""
import re
import shutil
import subprocess

from . import programs
from .figures import ENTITIES, Figure, say

FEW, MANY = 200, 1_200


def measure(workspace):
    """Counts for Echo, Get and Update; nothing, with a line that says so, where valgrind is absent."""
    if not shutil.which("valgrind") or not shutil.which("objcopy"):
        say("skipped: instructions and allocations a call (valgrind or objcopy is not installed)")
        return {}
    results = {}
    # valgrind 3.19 gives up on the debugging information that Swift 6.3 writes, so it gets a copy without.
    subprocess.run(["objcopy", "--strip-debug", workspace.program("tidemarkd"), str(workspace.folder / "tidemarkd")], check=True)
    store = workspace.folder / "counted"
    store.mkdir()
    token = programs.make_token(workspace, store)
    with programs.Daemon(workspace, store) as daemon:
        workspace.load("fill", daemon.port, token=token, connections=64, entities=ENTITIES)
    for mode in ("echo", "get", "update"):
        instructions = difference(
            workspace, store, token, mode, ["--tool=callgrind", "--callgrind-out-file=/dev/null"], r"Collected : (\d+)")
        allocations = difference(
            workspace, store, token, mode, ["--tool=dhat", "--dhat-out-file=/dev/null"], r"Total: +[\d,]+ bytes in ([\d,]+)")
        results[f"{mode}_instructions"] = Figure([instructions], "a call")
        results[f"{mode}_allocations"] = Figure([allocations], "a call")
        say(f"{mode}: {instructions:.0f} instructions and {allocations:.1f} allocations a call")
    return results


def difference(workspace, store, token, mode, tool, pattern):
    counts = [count(workspace, store, token, mode, calls, tool, pattern) for calls in (FEW, MANY)]
    return (counts[1] - counts[0]) / (MANY - FEW)


def count(workspace, store, token, mode, calls, tool, pattern):
    """One run under valgrind; the total it printed."""
    log = workspace.folder / "valgrind.log"
    log.unlink(missing_ok=True)
    wrapper = ["valgrind", f"--log-file={log}", *tool]
    preload = workspace.program("sigsuspend.so")
    with programs.Daemon(
        workspace, store, wrapper, workspace.folder / "tidemarkd", preload, threads=1, reader_threads=1) as daemon:
        # Update asks for 20,000 states first: few entities keep that out of the way.
        entities = 1_000 if mode == "update" else ENTITIES
        workspace.load(mode, daemon.port, token=token, connections=1, calls=calls, entities=entities)
    found = re.search(pattern, log.read_text())
    if not found:
        raise programs.Failure(f"valgrind printed no count: {log.read_text()[-400:]}")
    return int(found.group(1).replace(",", ""))
