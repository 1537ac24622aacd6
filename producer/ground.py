"""``chimera ground``: a text's figures against the files that it is about."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from analysis.files import json_text
from analysis.grounding import facts_of_files, ground
from analysis.grounding.scan import MAX_CHARS, MAX_FIGURES
from analysis.models.grounding import Figure
from contracts.corpus import discover, resolve_roots, root_names
from contracts.facts import Facts
from contracts.failures import InputError
from producer.documents import GroundedFigure

MAX_TEXT_BYTES = 32 << 20
_SHOWN = 40
"""Characters of the context that the table shows on either side of a figure."""
_STYLES = {"supported": "green", "contradicted": "red", "not_found": "yellow"}


def facts_below(paths: Sequence[str], base_dir: Path) -> Facts:
    """Return the facts of the files below the paths; relative ones are below ``base_dir``.

    A folder that holds nothing but folders is not part of the names, and the order of the paths does not count: so
    ``corpus`` gives what ``corpus/reports corpus/csv_data`` gives.

    Raises:
        InputError: a path can't be read, or no csv, json or md file is below them.
    """
    roots = tuple(paths)
    try:
        names, found = root_names(roots), resolve_roots(roots, base_dir)
        files = discover(found, names)
        if len(roots) == 1 and all(file.shown.count("/") > 1 for file in files):
            files = discover(found, [""])
        facts = facts_of_files(sorted(files, key=lambda file: (file.shown.lower(), file.shown)))
    except (OSError, ValueError, RuntimeError) as error:  # the latter two: a NUL, or ~ of nobody
        raise InputError(f"--paths: {error}") from None
    if not facts.files_total:
        raise InputError(f"--paths: no csv, json or md file below {', '.join(roots)}: only those are read")
    return facts


def read_text(path: str) -> str:
    """Return the text of a file (``-``: of standard input); bytes that are not UTF-8 become U+FFFD.

    Raises:
        InputError: it can't be read, or is too large.
    """
    try:
        if path == "-":
            content = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MAX_TEXT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_TEXT_BYTES:
        raise InputError(f"{path}: larger than {MAX_TEXT_BYTES >> 20} MiB; give a shorter text")
    return content.decode("utf-8-sig", "replace")


def ground_file(text: str | None, paths: Sequence[str], as_json: bool, console: Console) -> None:
    """Print the figures of a text file with their verdicts.

    Raises:
        click.UsageError: no text, which ``--paths`` has taken as one of its folders.
        InputError: the text or a path can't be read.
    """
    if text is None:
        raise click.UsageError("--paths takes all that follows it: give TEXT.md first, then --paths DIR…")
    written = read_text(text)
    facts = facts_below(paths, Path.cwd())
    figures = ground(written, facts)
    if len(figures) >= MAX_FIGURES or len(written) > MAX_CHARS:
        limit = f"the first {MAX_FIGURES} figures and {MAX_CHARS} characters"
        click.echo(f"chimera: only {limit} were checked; give the text in parts", err=True)
    if as_json:
        rows = [
            GroundedFigure(figure=f.figure, context=f.context, verdict=f.verdict, truth=f.truth)
            for f in figures
        ]
        click.echo(json_text([row.model_dump() for row in rows], indent=2))
        return
    _show(figures, facts, console)


def _around(figure: Figure) -> str:
    """The context, cut to a few words on either side."""
    before, written, after = figure.context.partition(figure.figure)
    cut = (before if len(before) <= _SHOWN else "…" + before[-_SHOWN:]) + written
    return cut + (after if len(after) <= _SHOWN else after[:_SHOWN] + "…")


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _show(figures: Sequence[Figure], facts: Facts, console: Console) -> None:
    if figures:
        table = Table(
            Column("verdict", no_wrap=True),
            Column("figure", overflow="fold"),
            Column("truth, or where it stands", overflow="fold"),
            Column("context", overflow="fold", ratio=1),
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for figure in figures:
            table.add_row(
                Text(figure.verdict.replace("_", " "), _STYLES[figure.verdict]),
                Text(figure.figure),
                Text(figure.truth or ""),
                Text(_around(figure)),
            )
        console.print(table)
    counts: Counter[str] = Counter(figure.verdict for figure in figures)
    said = ", ".join(f"{counts[verdict]} {verdict.replace('_', ' ')}" for verdict in _STYLES)
    lines = [f"{_counted(len(figures), 'figure')}: {said}; against {_counted(facts.files_total, 'file')}"]
    if facts.modified_is_copy:
        lines.append("the files' modification times look like a copy's: no date was contradicted by them")
    lines += [f"not known: {line}; a figure of it is not found" for line in facts.left_out]
    for line in lines:
        console.print(Text(line), soft_wrap=True)
