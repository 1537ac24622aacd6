"""What every command of Chimera has beyond click's: examples, headings over its options, what comes next, exit codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from producer.cli.printing import end_unread

Example = tuple[str, str]
"""A command line without the leading ``chimera``, and what it does."""

OPTIONS = "Options"
"""Heading of the options that stand under no other."""


class Option(click.Option):
    """An option that stands under a heading of the help."""

    def __init__(self, *args: Any, heading: str = OPTIONS, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heading = heading


class Command(click.Command):
    """A command whose help teaches.

    Args:
        examples: At least one; each is parsed by a test.
        after: What one does next.
        exits: Exit codes whose meaning is the command's own.
        document: ``module:name`` of what ``--json`` prints; ``list[module:name]``: a list of them.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[Example] = (),
        after: str | None = None,
        exits: Mapping[int, str] | None = None,
        document: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.after = after
        self.exits = dict(exits or {})
        self.document = document

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for line, what in self.examples:
                    # As it is, and not wrapped: a command line is to be copied.
                    formatter.write(f"{'':{formatter.current_indent}}chimera {line}\n")
                    formatter.write(f"{'':{formatter.current_indent + 4}}{what}\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, records in self.options_by_heading(ctx).items():
            with formatter.section(heading):
                formatter.write_dl(records)
        if self.exits:
            with formatter.section("Exit codes"):
                formatter.write_dl([(str(code), what) for code, what in self.exits.items()])

    def options_by_heading(self, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
        """Return what the help says of each option, by heading; the command's own come first."""
        found: dict[str, list[tuple[str, str]]] = {OPTIONS: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                found.setdefault(getattr(parameter, "heading", OPTIONS), []).append(record)
        return {heading: records for heading, records in found.items() if records}

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.after:
            with formatter.section("Next"):
                formatter.write_text(self.after)


class Commands(click.Group):
    """The group of all commands, in sections; the first one is what one starts with."""

    command_class = Command

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would end with 1: a result that says no
            end_unread()

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in self.sections.values() for name in names]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.commands))
        for heading, names in self.sections.items():
            with formatter.section(heading):
                rows = [
                    (name.ljust(width), self.commands[name].get_short_help_str(limit=200)) for name in names
                ]
                formatter.write_dl(rows)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
