"""An option that takes several values, as in ``--paths reports csv_data``."""

from __future__ import annotations

import click

from producer.cli.command import Command


class SeveralPaths(Command):
    """A command whose ``--paths`` takes all that follows up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        collecting = False
        for argument in args:
            if argument.startswith("-") and argument != "-":
                collecting = argument == "--paths"
                spread += [] if collecting else [argument]
            else:
                spread += ["--paths", argument] if collecting else [argument]
        return super().parse_args(ctx, spread)
