"""The command line as a program: errors are one message that says what to do, and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import NoReturn

import click

from contracts.failures import ChimeraError, InputError, SweepIncomplete
from producer.cli import parts, results, start, sweeps, upkeep  # noqa: F401  # their commands
from producer.cli.exits import DEFECT, INTERRUPTED, OK, WRONG
from producer.cli.group import cli

DEBUG = "CHIMERA_DEBUG"
"""Environment variable: an unexpected error shows its traceback."""

_INTERRUPTED = (
    "interrupted. What this command started is stopped; workers of a cluster go on with what is "
    "queued. Run it again to resume and to collect the results."
)


def main() -> NoReturn:
    """Run the command line: an error of ours is one clear message, never a traceback."""
    if any("@" in word for word in sys.orig_argv):
        from producer.broker import hide_password

        hide_password(sys.orig_argv)
    try:
        cli(prog_name="chimera", standalone_mode=False)
    except ChimeraError as error:
        _say_error(str(error))
        _end(_kind(error), str(error), error.exit_code)
    except click.ClickException as error:
        error.show()
        _end("usage", error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo(f"chimera: {_INTERRUPTED}", err=True)
        _print_error("interrupted", _INTERRUPTED, INTERRUPTED)
        # Not sys.exit: an interrupt that came through exec(), as an import does, has Python end itself by SIGINT.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    except Exception as error:  # the last resort: one line, and the whole story on request
        if os.environ.get(DEBUG):
            raise
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            text = f"{error}: make room, or print and write to another place"
            _say_error(text)
            _end("setup", text, WRONG)
        text = f"{type(error).__name__}: {error} ({DEBUG}=1 shows where; please report it as a defect)"
        _say_error(text)
        _end("defect", text, DEFECT)
    sys.exit(OK)


def _end(kind: str, message: str, exit_code: int) -> NoReturn:
    _print_error(kind, message, exit_code)
    sys.exit(exit_code)


def _print_error(kind: str, message: str, exit_code: int) -> None:
    """With ``--json``, print the error as the one document of standard output.

    Not on standard error, which has the progress, too: who asked for JSON reads it from one place, whatever comes.
    """
    if "--json" in sys.argv[1:]:
        import json

        error = {"kind": kind, "message": message, "exit_code": exit_code}
        with suppress(
            OSError
        ):  # it may be what standard output is to that failed; standard error has it, too
            click.echo(json.dumps({"error": error}, indent=2))


def _kind(error: ChimeraError) -> str:
    if isinstance(error, InputError):
        return "input"
    return "incomplete" if isinstance(error, SweepIncomplete) or error.exit_code == 1 else "setup"


def _say_error(text: str) -> None:
    """Names of files and words of servers may be in it: control characters are shown, not obeyed."""
    from analysis.rendering.plain import visible

    click.echo(f"chimera: {visible(text)}", err=True)
