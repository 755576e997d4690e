"""What is measured on PostgreSQL: updates, bulks against the same by hand, and two daemons on one database."""
import concurrent.futures
import statistics

from . import postgres, programs
from .figures import BULK_ITEMS, BULK_LOAD, ENTITIES, UPDATE_CONNECTIONS, Figure, bulk_note, latencies, say

# The engine's writers and the clients of pgbench: each has a connection of its own.
RAW_CLIENTS = 4


def measure(workspace, plan, results):
    """Measures everything that needs a server; nothing, with a line that says so, where there is none."""
    bin_folder = postgres.newest()
    if not bin_folder:
        return say("PostgreSQL is not installed: it is left out")
    try:
        server = postgres.Server(workspace, bin_folder)
    except (programs.Failure, KeyError) as failure:
        # For example: it does not run as root, and its user does not come through the folders above this one.
        return say(f"PostgreSQL does not start here ({failure}): it is left out")
    with server:
        beside = workspace.folder / "postgres"
        token = programs.make_token(workspace, beside, server.url)
        with programs.Daemon(workspace, beside, url=server.url) as daemon:
            load = dict(token=token, connections=UPDATE_CONNECTIONS, entities=ENTITIES)
            filled = workspace.load("fill", daemon.port, **load)
            say(f"PostgreSQL filled with {ENTITIES} entities at {filled['calls_per_s']:.0f}/s")
            measure_updates(workspace, plan, daemon, load, results)
            measure_bulks(workspace, plan, server, daemon, token, results)
            workspace.load("fill", daemon.port, spaces=2, **load)
            measure_nodes(workspace, plan, server, daemon, token, results)


def measure_updates(workspace, plan, daemon, load, results):
    """The load of the single updates."""
    rates, batches, rounds = [], [], []
    for number in range(plan.rounds):
        figures = workspace.load("update", daemon.port, seconds=plan.seconds, **load)
        rates.append(figures["calls_per_s"])
        batches.append(figures["changes"] / max(1, figures["commits"]))
        rounds.append(figures)
        say(f"round {number + 1}: updates on PostgreSQL {rates[-1]:.0f}/s in batches of {batches[-1]:.1f}")
    results["pg_update_durable_per_s"] = Figure(rates, "1/s", note=latencies(rounds))
    results["pg_update_batch"] = Figure(batches, "", note="changes a commit")


def measure_bulks(workspace, plan, server, daemon, token, results):
    """Bulks of one space through the daemon against the same updates by pgbench, on the same server."""
    if not server.can_run_raw:
        return say("pgbench or psql is not installed: bulks on PostgreSQL are left out")
    limits = workspace.root / "Benchmarks" / "limits"
    server.make_raw_tables(limits / "pg_bulk_tables.sql")
    rates, raw_rates, rounds = [], [], []
    load = {**BULK_LOAD, "stale_percent": 0}
    for number in range(plan.rounds):
        figures = workspace.load("bulk", daemon.port, token=token, seconds=plan.seconds, entities=ENTITIES, **load)
        rates.append(figures["calls_per_s"] * figures["changes"] / figures["all_calls"])
        raw_rates.append(server.run_raw(limits / "pg_bulk.sql", RAW_CLIENTS, plan.seconds) * BULK_ITEMS)
        rounds.append(figures)
        say(f"round {number + 1}: bulks on PostgreSQL {rates[-1]:.0f} items/s; by hand {raw_rates[-1]:.0f}/s")
    results["pg_bulk_vs_raw_sql"] = Figure(
        [ours / raw for ours, raw in zip(rates, raw_rates)], "x", ">= 0.5", bulk_note(rounds))
    results["pg_bulk_items_per_s"] = Figure(rates, "1/s", note=latencies(rounds))
    results["pg_raw_sql_per_s"] = Figure(raw_rates, "1/s", note=f"{RAW_CLIENTS} connections")


def measure_nodes(workspace, plan, server, daemon, token, results):
    """Two loads on spaces of their own, both through one daemon, and each through one of two on the same database."""
    load = dict(token=token, seconds=plan.seconds, entities=ENTITIES, **{**BULK_LOAD, "connections": 2, "stale_percent": 0})
    rates = {"one": [], "two": []}
    with programs.Daemon(workspace, workspace.folder / "second", url=server.url) as second:
        for number in range(plan.rounds):
            for name, ports in (("one", (daemon.port, daemon.port)), ("two", (daemon.port, second.port))):
                with concurrent.futures.ThreadPoolExecutor(2) as pool:
                    # The first has the default space, the second two others.
                    runs = [pool.submit(workspace.load, "bulk", port, spaces=spaces, **load) for spaces, port in zip((1, 2), ports)]
                    rates[name].append(sum(run.result()["calls_per_s"] for run in runs) * BULK_ITEMS)
            say(f"round {number + 1}: two nodes {rates['two'][-1]:.0f} items/s, one node {rates['one'][-1]:.0f}/s")
    results["two_nodes_vs_one"] = Figure(
        [two / one for two, one in zip(rates["two"], rates["one"])], "x", ">= 1.0",
        f"one node {statistics.median(rates['one']):.0f} items/s")
