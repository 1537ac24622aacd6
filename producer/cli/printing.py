"""What commands print to, and whether in colours."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import IO, TYPE_CHECKING, Any, NoReturn, cast

from contracts import logs
from producer.cli.exits import OUTPUT_CLOSED

if TYPE_CHECKING:
    from rich.console import Console

PIPE_COLUMNS = 160
_DUMB = ("dumb", "unknown")


def console(*, stderr: bool = False) -> Console:
    """Return what is printed to; of standard output or standard error.

    ``is_interactive``: a terminal that is watched, where lines may be written over. In a pipe, on a dumb terminal and
    in CI (``CI`` is set) there are plain lines. In a pipe tables are :data:`PIPE_COLUMNS` wide, unless ``COLUMNS`` says else:
    lines of logs are not cut at 80.
    """
    from rich.console import Console

    class Printed(Console):
        def on_broken_pipe(self) -> None:  # rich would end with 1: a result that says no
            self.quiet = True
            end_unread()

    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    in_colours = colours(os.environ, terminal)
    size: dict[str, Any] = (
        {} if terminal or "COLUMNS" in os.environ else {"width": PIPE_COLUMNS, "height": 50}
    )
    return Printed(
        file=stream,
        force_terminal=terminal or in_colours,
        force_interactive=terminal and not _is_dumb(os.environ) and not _is_set(os.environ, "CI"),
        color_system=("auto" if terminal and not _is_dumb(os.environ) else "standard")
        if in_colours
        else None,
        **size,
    )


def console_for(as_json: bool) -> Console:
    """Return what a command tells its progress to: standard error where standard output is for one JSON document."""
    return console(stderr=as_json)


def console_of(log_format: logs.Form, as_json: bool) -> Console:
    """Return the same of a command with ``--log-format``: with ``json`` its lines are records, as those of the parts that it starts."""
    os.environ[logs.LOG_FORMAT] = log_format
    if log_format == "text":
        return console_for(as_json)
    from rich.console import Console

    logs.setup(log_format)
    return Console(
        file=cast(IO[str], logs.LineStream(partial(logging.getLogger("chimera.run").info, "%s"))), width=200
    )


def end_unread() -> NoReturn:
    """End as other programs do when nobody reads what they print any more; nothing more is printed.

    Not by SIGPIPE: what a run has started is stopped first.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    raise SystemExit(OUTPUT_CLOSED)


def colours(environment: Mapping[str, str], terminal: bool) -> bool:
    """Return whether to print in colours: never with ``NO_COLOR``; with ``FORCE_COLOR`` or ``CLICOLOR_FORCE`` also in a pipe."""
    if environment.get("NO_COLOR"):  # whatever its value, says no-color.org
        return False
    if _is_set(environment, "FORCE_COLOR") or environment.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return terminal and not _is_dumb(environment)


def _is_set(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "") not in ("", "0", "false")


def _is_dumb(environment: Mapping[str, str]) -> bool:
    return environment.get("TERM", "").lower() in _DUMB
