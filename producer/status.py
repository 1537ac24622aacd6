"""``chimera status``: how the running executions stand, once or until they are over. Reads the store only."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import redis
from rich.console import Console
from rich.live import Live

from contracts.failures import InputError
from contracts.redis_client import check, connect
from contracts.store import Status, Store
from producer.broker import need_broker
from producer.progress import say_line
from producer.sweep_file import load
from producer.watch import Cluster, Watcher
from producer.watch_view import NewLines, as_json, lines, tables

EXIT_NOTHING_RUNS = 3
REFRESH_S = 1.0


@dataclass(frozen=True)
class StatusOptions:
    """What ``chimera status`` was asked."""

    which: str | None = None
    """A sweep file, a sweep's name or an execution; ``None``: everything that runs."""
    broker: str | None = None
    watch: bool = False
    as_json: bool = False


def status(options: StatusOptions, console: Console) -> int:
    """Show how the executions stand; return the exit code: 0, or 3 where nothing runs.

    Raises:
        InputError: The store knows nothing of the name.
        BrokerError: Redis can't be reached.
    """
    if options.watch and options.as_json:
        raise InputError("--json prints one moment: give it without --watch, as often as you like")
    url = need_broker(options.broker)
    client = connect(url, retries=0)
    check(client, url)
    store = Store(client)
    chosen = executions(store, options.which)
    watcher = Watcher(store)
    cluster = watcher.look(chosen)
    if options.as_json:
        say_line(console, as_json(cluster))
        return 0 if _runs(cluster) else EXIT_NOTHING_RUNS
    if not _runs(cluster):
        _show(cluster, console)
        say_line(console, _nothing(cluster, options.which))
        return EXIT_NOTHING_RUNS
    if not options.watch:
        _show(cluster, console)
        return 0
    with_new = store.running_executions if options.which is None else list
    try:
        _watch(lambda: watcher.look(dict.fromkeys([*chosen, *with_new()])), cluster, console)
    except KeyboardInterrupt:
        say_line(console, "no longer watched; what runs goes on")
    return 0


def executions(store: Store, which: str | None) -> list[str]:
    """Return the executions that are meant: all that run, or the newest of a sweep, or the one that is named.

    Raises:
        InputError: The store knows none of that name.
    """
    if which is None:
        return store.running_executions()
    if Path(which).is_file() or which.endswith((".yaml", ".yml")):
        sweep = load(Path(which)).name
        newest = store.newest_named(sweep)
        if newest is None:
            raise InputError(
                f"this broker knows no execution of the sweep {sweep!r}: start it with 'chimera run {which}', or give "
                "the broker that it runs on with --broker"
            )
        return [newest[0].execution]
    if store.status(which) is not None:
        return [which]
    newest = store.newest_named(which)
    if newest is None:
        raise InputError(_unknown(store, which))
    return [newest[0].execution]


def _unknown(store: Store, which: str) -> str:
    running = store.running_executions()
    manifests = [manifest for x in running if (manifest := store.manifest(x)) is not None]
    names = [*dict.fromkeys(manifest.sweep for manifest in manifests), *running]
    near = difflib.get_close_matches(which, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    known = ", ".join(f"{manifest.sweep} ({manifest.execution})" for manifest in manifests)
    told = (
        f"those that run: {known}"
        if known
        else "none runs; results of earlier ones are in their results folder"
    )
    return f"this broker knows no execution or sweep {which!r}{hint}; {told}"


def _runs(cluster: Cluster) -> bool:
    return any(view.live for view in cluster.executions)


def _nothing(cluster: Cluster, which: str | None) -> str:
    if which is None:
        return "nothing runs: start a sweep with 'chimera run SWEEP.yaml'"
    states = ", ".join(_MEANT.get(view.status, str(view.status)) for view in cluster.executions)
    return f"{which} does not run: it is {states}"


_MEANT: dict[Status | None, str] = {
    "finished": "finished: its report waits to be collected (chimera resume)",
    "collected": "collected: its results are in the results folder of whoever ran it",
    "abandoned": "abandoned: the sweep was begun anew",
}


def _show(cluster: Cluster, console: Console) -> None:
    if console.is_interactive:
        console.print(tables(cluster))
        return
    for line in lines(cluster):
        say_line(console, line)


def _watch(look: Callable[[], Cluster], first: Cluster, console: Console) -> None:
    """Show the view anew until nothing of it runs any more."""
    if not console.is_interactive:
        new = NewLines()
        for cluster in _looks(look, first, lambda line: say_line(console, line)):
            for line in new.of(cluster, time.monotonic()):
                say_line(console, line)
        return
    # Not refreshed by itself: between two looks there is nothing new.
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for cluster in _looks(look, first, lambda line: say_line(console, line)):
            live.update(tables(cluster), refresh=True)


def _looks(look: Callable[[], Cluster], first: Cluster, say: Callable[[str], None]) -> Iterator[Cluster]:
    cluster, away = first, False
    yield cluster
    while _runs(cluster):
        time.sleep(REFRESH_S)
        try:
            cluster = look()
        except (redis.ConnectionError, redis.TimeoutError):
            if not away:
                say("Redis is away; waiting for it")
            away = True
            continue
        if away:
            say("Redis is back")
            away = False
        yield cluster
