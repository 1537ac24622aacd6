"""``chimera cancel``, ``pause`` and ``resume``: steer executions that run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from contracts.celery_app import make_app
from contracts.failures import InputError, SetupError, SweepIncomplete
from contracts.manifest import Manifest
from contracts.queues import job_task_id
from contracts.redis_client import check, connect
from contracts.store import LIVE, Status, Store
from dispatch.steward import Steward
from producer.broker import find_broker, given_broker, home, need_broker
from producer.differences import differences
from producer.embedded import Embedded, check_slots_asked
from producer.execution import begin_generation, carry_out, take_up
from producer.follow import following, is_followed
from producer.plan import Plan, make_plan
from producer.progress import say_line
from producer.results import check_writable
from producer.status import executions
from producer.sweep_file import load


@dataclass(frozen=True)
class ControlOptions:
    """Which executions are meant, and where."""

    which: str
    """A sweep file, a sweep's name or an execution."""
    broker: str | None = None
    results: Path = Path("results")
    slots: int | None = None
    servers: tuple[str, ...] = ()
    """Embedded: with what it is resumed; not given: with what it was begun."""


@dataclass(frozen=True)
class Steered:
    """The execution that was meant, and what became of it."""

    execution: str
    sweep: str
    folder: Path | None = None
    """Of its results; ``None``: this command writes none."""


def pause(options: ControlOptions, console: Console) -> Steered:
    """Measure nothing new of an execution; the jobs that run are finished.

    Raises:
        InputError: it does not run.
    """
    store, _ = _store(options.broker)
    (execution,) = executions(store, options.which)
    store.ask_for_pause(execution, True)
    status = store.set_status(execution, "paused", after=("running",))
    if status != "paused":
        raise InputError(f"{execution} can't be paused: it is {_over(status)}")
    line = f"{execution} is paused: jobs that run are finished; go on with 'chimera resume {execution}'"
    store.tell(execution, line)
    say_line(console, line)
    return Steered(execution, _manifest(store, execution).sweep)


def cancel(options: ControlOptions, console: Console, *, now: bool, wait: bool) -> Steered:
    """End an execution; its report is of what was measured, and names what is missing.

    ``now``: jobs that run are killed, not finished. ``wait``: for the report.

    Raises:
        InputError: it is over already.
    """
    store, url = _store(options.broker)
    (execution,) = executions(store, options.which)
    manifest, generation = _manifest(store, execution), store.generation(execution)
    assert generation is not None
    if (
        not store.cancel(execution, "cancelled by 'chimera cancel'")
        and store.status(execution) != "cancelled"
    ):
        raise InputError(f"{execution} can't be cancelled: it is {_over(store.status(execution))}")
    running = store.progress(execution).running
    if now and running:
        app = make_app(url, max_deadline_s=manifest.spec.deadline)
        tasks = [job_task_id(execution, generation, job_id) for job_id in running]
        app.control.revoke(tasks, terminate=True, signal="SIGKILL")
    how = "killed" if now else "finished first"
    line = f"{execution} is cancelled: {len(running)} job(s) that run are {how}; then comes the report"
    store.tell(execution, line)
    say_line(console, line)
    folder = _carry_out(store, url, manifest, options, console) if wait else None
    return Steered(execution, manifest.sweep, folder)


def resume(options: ControlOptions, console: Console) -> Steered:
    """Go on with an execution that was paused or whose producer died.

    Where somebody else follows it, that one will write the results.

    Raises:
        InputError: its sweep file, or a file that it ingests, has changed; or nothing is left to resume.
    """
    check_writable(options.results)
    plan = _plan(options.which)
    found = find_broker(options.broker)
    check_slots_asked(options.slots, options.servers, found)
    if plan is None or found is not None:
        store, url = _store(options.broker)
        return _go_on(store, url, options, plan, console)
    say = partial(say_line, console)
    with Embedded(plan, home(), slots=options.slots, servers=options.servers, say=say) as embedded:
        store = Store(connect(embedded.url))
        return _go_on(store, embedded.url, options, plan, console, embedded)


def _go_on(
    store: Store,
    url: str,
    options: ControlOptions,
    plan: Plan | None,
    console: Console,
    embedded: Embedded | None = None,
) -> Steered:
    execution = _meant(store, options.which, plan)
    manifest, status = _manifest(store, execution), store.status(execution)
    if plan is not None and plan.sweep_id != manifest.sweep_id:
        raise InputError("\n".join(_changed(execution, plan, manifest)))
    if status in ("collected", "abandoned"):
        raise InputError(f"{execution} can't be resumed: it is {_over(status)}; 'chimera run' starts anew")
    if plan is not None:
        store.put_base_dir(execution, str(plan.base_dir))
    if status == "paused" and is_followed(store, execution):
        store.ask_for_pause(execution, False)
        if store.generation(execution):  # else it begins when its slots are calibrated
            app = make_app(url, max_deadline_s=manifest.spec.deadline)
            begin_generation(store, Steward(store, app, execution).dispatcher, manifest)
        say_line(console, f"{execution} goes on; it is followed elsewhere, which writes its results")
        return Steered(execution, manifest.sweep)
    if status == "paused" and embedded is None and given_broker(options.broker) is None:
        raise SetupError(
            f"{execution} can't be resumed now: another sweep runs with the embedded Redis in {home()}; "
            "wait until it is over ('chimera status')"
        )
    take_up(store, execution)
    folder = _carry_out(store, url, manifest, options, console, embedded)
    return Steered(execution, manifest.sweep, folder)


def _carry_out(
    store: Store,
    url: str,
    manifest: Manifest,
    options: ControlOptions,
    console: Console,
    embedded: Embedded | None = None,
) -> Path:
    watch = embedded.watch if embedded else partial(_watch, options.broker)
    with following(store, manifest.execution, watch) as watch:
        return carry_out(url, store, manifest, options.results, console, watch, resumed=True)


def _watch(broker: str | None) -> None:
    """Raise where the embedded Redis of another command has been ended by that: it does not come back."""
    if given_broker(broker) is None and not (home() / "broker").exists():
        raise SweepIncomplete(
            "the 'chimera run' whose embedded Redis this was has ended: it has written the results, "
            "or 'chimera resume' goes on"
        )


def _meant(store: Store, which: str, plan: Plan | None) -> str:
    """Return the unfinished execution of exactly this sweep; there is none: the newest of that name."""
    same = None if plan is None else store.newest(plan.sweep_id)
    if same is not None and same[1] in (*LIVE, "finished"):
        return same[0].execution
    (execution,) = executions(store, which)
    return execution


def _changed(execution: str, plan: Plan, manifest: Manifest) -> list[str]:
    lines = [f"{plan.sweep_file} is not what {execution} was begun with; it is not resumed. What differs:"]
    lines += [f"  {line}" for line in differences(manifest, plan)]
    lines.append(
        f"Put it back, or resume by 'chimera resume {execution}', or start anew: chimera run {plan.sweep_file}"
    )
    return lines


def _over(status: Status | None) -> str:
    """Return the status, with where its results are where it is over."""
    where = {
        "finished": "; 'chimera resume' collects its report",
        "collected": "; its results are in the results folder of whoever ran it",
        "abandoned": ", as the sweep was begun anew",
    }
    return f"{status}{where.get(str(status), '')}"


def _manifest(store: Store, execution: str) -> Manifest:
    manifest = store.manifest(execution)
    assert manifest is not None
    return manifest


def _plan(which: str) -> Plan | None:
    path = Path(which)
    return make_plan(load(path), path) if path.is_file() or path.suffix in (".yaml", ".yml") else None


def _store(broker: str | None) -> tuple[Store, str]:
    url = need_broker(broker)
    check(connect(url, retries=0), url)
    return Store(connect(url)), url
