"""The command line. Every command is a thin call into the module of its name."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import click
from rich.console import Console
from rich.text import Text

from contracts import logs
from contracts.failures import ChimeraError
from contracts.settings import BROKER, DEFAULT_MAX_DEADLINE_S, DEFAULT_POOL, SERVER, SERVERS
from producer.several_paths import SeveralPaths

EXIT_INTERRUPTED = 130
DEBUG = "CHIMERA_DEBUG"
"""Environment variable: an unexpected error shows its traceback."""
PIPE_COLUMNS = 160

_broker = click.option(
    "--broker",
    metavar="URL",
    help=f"Redis URL, one with a password better as {BROKER}; else that; else the embedded Redis of this machine.",
)
_loglevel = click.option(
    "--loglevel",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much the worker writes to its log.",
)
_log_format = click.option(
    "--log-format",
    type=click.Choice(logs.FORMS),
    default=logs.form_given,
    show_default="text",
    help="json: one object a line, with the ids of sweep, job and slot (docs/watching.md).",
)
_metrics_port = click.option(
    "--metrics-port", type=click.IntRange(0, 65535), help="Serve metrics for Prometheus at this port."
)
_metrics_address = click.option(
    "--metrics-address",
    default="127.0.0.1",
    show_default=True,
    help="Where it listens; there is no password.",
)
_results = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder of all results.",
)
_slots = click.option(
    "--slots",
    type=click.IntRange(1, 64),
    help="Embedded: number of slots; 1, or as the unfinished execution was begun.",
)
_servers = click.option(
    "--server",
    "servers",
    multiple=True,
    envvar=SERVERS,
    metavar="URL",
    help="Embedded: a model server of yours; one slot for each. Or as the unfinished execution was begun.",
)
_sweep_file = click.argument("sweep_file", type=click.Path(path_type=Path), metavar="SWEEP.yaml")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="chimera-bench")
def cli() -> None:
    """Measurements of LLM model servers across a GPU cluster.

    \b
    chimera plan  examples/quickstart.yaml     what would be done; sends nothing
    chimera run   examples/quickstart.yaml     do it, with an embedded Redis and model server
    chimera report results/…/stages.jsonl --out DIR
    """


@cli.command()
@_sweep_file
@click.option("--slots", type=click.IntRange(1), help="Number of slots to estimate the duration for.")
@_results
@_broker
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
        show_plan(made, earlier_job_s(made, results), slots, inert, _plain())


@cli.command()
@_sweep_file
@_broker
@_slots
@_servers
@click.option("--fresh", is_flag=True, help="Start anew, even where an execution is unfinished.")
@click.option(
    "--calibrate/--no-calibrate",
    default=True,
    show_default=True,
    help="First calibrate the pool's slots that are not calibrated yet (see chimera calibrate).",
)
@_results
@_metrics_port
@_metrics_address
@_log_format
def run(
    sweep_file: Path,
    broker: str | None,
    slots: int | None,
    servers: tuple[str, ...],
    fresh: bool,
    calibrate: bool,
    results: Path,
    metrics_port: int | None,
    metrics_address: str,
    log_format: logs.Form,
) -> None:
    """Run a sweep, or resume it where it is unfinished, and write its report."""
    from producer.progress import say_line
    from producer.run import RunOptions, run

    _end_by_interrupt()
    console = _console(log_format)
    options = RunOptions(
        sweep_file, broker, slots, servers, fresh, calibrate, results, metrics_port, metrics_address
    )
    folder = run(options, console)
    say_line(console, f"report: {folder / 'report.html'}")


_which = click.argument("which", metavar="SWEEP.yaml|EXECUTION")


@cli.command()
@_which
@_broker
@_slots
@_servers
@_results
def resume(
    which: str, broker: str | None, slots: int | None, servers: tuple[str, ...], results: Path
) -> None:
    """Go on with an execution that was paused or whose producer died, and write its report.

    Refused where the sweep file, or a file that it ingests, has changed since; the difference is shown.
    """
    from producer.control import ControlOptions, resume
    from producer.progress import say_line

    _end_by_interrupt()
    console = _plain()
    folder = resume(ControlOptions(which, broker, results, slots, servers), console)
    if folder is not None:
        say_line(console, f"report: {folder / 'report.html'}")


@cli.command()
@_which
@_broker
def pause(which: str, broker: str | None) -> None:
    """Measure nothing new of an execution until 'chimera resume'; jobs that run are finished."""
    from producer.control import ControlOptions, pause

    pause(ControlOptions(which, broker), Console())


@cli.command()
@_which
@_broker
@_results
@click.option("--now", is_flag=True, help="Kill the jobs that run instead of finishing them.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for the report and write it.")
def cancel(which: str, broker: str | None, results: Path, now: bool, wait: bool) -> None:
    """End an execution before its time; its report is of what was measured, and names what is missing."""
    from producer.control import ControlOptions, cancel
    from producer.progress import say_line

    console = _plain()
    folder = cancel(ControlOptions(which, broker, results), console, now=now, wait=wait)
    if folder is not None:
        say_line(console, f"report: {folder / 'report.html'}")


@cli.command()
@click.argument("results", type=click.Path(path_type=Path), metavar="RESULTS")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write into.")
@click.option("--sd", type=click.Choice(["sample", "population"]), default="sample", show_default=True)
@click.option(
    "--ranking",
    type=click.Choice(["clean-first", "speed"]),
    help="clean-first: degenerate answers never stand above none. Default: as the sweep file says.",
)
@click.option(
    "--baseline",
    metavar="NAME",
    help="Configuration that the others are compared with. Default: as the sweep file says, else the server's "
    "defaults, else the first.",
)
@click.option(
    "--each",
    type=click.Choice(["configuration", "agent"]),
    multiple=True,
    help="Also one Markdown file for each configuration, in the layout of a configuration's report or of an "
    "agent's; may be repeated.",
)
def report(
    results: Path, out: Path, sd: Any, ranking: Any, baseline: str | None, each: tuple[Any, ...]
) -> None:
    """Aggregate again, offline: RESULTS is a results folder, a stages.jsonl or a CSV of its columns."""
    from producer.report import ReportOptions, report

    click.echo(report(results, out, ReportOptions(sd, ranking, baseline, each)))


@cli.command()
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("candidate", type=click.Path(path_type=Path))
@click.option(
    "--fail-on",
    multiple=True,
    metavar="METRIC:±N%",
    help="A significant worsening beyond it is a regression: throughput:-3%, ttft:+5%; may be repeated. "
    "Metrics: throughput, ttft, itl, duration, energy, ungrounded.",
)
@click.option(
    "--allow",
    multiple=True,
    metavar="NAME,…",
    help="What may differ: workload, warmup, model, parameters, context, server, server-version, pool, hardware.",
)
@click.option(
    "--metrics",
    multiple=True,
    metavar="METRIC,…",
    help="Compare these alone: fewer tests show smaller differences. Choose before you look.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for compare.md, .html and .json.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(
    baseline: Path,
    candidate: Path,
    fail_on: tuple[str, ...],
    allow: tuple[str, ...],
    metrics: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Compare two results, offline: results folders, stages.jsonl or CSV.

    \b
    exit code 0  compared; no regression (without --fail-on there is none)
              1  a regression beyond --fail-on
              2  not compared: the results are not comparable (--allow names what may differ), a --fail-on
                 could be tested nowhere, or wrong input; the message says which
    """
    from producer.compare import CompareOptions, compare, render_json, show, wide_console, write

    result = compare(CompareOptions(baseline, candidate, fail_on, allow, metrics, out))
    paths = write(result, out) if out is not None else []
    if as_json:
        click.echo(render_json(result), nl=False)
    elif result.comparable:
        show(result, wide_console())
    for problem in result.problems:
        click.echo(f"chimera: {problem}", err=True)
    for path in paths:
        click.echo(f"written: {path}", err=as_json)
    sys.exit(result.exit_code)


@cli.command()
@click.argument("results", type=click.Path(path_type=Path), metavar="RESULTS")
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "csv", "parquet"]), help="Default: by --out's ending."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="File, or a folder. Default: the result's name, here."
)
def export(results: Path, form: Any, out: Path | None) -> None:
    """Write the stages of RESULTS as JSON lines, CSV or Parquet, for pandas, DuckDB, R and their kin."""
    from producer.export import export

    for line in export(results, out, form):
        click.echo(line)


@cli.command(cls=SeveralPaths)
@click.argument("text", metavar="TEXT.md", required=False)
@click.option(
    "--paths", multiple=True, required=True, metavar="DIR…", help="The files that the text is about."
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of {figure, context, verdict, truth}.")
def ground(text: str | None, paths: tuple[str, ...], as_json: bool) -> None:
    """Check every number, file count, date and file name of a text (- for standard input) against files.

    Supported, contradicted (with the true value) or not found; docs/grounding.md has the rules.
    """
    from producer.ground import ground_file

    ground_file(text, paths, as_json, Console())


@cli.command()
@click.option("--slot", required=True, help="Name of the slot, unique in the cluster, such as h1g0.")
@click.option(
    "--server",
    required=True,
    envvar=SERVER,
    metavar="URL",
    help=f"The slot's model server; one with a password better as {SERVER}.",
)
@click.option(
    "--pool",
    default=DEFAULT_POOL,
    show_default=True,
    help="Hardware class of the slot: a sweep runs in one pool.",
)
@click.option("--gpu", type=click.IntRange(0), help="Index of the slot's GPU.")
@click.option(
    "--max-deadline", type=float, default=DEFAULT_MAX_DEADLINE_S, show_default=True, metavar="SECONDS"
)
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=25.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the running job may go on after SIGTERM before it is handed back.",
)
@_loglevel
@_log_format
@_metrics_port
@_metrics_address
@_broker
def worker(
    slot: str,
    server: str,
    pool: str,
    gpu: int | None,
    max_deadline: float,
    grace: float,
    loglevel: str,
    log_format: str,
    metrics_port: int | None,
    metrics_address: str,
    broker: str | None,
) -> None:
    """Start the worker of one slot: one process, one job at a time."""
    arguments = ["--slot", slot, "--pool", pool]
    arguments += [] if gpu is None else ["--gpu", str(gpu)]
    arguments += ["--max-deadline", repr(max_deadline), "--grace", repr(grace), "--loglevel", loglevel]
    arguments += _watched(log_format, metrics_port, metrics_address)
    _become([sys.executable, "-m", "worker", *arguments], broker, {SERVER: server})


@cli.command()
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help="Configurations summarised at once; 2 unless there is one CPU core.",
)
@_loglevel
@_log_format
@_metrics_port
@_metrics_address
@_broker
def aggregator(
    processes: int | None,
    loglevel: str,
    log_format: str,
    metrics_port: int | None,
    metrics_address: str,
    broker: str | None,
) -> None:
    """Start the worker that turns outcomes into summaries and reports; a cluster needs one."""
    arguments = ["--aggregator", "--loglevel", loglevel]
    arguments += [] if processes is None else ["--processes", str(processes)]
    arguments += _watched(log_format, metrics_port, metrics_address)
    _become([sys.executable, "-m", "worker", *arguments], broker)


@cli.command()
@_broker
@click.option("--address", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=5555, show_default=True)
@click.option(
    "--auth-file",
    type=click.Path(path_type=Path),
    help="File of user:password, a line each, that Flower asks for; else CHIMERA_FLOWER_AUTH. Needed off loopback.",
)
def flower(broker: str | None, address: str, port: int, auth_file: Path | None) -> None:
    """Start Flower on the broker, also on the embedded one while a sweep runs. It shows, and changes nothing."""
    from producer.flower import command, environment

    more = environment(address, auth_file)
    _become(command(address, port), broker, more)


@cli.command()
@_broker
@click.option("--slot", "names", multiple=True, help="Only this slot; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the floors as JSON.")
def calibrate(broker: str | None, names: tuple[str, ...], as_json: bool) -> None:
    """Measure what Chimera's own client adds to TTFT and ITL, on each slot's machine; under 20 s a slot.

    Without a broker: on this machine, and nothing is stored. The report prints a slot's floor, and calls no
    smaller difference a difference.
    """
    from contracts.failures import InputError, SetupError
    from contracts.redis_client import check, connect
    from contracts.store import Store
    from producer.broker import find_broker
    from producer.calibrate import calibrate_here, calibrate_slots, show
    from producer.progress import say_line

    url = find_broker(broker)
    if url is None:
        if names:
            raise InputError("--slot needs a broker: give --broker URL, or set CHIMERA_BROKER")
        floors = [calibrate_here()]
    else:
        client = connect(url, retries=0)
        check(client, url)
        live = Store(client).slots()
        unknown = sorted(set(names) - {slot.slot for slot in live})
        if unknown or not live:
            seen = ", ".join(slot.slot for slot in live) or "none"
            raise SetupError(
                f"no live slot {', '.join(unknown)}; live slots: {seen}".replace("slot ;", "slot;")
            )
        chosen = [slot for slot in live if not names or slot.slot in names]
        floors = calibrate_slots(url, chosen, lambda text: say_line(Console(stderr=True), text))
    if as_json:
        click.echo(json.dumps([floor.model_dump(mode="json") for floor in floors], indent=2))
    else:
        show(floors, Console())
    sys.exit(0 if floors else 1)


@cli.command()
@click.argument("which", required=False, metavar="[SWEEP.yaml|SWEEP|EXECUTION]")
@_broker
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


@cli.command()
@_broker
def doctor(broker: str | None) -> None:
    """Check Redis, workers, slots, servers and models, a line each; exit code 1 where one is red."""
    from producer.broker import find_broker
    from producer.doctor import examine
    from producer.progress import say_line

    console = _plain()
    red = False
    for finding in examine(find_broker(broker)):
        red = red or finding.good is False
        mark, style = {True: ("ok", "green"), None: ("--", "yellow"), False: ("!!", "red")}[finding.good]
        console.print(
            Text.assemble((f"{mark}  ", style), f"{finding.part:<11}{finding.what}"), soft_wrap=True
        )
        if finding.advice and not finding.good:
            say_line(console, f"{'':15}→ {finding.advice}")
    sys.exit(1 if red else 0)


def main() -> NoReturn:
    """Run the command line: an error of ours is one clear message, never a traceback."""
    from producer.broker import hide_password

    hide_password(sys.orig_argv)
    try:
        cli(standalone_mode=False)
    except ChimeraError as error:
        _say_error(str(error))
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo(
            "chimera: interrupted. What this command started is stopped; workers of a cluster go on with what is "
            "queued. Run it again to resume and to collect the results.",
            err=True,
        )
        # Not sys.exit: an interrupt that came through exec(), as an import does, has Python end itself by SIGINT.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(EXIT_INTERRUPTED)
    except Exception as error:  # the last resort: one line, and the whole story on request
        if os.environ.get(DEBUG):
            raise
        _say_error(f"{type(error).__name__}: {error} ({DEBUG}=1 shows where)")
        sys.exit(1)
    sys.exit(0)


def _say_error(text: str) -> None:
    """Names of files and words of servers may be in it: control characters are shown, not obeyed."""
    from analysis.rendering.plain import visible

    click.echo(f"chimera: {visible(text)}", err=True)


def _watched(log_format: str, metrics_port: int | None, metrics_address: str) -> list[str]:
    arguments = ["--log-format", log_format]
    if metrics_port is not None:
        arguments += ["--metrics-port", str(metrics_port), "--metrics-address", metrics_address]
    return arguments


def _console(log_format: logs.Form) -> Console:
    """Return what a command prints to: with ``json`` its lines are records, as those of the parts that it starts."""
    os.environ[logs.LOG_FORMAT] = log_format
    if log_format == "text":
        return _plain()
    logs.setup(log_format)
    return Console(file=cast(IO[str], logs.LineStream(logging.getLogger("chimera.run"))), width=200)


def _plain() -> Console:
    """Return what tables are printed to: in a pipe as wide as they are, for lines of logs are not cut at 80 columns."""
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=PIPE_COLUMNS)


def _become(command: list[str], broker: str | None, more: dict[str, str] | None = None) -> NoReturn:
    from producer.broker import need_broker

    os.execve(command[0], command, {**os.environ, **(more or {}), BROKER: need_broker(broker)})


def _end_by_interrupt() -> None:
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), _as_interrupt)


def _as_interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
