"""Commands that are a part of a cluster, or look after one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.text import Text

from contracts.settings import ALSO, BROKER, DEFAULT_MAX_DEADLINE_S, DEFAULT_POOL, SERVER, further_servers
from producer.cli import options
from producer.cli.group import cli
from producer.cli.printing import plain


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
    "--also",
    multiple=True,
    metavar="NAME=URL",
    help=f"A further server of the slot, for agents that name it; may be repeated. One with a password better in {ALSO}.",
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
@options.loglevel
@options.log_format
@options.metrics_port
@options.metrics_address
@options.broker
def worker(
    slot: str,
    server: str,
    also: tuple[str, ...],
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
    further = {ALSO: " ".join(also)} if also else {}
    further_servers(further.get(ALSO, ""))
    _become([sys.executable, "-m", "worker", *arguments], broker, {SERVER: server, **further})


@cli.command()
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help="Configurations summarised at once; 2 unless there is one CPU core.",
)
@options.loglevel
@options.log_format
@options.metrics_port
@options.metrics_address
@options.broker
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
@options.broker
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
@options.broker
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
@options.broker
def doctor(broker: str | None) -> None:
    """Check Redis, workers, slots, servers and models, a line each; exit code 1 where one is red."""
    from producer.broker import find_broker
    from producer.doctor import examine
    from producer.progress import say_line

    console = plain()
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


def _watched(log_format: str, metrics_port: int | None, metrics_address: str) -> list[str]:
    arguments = ["--log-format", log_format]
    if metrics_port is not None:
        arguments += ["--metrics-port", str(metrics_port), "--metrics-address", metrics_address]
    return arguments


def _become(command: list[str], broker: str | None, more: dict[str, str] | None = None) -> NoReturn:
    from producer.broker import need_broker

    os.execve(command[0], command, {**os.environ, **(more or {}), BROKER: need_broker(broker)})
