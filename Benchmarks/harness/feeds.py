"""Feeds: whole pulls, pulls of what changed, and watches."""
import resource

from . import programs

LARGE = 1_000_000
SMALL = 10_000
BEHIND = 100
WATCHES_ACTIVE = 1_000
WATCHES_IDLE = 10_000


def measure(workspace, plan, results, Figure, say):
    """Everything about feeds. `LARGE` entities take about half a minute to fill."""
    times = {}
    for count in (SMALL, LARGE):
        store = workspace.folder / f"feed-{count}"
        store.mkdir()
        token = programs.make_token(workspace, store)
        with programs.Daemon(workspace, store) as daemon:
            workspace.load("fill", daemon.port, token=token, connections=64, entities=count)
            behind = [
                workspace.load("pull", daemon.port, token=token, connections=1, seconds=1, entities=count, behind=BEHIND)
                for _ in range(plan.rounds)
            ]
            times[count] = [figures["p50_us"] / 1000 for figures in behind]
            say(f"{count} entities: {BEHIND} changes pulled in {times[count][-1]:.2f} ms")
            if count == LARGE:
                rates = [
                    workspace.load("pull", daemon.port, token=token, connections=2, seconds=plan.seconds)["items_per_s"]
                    for _ in range(plan.rounds)
                ]
                say(f"{rates[-1]:.0f} entities pulled a second")
    results["pull_entities_per_s"] = Figure(rates, "1/s", ">= 300000", "pages of 56 KB, two connections")
    results["incremental_pull_ms"] = Figure(times[LARGE], "ms", note=f"{BEHIND} changes, {LARGE} entities")
    results["incremental_pull_growth"] = Figure(
        [large / small for small, large in zip(times[SMALL], times[LARGE])], "x", "< 1.2", f"{LARGE} entities / {SMALL}")
    measure_watches(workspace, plan, results, Figure, say)


def measure_watches(workspace, plan, results, Figure, say):
    """One watch at 1,000 writes a second, many at 100, and very many that hear nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * WATCHES_IDLE + 1_000
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    store = workspace.folder / "watched"
    store.mkdir()
    token = programs.make_token(workspace, store)
    limits = dict(connections_max=WATCHES_IDLE + 100, connections_per_address_max=WATCHES_IDLE + 100)
    with programs.Daemon(workspace, store, **limits) as daemon:
        one = [
            workspace.load("watch", daemon.port, token=token, connections=1, calls=3_000, writes_per_second=1_000)
            for _ in range(plan.rounds)
        ]
        say(f"one watch: p50 {one[-1]['watch_p50_us']:.0f} us, p99 {one[-1]['watch_p99_us']:.0f} us")
        many = [
            workspace.load("watch", daemon.port, token=token, connections=WATCHES_ACTIVE, calls=300, writes_per_second=100)
            for _ in range(max(1, plan.rounds // 2))
        ]
        say(f"{WATCHES_ACTIVE} watches: p99 {many[-1]['watch_p99_us'] / 1000:.1f} ms")
    results["watch_p50_ms"] = Figure([figures["watch_p50_us"] / 1000 for figures in one], "ms", "< 1")
    results["watch_p99_ms"] = Figure([figures["watch_p99_us"] / 1000 for figures in one], "ms", "< 5")
    results["watchers_1000_active_lag_ms"] = Figure(
        [figures["watch_p99_us"] / 1000 for figures in many], "ms", note="99 of 100 changes at a watch, 100 writes/s")
    with programs.Daemon(workspace, store, **limits) as daemon:
        idle = workspace.load(
            "watch", daemon.port, token=token, connections=WATCHES_IDLE, writes_per_second=1, server_process=daemon.process.pid)
    say(f"{WATCHES_IDLE} idle watches: {idle['server_rss_mib']:.0f} MiB")
    results["watchers_10k_rss_mib"] = Figure([idle["server_rss_mib"]], "MiB", "< 300")
