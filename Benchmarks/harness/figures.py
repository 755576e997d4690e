"""The figures: what is measured against what, in interleaved pairs of short rounds."""
import dataclasses
import pathlib
import statistics
import sys
import time

from . import feeds, programs

ENTITIES = 20_000
CALL_CONNECTIONS = 16
UPDATE_CONNECTIONS = 64
BULK_ITEMS = 100
BULK_SPACES = 16
# Calls in flight on each of four connections: the next batch gathers while one is on its way to the disk.
BULK_LOAD = dict(connections=4, pipeline=4, items=BULK_ITEMS, stale_percent=5)


@dataclasses.dataclass
class Plan:
    """How much is measured."""
    quick: bool
    only: set

    @property
    def rounds(self):
        return 5 if self.quick else 11

    @property
    def seconds(self):
        return 2 if self.quick else 3

    def wants(self, name):
        return name in self.only if self.only else name != "big" or not self.quick


@dataclasses.dataclass
class Figure:
    """Measured values of one kind."""
    values: list
    unit: str = ""
    target: str = ""
    note: str = ""

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def is_met(self):
        if not self.target:
            return None
        relation, bound = self.target.split()
        return self.median >= float(bound) if relation == ">=" else self.median < float(bound)


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure(workspace, plan):
    """Measures everything the plan wants."""
    results = {}
    say(f"load of the machine at the start: {pathlib.Path('/proc/loadavg').read_text().split()[0]}")
    store = workspace.folder / "store"
    store.mkdir()
    token = programs.make_token(workspace, store)
    with programs.Daemon(workspace, store) as daemon:
        filled = workspace.load("fill", daemon.port, token=token, connections=UPDATE_CONNECTIONS, entities=ENTITIES)
        say(f"filled with {ENTITIES} entities at {filled['calls_per_s']:.0f}/s")
    if plan.wants("idle"):
        measure_idle(workspace, plan, store, results)
    if plan.wants("echo") or plan.wants("get"):
        measure_calls(workspace, plan, store, token, results)
    if plan.wants("update"):
        measure_updates(workspace, plan, store, token, results)
    if plan.wants("postgres"):
        from . import postgres_figures  # It is about what is defined here.
        postgres_figures.measure(workspace, plan, results)
    if plan.wants("bulk"):
        measure_bulks(workspace, plan, store, token, results)
    if plan.wants("schema"):
        measure_schema(workspace, plan, store, token, results)
    if plan.wants("writer"):
        measure_writer(workspace, plan, results)
    if plan.wants("feed"):
        feeds.measure(workspace, plan, results, Figure, say)
    if plan.wants("big"):
        measure_big_start(workspace, plan, results)
    return results


def measure_calls(workspace, plan, store, token, results):
    """Echo and Get against the bare echo. One event loop on either side, as the bare echo has one."""
    rates = {name: [] for name in ("raw", "echo", "get")}
    shares = {name: [] for name in rates}
    waits = []
    modes = [mode for mode in ("echo", "get") if plan.wants(mode)]
    echo, echo_port = workspace.start_nio_echo()
    with programs.Daemon(workspace, store, threads=1) as daemon:
        ports = {"raw": echo_port, "echo": daemon.port, "get": daemon.port}
        costs = {name: [] for name in rates}
        common = dict(connections=CALL_CONNECTIONS, seconds=plan.seconds, entities=ENTITIES)
        for number in range(plan.rounds):
            for mode in ["raw", *modes]:
                server = echo if mode == "raw" else daemon.process
                before = programs.processor_seconds(server)
                figures = workspace.load(mode, ports[mode], token="" if mode == "raw" else token, **common)
                costs[mode].append((programs.processor_seconds(server) - before) / figures["all_calls"] * 1e6)
                rates[mode].append(figures["calls_per_s"])
                shares[mode].append(figures["busy_share"])
                if mode != "raw":
                    waits.append(figures)
            say(f"round {number + 1}: " + ", ".join(f"{mode} {rates[mode][-1]:.0f}/s" for mode in rates if rates[mode]))
        two = workspace.load("echo", daemon.port, token=token, threads=2, **common) if "echo" in modes else None
        raw_two = workspace.load("raw", echo_port, threads=2, **common)
    programs.stop(echo)
    raw_median = statistics.median(rates["raw"])
    results["nio_echo_per_s"] = Figure(
        rates["raw"], "1/s",
        note=f"loader busy {percent(shares['raw'])}; with two load threads {raw_two['calls_per_s'] / raw_median:.2f} x")
    names = {
        "echo": ("unary_lean_vs_nio_echo", "unary_lean_calls_per_s", ">= 0.6"),
        "get": ("get_vs_nio_echo", "get_calls_per_s", ">= 0.4"),
    }
    for mode in modes:
        ratio_name, rate_name, target = names[mode]
        results[ratio_name] = Figure([ours / raw for ours, raw in zip(rates[mode], rates["raw"])], "x", target)
        results[f"{mode}_processor_vs_nio_echo"] = Figure(
            [raw / ours for ours, raw in zip(costs[mode], costs["raw"])], "x",
            note="processor time of a call: the bare echo's {:.1f} us / ours {:.1f} us".format(
                *(statistics.median(costs[name]) for name in ("raw", mode))))
        latency = latencies([figures for figures in waits if figures["mode"] == mode])
        results[rate_name] = Figure(rates[mode], "1/s", note=f"loader busy {percent(shares[mode])}; {latency}")
    if two:
        results["unary_lean_two_load_threads"] = Figure(
            [two["calls_per_s"] / statistics.median(rates["echo"])], "x", note="1 or less: the loader is not the bottleneck")


def measure_updates(workspace, plan, store, token, results):
    """Durable single updates against the raw log loop at the batch size that was measured."""
    seconds = plan.seconds + 1
    rates, raw_rates, batches, shares, rounds = [], [], [], [], []
    raw_rate = 20_000.0
    with programs.Daemon(workspace, store) as daemon:
        for number in range(plan.rounds):
            figures = workspace.load(
                "update", daemon.port, token=token, connections=UPDATE_CONNECTIONS, seconds=seconds, entities=ENTITIES)
            batch = figures["changes"] / max(1, figures["commits"])
            raw_rate = workspace.sqlite_log(max(1, round(batch)), round(raw_rate * seconds), ENTITIES)
            rates.append(figures["calls_per_s"])
            raw_rates.append(raw_rate)
            batches.append(batch)
            shares.append(figures["busy_share"])
            rounds.append(figures)
            say(f"round {number + 1}: updates {rates[-1]:.0f}/s in batches of {batch:.1f}; raw log {raw_rate:.0f}/s")
    results["update_durable_vs_raw_log"] = Figure([ours / raw for ours, raw in zip(rates, raw_rates)], "x", ">= 0.5")
    results["update_durable_per_s"] = Figure(rates, "1/s", note=f"loader busy {percent(shares)}; {latencies(rounds)}")
    results["raw_log_per_s"] = Figure(raw_rates, "1/s")
    results["update_batch"] = Figure(batches, "", note="changes a commit")


def measure_bulks(workspace, plan, store, token, results):
    """Bulks against the raw log loop, and the same bulks over many spaces. Only items that were applied count."""
    rates = {name: [] for name in ("raw", "one", "many")}
    rounds = {name: [] for name in ("one", "many")}
    spaces = {"one": 1, "many": BULK_SPACES}
    many = filled_store(workspace, "many", spaces=BULK_SPACES)
    stores = {"one": (store, token), "many": many}
    with programs.Daemon(workspace, store) as one_daemon, programs.Daemon(workspace, many[0]) as many_daemon:
        ports = {"one": one_daemon.port, "many": many_daemon.port}
        for number in range(plan.rounds):
            for name in rounds:
                figures = workspace.load(
                    "bulk", ports[name], token=stores[name][1], seconds=plan.seconds, entities=ENTITIES, spaces=spaces[name],
                    **BULK_LOAD)
                applied = figures["changes"] / figures["all_calls"]
                rates[name].append(figures["calls_per_s"] * applied)
                rounds[name].append(figures)
                if name == "one":
                    updates = BULK_ITEMS * max(1, round(rates["one"][-1] * plan.seconds / BULK_ITEMS))
                    rates["raw"].append(workspace.sqlite_log(BULK_ITEMS, updates, ENTITIES))
            say(f"round {number + 1}: applied {rates['one'][-1]:.0f}/s, in {BULK_SPACES} spaces {rates['many'][-1]:.0f}/s; "
                f"raw log {rates['raw'][-1]:.0f}/s")
    results["bulk_vs_raw_log"] = Figure([ours / raw for ours, raw in zip(rates["one"], rates["raw"])], "x", ">= 0.7")
    results["bulk_items_per_s"] = Figure(
        [figures["calls_per_s"] * BULK_ITEMS for figures in rounds["one"]], "1/s", note=bulk_note(rounds["one"]))
    results["bulk_16_spaces_vs_one"] = Figure(
        [many / one for many, one in zip(rates["many"], rates["one"])], "x", ">= 0.6", bulk_note(rounds["many"]))
    results["raw_log_100_per_s"] = Figure(rates["raw"], "1/s")


def filled_store(workspace, name, **options):
    """Fills a store of its own, so that what is compared differs in one thing; returns its folder and token."""
    store = workspace.folder / name
    store.mkdir()
    token = programs.make_token(workspace, store)
    with programs.Daemon(workspace, store) as daemon:
        workspace.load("fill", daemon.port, token=token, connections=UPDATE_CONNECTIONS, entities=ENTITIES, **options)
    return store, token


def bulk_note(rounds):
    applied = statistics.median(figures["changes"] / figures["all_calls"] for figures in rounds)
    calls = statistics.median(figures["changes"] / figures["commits"] / applied for figures in rounds)
    busy = percent([figures["busy_share"] for figures in rounds])
    return f"{applied / BULK_ITEMS * 100:.1f} % applied, {calls:.1f} calls a commit; loader busy {busy}; {latencies(rounds)}"


def measure_schema(workspace, plan, store, token, results):
    """Single updates in a typed space against the same in a space without a schema."""
    rates = {"plain": [], "typed": []}
    rounds = []
    typed = filled_store(workspace, "typed", kind="typed")
    stores = {"plain": (store, token), "typed": typed}
    with programs.Daemon(workspace, store) as plain_daemon, programs.Daemon(workspace, typed[0]) as typed_daemon:
        ports = {"plain": plain_daemon.port, "typed": typed_daemon.port}
        for number in range(plan.rounds):
            for kind in rates:
                figures = workspace.load(
                    "update", ports[kind], token=stores[kind][1], connections=UPDATE_CONNECTIONS, seconds=plan.seconds,
                    entities=ENTITIES, kind=kind)
                rates[kind].append(figures["calls_per_s"])
                rounds.append(figures)
            say(f"round {number + 1}: updates {rates['plain'][-1]:.0f}/s, in a typed space {rates['typed'][-1]:.0f}/s")
    busy = percent([figures["busy_share"] for figures in rounds])
    results["update_schema_vs_plain"] = Figure(
        [typed / plain for typed, plain in zip(rates["typed"], rates["plain"])], "x", ">= 0.7", f"loader busy {busy}")
    results["update_schema_per_s"] = Figure(rates["typed"], "1/s", note=latencies(rounds[1::2]))


def measure_writer(workspace, plan, results):
    """The store's writer alone, without network and codec, against the raw log loop: what a bulk can reach at most."""
    ratios, rates = [], []
    for number in range(plan.rounds):
        updates = 100 * round(200 * plan.seconds)
        rate = workspace.writer(100, updates, ENTITIES)
        raw_rate = workspace.sqlite_log(100, updates, ENTITIES)
        rates.append(rate)
        ratios.append(rate / raw_rate)
        say(f"round {number + 1}: writer {rate:.0f}/s; raw log {raw_rate:.0f}/s, both 100 a transaction")
    results["writer_100_vs_raw_log"] = Figure(ratios, "x", note="diagnostic: one request of 100 updates a transaction")
    results["writer_100_per_s"] = Figure(rates, "1/s")


def measure_idle(workspace, plan, store, results):
    """Start and memory on the store that was filled."""
    starts, memory = [], []
    for _ in range(plan.rounds):
        with programs.Daemon(workspace, store) as daemon:
            starts.append(daemon.start_ms)
            time.sleep(0.5)
            memory.append(daemon.memory_mib())
    results["idle_rss_mib"] = Figure(memory, "MiB", "< 25")
    results["start_ms"] = Figure(starts, "ms", "< 100", f"{ENTITIES} entities")


def measure_big_start(workspace, plan, results):
    """Start on a store of 1 GiB."""
    store = workspace.folder / "big"
    store.mkdir()
    token = programs.make_token(workspace, store)
    with programs.Daemon(workspace, store) as daemon:
        workspace.load(
            "fill", daemon.port, token=token, connections=UPDATE_CONNECTIONS, entities=250_000, text_bytes=4_096)
    size = sum(path.stat().st_size for path in store.iterdir()) / 2**30
    starts = []
    for _ in range(plan.rounds):
        with programs.Daemon(workspace, store) as daemon:
            starts.append(daemon.start_ms)
    results["start_1_gib_ms"] = Figure(starts, "ms", "< 100", f"{size:.2f} GiB, 250000 entities")


def percent(shares):
    return f"{statistics.median(shares) * 100:.0f} %"


def latencies(rounds):
    middle = {name: statistics.median(figures[name] for figures in rounds) for name in ("p50_us", "p99_us")}
    return f"p50 {middle['p50_us']:.0f} us, p99 {middle['p99_us']:.0f} us"
