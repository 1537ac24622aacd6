"""Options and arguments that several commands take."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from contracts import logs
from contracts.settings import ALSO, BROKER, SERVERS
from producer.cli.command import Option
from producer.cli.completing import EXECUTIONS, SWEEPS_AND_EXECUTIONS

option = partial(click.option, cls=Option)

WHERE = "Where it runs"
LOGS = "Logs and metrics"

broker = option(
    "--broker",
    metavar="URL",
    heading=WHERE,
    help=f"Redis URL, one with a password better as {BROKER}; else that; else the embedded Redis of this machine.",
)
as_json = option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON document, and progress on standard error (docs/cli.md has its keys).",
)
loglevel = option(
    "--loglevel",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    heading=LOGS,
    help="How much the worker writes to its log.",
)
log_format = option(
    "--log-format",
    type=click.Choice(logs.FORMS),
    default=logs.form_given,
    show_default="text",
    heading=LOGS,
    help="json: one object a line, with the ids of sweep, job and slot (docs/watching.md).",
)
metrics_port = option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    heading=LOGS,
    help="Serve metrics for Prometheus at this port.",
)
metrics_address = option(
    "--metrics-address",
    default="127.0.0.1",
    show_default=True,
    heading=LOGS,
    help="Where it listens; there is no password.",
)
results = option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder of all results.",
)
slots = option(
    "--slots",
    type=click.IntRange(1, 64),
    heading=WHERE,
    help="Embedded: number of slots; 1, or as the unfinished execution was begun.",
)
servers = option(
    "--server",
    "servers",
    multiple=True,
    envvar=SERVERS,
    metavar="URL",
    heading=WHERE,
    help="Embedded: a model server of yours; one slot for each. Or as the unfinished execution was begun.",
)
also = option(
    "--also",
    multiple=True,
    metavar="NAME=URL",
    heading=WHERE,
    help=f"Embedded, one slot: a further server for agents that name it; may be repeated. One with a password better in {ALSO}.",
)
sweep_file = click.argument("sweep_file", type=click.Path(path_type=Path), metavar="SWEEP.yaml")
which = click.argument("which", metavar="SWEEP.yaml|EXECUTION", shell_complete=EXECUTIONS)
which_if_any = click.argument(
    "which",
    required=False,
    metavar="[SWEEP.yaml|SWEEP|EXECUTION]",
    shell_complete=SWEEPS_AND_EXECUTIONS,
)
