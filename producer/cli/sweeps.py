"""Commands that plan, carry out, steer and watch sweeps."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

import click

from contracts import logs
from producer.cli import options
from producer.cli.exits import NOTHING_RUNS, OK, WRONG
from producer.cli.group import cli
from producer.cli.options import option
from producer.cli.printing import console, console_for, console_of

if TYPE_CHECKING:
    from rich.console import Console


@cli.command(
    examples=[
        ("plan sweep.yaml", "configurations, number of jobs and their order"),
        ("plan sweep.yaml --slots 4", "the same, with the time that four slots would take"),
        ("plan sweep.yaml --json > plan.json", "for a script"),
    ],
    after="'chimera run SWEEP.yaml' measures it.",
    document="producer.documents:PlanDocument",
    short_help="show what a sweep file would measure; send nothing",
)
@options.sweep_file
@option("--slots", type=click.IntRange(1), help="Number of slots to estimate the duration for.")
@options.results
@options.as_json
@options.broker
def plan(sweep_file: Path, slots: int | None, results: Path, broker: str | None, as_json: bool) -> None:
    """Print configurations, number of jobs, order, estimated duration and inert axes; send nothing.

    Live slots, if there are any, tell the limits of their models.
    """
    from producer.estimate import earlier_job_s
    from producer.inert import inert_lines, known_limits
    from producer.plan import make_plan
    from producer.sweep_file import load
    from producer.tables import plan_json, show_plan

    made = make_plan(load(sweep_file), sweep_file)
    inert, job_s = inert_lines(made, known_limits(made, broker)), earlier_job_s(made, results)
    if as_json:
        click.echo(plan_json(made, inert, job_s))
    else:
        show_plan(made, job_s, slots, inert, console())


@cli.command(
    examples=[
        ("run sweep.yaml", "on this machine: an embedded Redis and model server, real workers"),
        ("run sweep.yaml --server http://127.0.0.1:11434", "with a model server of yours, such as an Ollama"),
        ("run sweep.yaml --broker redis://redis.example:6379/0", "on the slots of a cluster"),
        ("run sweep.yaml --fresh", "anew, though it is unfinished"),
    ],
    after="'chimera status' in another terminal shows it; Ctrl-C stops it, and the same command resumes it. "
    "The last line names the report; 'chimera compare' compares two results.",
    document="producer.documents:ExecutionDocument",
    short_help="measure it, or resume it where it is unfinished, and write the report",
)
@options.sweep_file
@option("--fresh", is_flag=True, help="Start anew, even where an execution is unfinished.")
@option(
    "--calibrate/--no-calibrate",
    default=True,
    show_default=True,
    help="First calibrate the pool's slots that are not calibrated yet (see chimera calibrate).",
)
@options.results
@options.as_json
@options.broker
@options.slots
@options.servers
@options.also
@options.log_format
@options.metrics_port
@options.metrics_address
def run(
    sweep_file: Path,
    broker: str | None,
    slots: int | None,
    servers: tuple[str, ...],
    also: tuple[str, ...],
    fresh: bool,
    calibrate: bool,
    results: Path,
    as_json: bool,
    metrics_port: int | None,
    metrics_address: str,
    log_format: logs.Form,
) -> None:
    """Run a sweep, or resume it where it is unfinished, and write its report."""
    from producer.broker import given_broker
    from producer.embedded import hand_on_further
    from producer.execution import RunOptions, run

    _end_by_interrupt()
    hand_on_further(also, given_broker(broker))
    asked = RunOptions(
        sweep_file, broker, slots, servers, fresh, calibrate, results, metrics_port, metrics_address
    )
    told = console_of(log_format, as_json)
    _reported(run(asked, told), told, as_json)


@cli.command(
    examples=[
        ("resume sweep.yaml", "the unfinished execution of this sweep"),
        ("resume 20261122T104207.123Z-1f2e3d4c", "that one, whatever the sweep file holds now"),
    ],
    after="As with 'chimera run': the last line names the report.",
    document="producer.documents:ExecutionDocument",
    short_help="go on with one that was paused or whose producer died",
)
@options.which
@options.results
@options.as_json
@options.broker
@options.slots
@options.servers
@options.also
def resume(
    which: str,
    broker: str | None,
    slots: int | None,
    servers: tuple[str, ...],
    also: tuple[str, ...],
    results: Path,
    as_json: bool,
) -> None:
    """Go on with an execution that was paused or whose producer died, and write its report.

    Refused where the sweep file, or a file that it ingests, has changed since; the difference is shown.
    """
    from producer.broker import find_broker
    from producer.control import ControlOptions, resume
    from producer.embedded import hand_on_further

    _end_by_interrupt()
    hand_on_further(also, find_broker(broker))
    told = console_for(as_json)
    steered = resume(ControlOptions(which, broker, results, slots, servers), told)
    _reported(steered.folder, told, as_json, steered.execution, steered.sweep, "running")


@cli.command(
    examples=[("pause sweep.yaml", "the slots are free when the jobs that run are finished")],
    after="'chimera resume SWEEP.yaml' goes on.",
    document="producer.documents:ExecutionDocument",
    short_help="measure nothing new until it is resumed",
)
@options.which
@options.as_json
@options.broker
def pause(which: str, broker: str | None, as_json: bool) -> None:
    """Measure nothing new of an execution until 'chimera resume'; jobs that run are finished."""
    from producer.control import ControlOptions, pause

    told = console_for(as_json)
    steered = pause(ControlOptions(which, broker), told)
    _reported(None, told, as_json, steered.execution, steered.sweep, "paused")


@cli.command(
    examples=[
        ("cancel sweep.yaml", "jobs that run are finished, then comes the report"),
        ("cancel sweep.yaml --now --no-wait", "at once; 'chimera resume' collects the report later"),
    ],
    after="The report names what is missing; 'chimera run --fresh SWEEP.yaml' begins anew.",
    document="producer.documents:ExecutionDocument",
    short_help="end it before its time, with a report of what was measured",
)
@options.which
@option("--now", is_flag=True, help="Kill the jobs that run instead of finishing them.")
@option("--wait/--no-wait", default=True, show_default=True, help="Wait for the report and write it.")
@options.results
@options.as_json
@options.broker
def cancel(which: str, broker: str | None, results: Path, now: bool, wait: bool, as_json: bool) -> None:
    """End an execution before its time; its report is of what was measured, and names what is missing."""
    from producer.control import ControlOptions, cancel

    told = console_for(as_json)
    steered = cancel(ControlOptions(which, broker, results), told, now=now, wait=wait)
    _reported(steered.folder, told, as_json, steered.execution, steered.sweep, "cancelled")


@cli.command(
    examples=[
        ("status", "all that runs"),
        ("status sweep.yaml --watch", "one sweep, anew each second until it is over"),
        ("status --json", "everything, for a script"),
    ],
    after="'chimera pause', 'resume' and 'cancel' steer it; 'chimera flower' shows each job.",
    exits={
        OK: "shown; with --watch: it is over, or no longer watched",
        WRONG: "wrong input, or Redis can't be reached",
        NOTHING_RUNS: "nothing runs of what was asked for",
    },
    document="producer.watch:Cluster",
    short_help="how far it is, what failed, what each slot does, the time left",
)
@options.which_if_any
@option("--watch", is_flag=True, help="Show it anew each second until it is over.")
@options.as_json
@options.broker
def status(which: str | None, broker: str | None, watch: bool, as_json: bool) -> None:
    """Show how far the running sweeps are, what failed, what each slot does, and the time left."""
    from producer.status import StatusOptions, status

    sys.exit(status(StatusOptions(which, broker, watch, as_json), console()))


def _reported(
    folder: Path | None,
    told: Console,
    as_json: bool,
    execution: str | None = None,
    sweep: str | None = None,
    status: Literal["running", "paused", "cancelled"] = "running",
) -> None:
    """Say last where the report is, or print the document; without a folder there is no report yet."""
    if as_json:
        from producer.documents import ExecutionDocument, execution_document

        none = ExecutionDocument(execution=execution, sweep=sweep, status=status)
        click.echo((none if folder is None else execution_document(folder)).model_dump_json(indent=2))
    elif folder is not None:
        from producer.progress import say_line

        say_line(told, f"report: {folder / 'report.html'}")


def _end_by_interrupt() -> None:
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), _as_interrupt)


def _as_interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
