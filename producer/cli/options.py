"""Options and arguments that several commands take."""

from __future__ import annotations

from pathlib import Path

import click

from contracts import logs
from contracts.settings import ALSO, BROKER, SERVERS

broker = click.option(
    "--broker",
    metavar="URL",
    help=f"Redis URL, one with a password better as {BROKER}; else that; else the embedded Redis of this machine.",
)
loglevel = click.option(
    "--loglevel",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much the worker writes to its log.",
)
log_format = click.option(
    "--log-format",
    type=click.Choice(logs.FORMS),
    default=logs.form_given,
    show_default="text",
    help="json: one object a line, with the ids of sweep, job and slot (docs/watching.md).",
)
metrics_port = click.option(
    "--metrics-port", type=click.IntRange(0, 65535), help="Serve metrics for Prometheus at this port."
)
metrics_address = click.option(
    "--metrics-address",
    default="127.0.0.1",
    show_default=True,
    help="Where it listens; there is no password.",
)
results = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder of all results.",
)
slots = click.option(
    "--slots",
    type=click.IntRange(1, 64),
    help="Embedded: number of slots; 1, or as the unfinished execution was begun.",
)
servers = click.option(
    "--server",
    "servers",
    multiple=True,
    envvar=SERVERS,
    metavar="URL",
    help="Embedded: a model server of yours; one slot for each. Or as the unfinished execution was begun.",
)
also = click.option(
    "--also",
    multiple=True,
    metavar="NAME=URL",
    help=f"Embedded, one slot: a further server for agents that name it; may be repeated. One with a password better in {ALSO}.",
)
sweep_file = click.argument("sweep_file", type=click.Path(path_type=Path), metavar="SWEEP.yaml")
