"""Commands that are a part of a cluster."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from contracts.settings import (
    ALSO,
    BROKER,
    DEFAULT_MAX_DEADLINE_S,
    DEFAULT_POOL,
    FLOWER_STATE,
    SERVER,
    further_servers,
)
from producer.cli import options
from producer.cli.group import cli
from producer.cli.options import option


@cli.command(
    examples=[
        ("worker --slot h1g0 --server http://127.0.0.1:11434 --gpu 0", "the slot of a GPU and its Ollama"),
        (
            "worker --slot h1g1 --server http://127.0.0.1:8001 --pool a100 --metrics-port 9101",
            "in a pool of its own, with metrics for Prometheus",
        ),
    ],
    after="'chimera doctor' shows whether it is live; a cluster needs one 'chimera aggregator', too.",
    short_help="start the worker of one slot: a GPU with its model server",
)
@option("--slot", required=True, help="Name of the slot, unique in the cluster, such as h1g0.")
@option(
    "--server",
    required=True,
    envvar=SERVER,
    metavar="URL",
    help=f"The slot's model server; one with a password better as {SERVER}.",
)
@option(
    "--also",
    multiple=True,
    metavar="NAME=URL",
    help=f"A further server of the slot, for agents that name it; may be repeated. One with a password better in {ALSO}.",
)
@option(
    "--pool",
    default=DEFAULT_POOL,
    show_default=True,
    help="Hardware class of the slot: a sweep runs in one pool.",
)
@option("--gpu", type=click.IntRange(0), help="Index of the slot's GPU.")
@option(
    "--max-deadline",
    type=float,
    default=DEFAULT_MAX_DEADLINE_S,
    show_default=True,
    metavar="SECONDS",
    help="The longest deadline of a job that it accepts.",
)
@option(
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


@cli.command(
    examples=[
        ("aggregator", "on the broker of CHIMERA_BROKER"),
        ("aggregator --processes 4", "for large sweeps"),
    ],
    after="One is enough; a second one takes over where the first is lost. 'chimera run SWEEP.yaml' then needs nothing more.",
    short_help="start what makes summaries and reports; a cluster needs one",
)
@option(
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


@cli.command(
    examples=[
        ("flower", "at http://127.0.0.1:5555"),
        ("flower --address 0.0.0.0 --auth-file flower.auth", "for others, with a password"),
    ],
    after="Start it before the sweep: of jobs that began earlier it knows no name.",
    short_help="workers by slot and jobs by name, in a browser",
)
@option("--address", default="127.0.0.1", show_default=True, help="Where it listens.")
@option("--port", type=click.IntRange(1, 65535), default=5555, show_default=True, help="At which port.")
@option(
    "--auth-file",
    type=click.Path(path_type=Path),
    help="File of user:password, a line each, that Flower asks for; else CHIMERA_FLOWER_AUTH. Needed off loopback.",
)
@option(
    "--state",
    envvar=FLOWER_STATE,
    show_envvar=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep workers and tasks in this file, so that they outlive a restart of Flower.",
)
@options.broker
def flower(broker: str | None, address: str, port: int, auth_file: Path | None, state: Path | None) -> None:
    """Start Flower on the broker, also on the embedded one while a sweep runs. It shows, and changes nothing."""
    from producer.flower import command, environment

    more = environment(address, auth_file)
    _become(command(address, port, state), broker, more)


def _watched(log_format: str, metrics_port: int | None, metrics_address: str) -> list[str]:
    arguments = ["--log-format", log_format]
    if metrics_port is not None:
        arguments += ["--metrics-port", str(metrics_port), "--metrics-address", metrics_address]
    return arguments


def _become(command: list[str], broker: str | None, more: dict[str, str] | None = None) -> NoReturn:
    from producer.broker import need_broker

    os.execve(command[0], command, {**os.environ, **(more or {}), BROKER: need_broker(broker)})
