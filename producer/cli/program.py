"""The command line as a program: errors are one line, and an exit code."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from contracts.failures import ChimeraError
from producer.cli import parts, results, sweeps  # noqa: F401  # their commands
from producer.cli.group import cli

EXIT_INTERRUPTED = 130
DEBUG = "CHIMERA_DEBUG"
"""Environment variable: an unexpected error shows its traceback."""


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
