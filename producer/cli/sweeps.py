"""Commands that plan, carry out, steer and watch sweeps."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console

from contracts import logs
from producer.cli import options
from producer.cli.group import cli
from producer.cli.printing import console_of, plain


@cli.command()
@options.sweep_file
@click.option("--slots", type=click.IntRange(1), help="Number of slots to estimate the duration for.")
@options.results
@options.broker
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
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
    inert = inert_lines(made, known_limits(made, broker))
    if as_json:
        click.echo(plan_json(made, inert))
    else:
        show_plan(made, earlier_job_s(made, results), slots, inert, plain())


@cli.command()
@options.sweep_file
@options.broker
@options.slots
@options.servers
@options.also
@click.option("--fresh", is_flag=True, help="Start anew, even where an execution is unfinished.")
@click.option(
    "--calibrate/--no-calibrate",
    default=True,
    show_default=True,
    help="First calibrate the pool's slots that are not calibrated yet (see chimera calibrate).",
)
@options.results
@options.metrics_port
@options.metrics_address
@options.log_format
def run(
    sweep_file: Path,
    broker: str | None,
    slots: int | None,
    servers: tuple[str, ...],
    also: tuple[str, ...],
    fresh: bool,
    calibrate: bool,
    results: Path,
    metrics_port: int | None,
    metrics_address: str,
    log_format: logs.Form,
) -> None:
    """Run a sweep, or resume it where it is unfinished, and write its report."""
    from producer.broker import given_broker
    from producer.embedded import hand_on_further
    from producer.execution import RunOptions, run
    from producer.progress import say_line

    _end_by_interrupt()
    hand_on_further(also, given_broker(broker))
    console = console_of(log_format)
    options = RunOptions(
        sweep_file, broker, slots, servers, fresh, calibrate, results, metrics_port, metrics_address
    )
    folder = run(options, console)
    say_line(console, f"report: {folder / 'report.html'}")


_which = click.argument("which", metavar="SWEEP.yaml|EXECUTION")


@cli.command()
@_which
@options.broker
@options.slots
@options.servers
@options.also
@options.results
def resume(
    which: str,
    broker: str | None,
    slots: int | None,
    servers: tuple[str, ...],
    also: tuple[str, ...],
    results: Path,
) -> None:
    """Go on with an execution that was paused or whose producer died, and write its report.

    Refused where the sweep file, or a file that it ingests, has changed since; the difference is shown.
    """
    from producer.broker import find_broker
    from producer.control import ControlOptions, resume
    from producer.embedded import hand_on_further
    from producer.progress import say_line

    _end_by_interrupt()
    hand_on_further(also, find_broker(broker))
    console = plain()
    folder = resume(ControlOptions(which, broker, results, slots, servers), console)
    if folder is not None:
        say_line(console, f"report: {folder / 'report.html'}")


@cli.command()
@_which
@options.broker
def pause(which: str, broker: str | None) -> None:
    """Measure nothing new of an execution until 'chimera resume'; jobs that run are finished."""
    from producer.control import ControlOptions, pause

    pause(ControlOptions(which, broker), Console())


@cli.command()
@_which
@options.broker
@options.results
@click.option("--now", is_flag=True, help="Kill the jobs that run instead of finishing them.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for the report and write it.")
def cancel(which: str, broker: str | None, results: Path, now: bool, wait: bool) -> None:
    """End an execution before its time; its report is of what was measured, and names what is missing."""
    from producer.control import ControlOptions, cancel
    from producer.progress import say_line

    console = plain()
    folder = cancel(ControlOptions(which, broker, results), console, now=now, wait=wait)
    if folder is not None:
        say_line(console, f"report: {folder / 'report.html'}")


@cli.command()
@click.argument("which", required=False, metavar="[SWEEP.yaml|SWEEP|EXECUTION]")
@options.broker
@click.option("--watch", is_flag=True, help="Show it anew each second until it is over.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def status(which: str | None, broker: str | None, watch: bool, as_json: bool) -> None:
    """Show how far the running sweeps are, what failed, what each slot does, and the time left.

    \b
    exit code 0  shown; with --watch: it is over, or no longer watched
              2  wrong input, or Redis can't be reached
              3  nothing runs of what was asked for
    """
    from producer.status import StatusOptions, status

    sys.exit(status(StatusOptions(which, broker, watch, as_json), Console()))


def _end_by_interrupt() -> None:
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), _as_interrupt)


def _as_interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
