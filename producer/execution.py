"""``chimera run`` and ``producer.run``: plan → check → publish → follow → results."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from analysis.ending import Ending
from contracts.celery_app import make_app
from contracts.manifest import Manifest
from contracts.metrics import LOOPBACK, serve_store
from contracts.redis_client import check, connect
from contracts.slots import SlotStatus
from contracts.store import Store
from contracts.workloads import CorpusWorkload
from dispatch.dispatcher import Dispatcher
from dispatch.generation import start_generation
from dispatch.steward import Steward
from producer.broker import given_broker, home
from producer.calibrate import calibrate_slots, describe
from producer.embedded import Embedded, check_slots_asked
from producer.ending_table import show_ending
from producer.follow import follow, following
from producer.ground import facts_below
from producer.manifest import make_manifest
from producer.plan import Plan, make_plan
from producer.preflight import check_slots, ill_slots
from producer.progress import ProgressView, say_line
from producer.results import check_writable, write_results
from producer.sweep_file import load
from producer.tables import jobs_in_words, until_in_words, work_in_words
from producer.watch_eta import Estimator

MANY_JOBS = 5_000
"""Whose results take longer to write than people wait without a word: some 2 ms a job."""


@dataclass(frozen=True)
class RunOptions:
    """What ``chimera run`` was asked."""

    sweep_file: Path
    broker: str | None = None
    slots: int | None = None
    servers: tuple[str, ...] = ()
    fresh: bool = False
    calibrate: bool = True
    results: Path = Path("results")
    metrics_port: int | None = None
    """Where the cluster's metrics are served while the sweep runs; ``None``: nowhere."""
    metrics_address: str = LOOPBACK


def run(options: RunOptions, console: Console) -> Path:
    """Run a sweep and return the folder of its results.

    Raises:
        ChimeraError: with a message for the user; nothing was sent where it is an input or set-up error.
    """
    return run_plan(make_plan(load(options.sweep_file), options.sweep_file), options, console)


def run_plan(plan: Plan, options: RunOptions, console: Console) -> Path:
    """Run a sweep that is planned already; else as :func:`run`."""
    check_writable(options.results)
    url = given_broker(options.broker)
    check_slots_asked(options.slots, options.servers, url)
    if url is not None:
        check(connect(url, retries=0), url)
        return _run_on(url, plan, options, console)
    say = partial(say_line, console)
    embedded = Embedded(
        plan, home(), slots=options.slots, servers=options.servers, say=say, fresh=options.fresh
    )
    try:
        with embedded:
            return _run_on(embedded.url, plan, options, console, embedded)
    except KeyboardInterrupt:
        # A second one may have cut the stopping short, and a notebook's process lives on, with all that it started.
        with _uninterrupted():
            embedded.__exit__(None, None, None)
        raise


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C; in another thread than the main one there is none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run_on(
    url: str, plan: Plan, options: RunOptions, console: Console, embedded: Embedded | None = None
) -> Path:
    if options.metrics_port is not None:
        with serve_store(url, options.metrics_port, options.metrics_address):
            return _run_on(url, plan, replace(options, metrics_port=None), console, embedded)
    store = Store(connect(url))
    slots = check_slots(plan, store)
    unfinished = _unfinished(store, plan, options.fresh)
    manifest = unfinished or _begin(store, plan, slots)
    if embedded is not None:
        store.put_embedded(manifest.execution, *embedded.begun_with)
    _announce(plan, slots, console)
    for line in ill_slots(plan.spec.pool, store):
        say_line(console, line)
    with following(store, manifest.execution, embedded.watch if embedded else lambda: None) as watch:
        if options.calibrate and (not unfinished or is_missing_any(store, manifest)):
            _calibrate(url, slots, console, watch)
        store.put_base_dir(manifest.execution, str(plan.base_dir))
        return carry_out(
            url, store, manifest, options.results, console, watch, resumed=unfinished is not None
        )


def carry_out(
    url: str,
    store: Store,
    manifest: Manifest,
    results: Path,
    console: Console,
    watch: Callable[[], None],
    *,
    resumed: bool,
) -> Path:
    """Publish what an execution lacks, follow it to its end, write its results; return their folder.

    ``watch``: from :func:`producer.follow.following`.
    """
    execution = manifest.execution
    steward = Steward(store, make_app(url, max_deadline_s=manifest.spec.deadline), execution)
    steward.hold()
    try:
        mark = store.last_told(execution)
        planned = sum(manifest.with_rounds(store.rounds(execution)).runs_planned().values())
        status = store.status(execution)
        measures = status in ("running", "paused")
        if measures:
            # From here on no older message is carried out: what is missing now stays so until it is published.
            begin_generation(store, steward.dispatcher, manifest)
        done = store.progress(execution).done
        if resumed:
            grows = "" if manifest.spec.until_precise is None else " so far"
            stands = f"{done} of {planned} jobs{grows} are done"
            say_line(
                console,
                f"resuming the unfinished execution {execution}: {stands}, {planned - done} run now "
                "(--fresh starts anew)"
                if measures
                else f"collecting the {status} execution {execution}: {stands}",
            )
        grows_later = measures and steward.next_block is not None
        estimates = Estimator(store, manifest)
        with ProgressView(console, planned, done, grows=grows_later, estimates=estimates) as view:
            ended = follow(store, steward, view, watch, mark)
    finally:
        steward.release()
    if ended.done >= MANY_JOBS:
        say_line(console, f"writing the results of {ended.done:,} jobs")
    folder = write_results(store, execution, results)
    store.set_collected(execution)
    if (ending := store.ending(execution)) is not None:
        show_ending(Ending.model_validate_json(ending), console)
    return folder


def begin_generation(store: Store, dispatcher: Dispatcher, manifest: Manifest) -> None:
    """Begin a generation; where a pause was asked for meanwhile, or before the first one, the execution is paused then."""
    start_generation(store, dispatcher, manifest)
    if store.pause_asked(manifest.execution):
        store.set_status(manifest.execution, "paused", after=("running",))


def is_missing_any(store: Store, manifest: Manifest) -> bool:
    """Return whether any job of the execution has no outcome."""
    planned = manifest.with_rounds(store.rounds(manifest.execution)).runs_planned()
    return sum(store.counts(manifest.execution).done.values()) < sum(planned.values())


def _announce(plan: Plan, slots: list[SlotStatus], console: Console) -> None:
    say_line(
        console,
        f"{plan.spec.name}: {jobs_in_words(plan)}, each {work_in_words(plan)}, "
        f"on slot(s) {', '.join(slot.slot for slot in slots)}",
    )
    until = until_in_words(plan.spec)
    if until is not None:
        say_line(console, f"until {until}")


def _calibrate(url: str, slots: list[SlotStatus], console: Console, watch: Callable[[], None]) -> None:
    say = partial(say_line, console)
    new = [slot for slot in slots if slot.floor is None]
    if new:
        say(
            f"calibrating slot(s) {', '.join(slot.slot for slot in new)}: under 20 s each, slots of a host in turn"
        )
        for floor in calibrate_slots(url, new, say, watch):
            say(f"measurement floor of {floor.slot}: {describe(floor)}")


def _unfinished(store: Store, plan: Plan, fresh: bool) -> Manifest | None:
    """Return the manifest of the sweep's newest execution if its results are not on disk yet."""
    newest = store.newest(plan.sweep_id)
    if newest is None or newest[1] in ("collected", "abandoned"):
        return None
    execution = newest[0].execution
    if fresh:
        store.abandon(execution)  # what is left of it in the queues is dropped
        return None
    take_up(store, execution)
    return newest[0]


def take_up(store: Store, execution: str) -> None:
    """Note that an execution is taken up again where it is to go on; what dead workers left of it is forgotten."""
    for job_id in store.progress(execution).running:
        if not store.claimed(execution, job_id):
            store.forget_running(execution, job_id)
    if store.status(execution) in ("running", "paused"):
        store.ask_for_pause(execution, False)
        store.count_resumed(execution)
        store.tell(execution, f"{execution} goes on")


def _begin(store: Store, plan: Plan, slots: list[SlotStatus]) -> Manifest:
    balanced = plan.spec.order.placement == "balanced"
    manifest = make_manifest(plan, tuple(sorted(slot.slot for slot in slots)) if balanced else ())
    workload = plan.spec.workload
    facts = facts_below(workload.paths, plan.base_dir) if isinstance(workload, CorpusWorkload) else None
    store.begin(manifest, facts, status="paused", base_dir=str(plan.base_dir))
    return manifest
