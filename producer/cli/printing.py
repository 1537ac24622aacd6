"""What commands print to."""

from __future__ import annotations

import logging
import os
from typing import IO, cast

from rich.console import Console

from contracts import logs

PIPE_COLUMNS = 160


def plain() -> Console:
    """Return what tables are printed to: in a pipe as wide as they are, for lines of logs are not cut at 80 columns."""
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=PIPE_COLUMNS)


def console_of(log_format: logs.Form) -> Console:
    """Return what a command prints to: with ``json`` its lines are records, as those of the parts that it starts."""
    os.environ[logs.LOG_FORMAT] = log_format
    if log_format == "text":
        return plain()
    logs.setup(log_format)
    return Console(file=cast(IO[str], logs.LineStream(logging.getLogger("chimera.run"))), width=200)
