"""``chimera compare``: two results against each other, as a table, as Markdown, HTML and JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from analysis.compare import (
    ALLOWABLE,
    ComparisonOfResults,
    Result,
    compare_results,
    parse_metrics,
    parse_thresholds,
)
from analysis.compare.models import Allowable
from analysis.files import json_text, write_atomically
from analysis.provenance import CHIMERA
from analysis.rendering.html import render_document as html
from analysis.rendering.layout.comparison import (
    ComparisonRow,
    comparison_document,
    comparison_rows,
    method_line,
    summary_sentences,
)
from analysis.rendering.markdown import render_document as markdown
from analysis.rendering.plain import one_line
from analysis.results_folder import read_facts, read_results
from contracts.failures import InputError, SetupError
from producer.progress import say_line

MOST_ROWS = 60
"""More are printed only where a difference is claimed: the files hold all."""
_STYLES = {"worse": "red", "better": "green"}


@dataclass(frozen=True)
class CompareOptions:
    """As on the command line."""

    baseline: Path
    candidate: Path
    fail_on: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    out: Path | None = None

    @property
    def command(self) -> str:
        """The command line, as a shell reads it."""
        words = ["chimera", "compare", str(self.baseline), str(self.candidate)]
        words += [word for text in self.fail_on for word in ("--fail-on", text)]
        words += [word for text in self.allow for word in ("--allow", text)]
        words += [word for text in self.metrics for word in ("--metrics", text)]
        return shlex.join(words)


def compare(options: CompareOptions) -> ComparisonOfResults:
    """Compare two results; both are aggregated anew from their stages.

    Raises:
        InputError: a result can't be read, or a threshold, a metric or a name of ``--allow`` is wrong.
    """
    thresholds = parse_thresholds(options.fail_on)
    return compare_results(
        _result(options.baseline),
        _result(options.candidate),
        allow=parse_allow(options.allow),
        thresholds=thresholds,
        metrics=parse_metrics(options.metrics, thresholds),
        made_at=datetime.now(UTC),
        chimera=_version(),
        command=options.command,
    )


def parse_allow(texts: Iterable[str]) -> frozenset[Allowable]:
    """Read names of what may differ, commas between them.

    Raises:
        InputError: a name is unknown; names those there are.
    """
    known: dict[str, Allowable] = {name: name for name in ALLOWABLE}
    given = [name.strip() for text in texts for name in text.split(",")]
    for name in given:
        if name not in known:
            raise InputError(
                f"--allow {name!r}: unknown; what may be allowed to differ: {', '.join(ALLOWABLE)}"
            )
    return frozenset(known[name] for name in given)


def render_json(result: ComparisonOfResults) -> str:
    """Return ``compare.json``."""
    return json_text(result.model_dump(mode="json"), indent=2) + "\n"


def write(result: ComparisonOfResults, folder: Path) -> list[Path]:
    """Write ``compare.md``, ``compare.html`` and ``compare.json``; return their paths.

    Raises:
        SetupError: the folder can't be written.
    """
    document = comparison_document(result)
    texts = {
        "compare.md": markdown(document),
        "compare.html": html(document),
        "compare.json": render_json(result),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_atomically(folder / name, text)
    except OSError as error:
        # Not exit code 1, which says that there is a regression.
        raise SetupError(
            f"can't write to {folder}: {error.strerror or error}; give another folder with --out"
        ) from None
    return [folder / name for name in texts]


def show(result: ComparisonOfResults, console: Console) -> None:
    """Print table, answer and what to distrust; how it was made stands in the files."""
    rows = comparison_rows(result)
    shown = rows if len(rows) <= MOST_ROWS else [row for row in rows if row.tone != "muted"][:MOST_ROWS]
    if shown:
        console.print(_table(shown))
    if len(shown) < len(rows):
        say_line(console, f"… and {len(rows) - len(shown)} more comparisons: --out DIR writes all")
    for line in (*summary_sentences(result), method_line(result)):
        say_line(console, one_line(line))
    for warning in result.warnings:
        say_line(console, one_line(f"distrust: {warning}"))


def _table(rows: Sequence[ComparisonRow]) -> Table:
    several = len({row.agent for row in rows}) > 1
    table = Table(
        Column("configuration", overflow="fold"),
        *([Column("agent", overflow="fold")] if several else []),
        Column("metric", overflow="fold"),
        Column("baseline", justify="right", overflow="fold"),
        Column("candidate", justify="right", overflow="fold"),
        Column("difference, % (95 %)", justify="right", overflow="fold"),
        Column("p (Holm)", justify="right", no_wrap=True),
        Column("verdict", overflow="fold"),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for row in rows:
        cells = [
            row.configuration,
            *([row.agent] if several else []),
            row.metric,
            row.baseline,
            row.candidate,
        ]
        style = next((style for word, style in _STYLES.items() if row.verdict.startswith(word)), "")
        verdict = f"{row.verdict}{f': {row.why}' if row.why else ''}"
        table.add_row(
            *(Text(one_line(cell)) for cell in (*cells, row.percent, row.p)),
            Text(one_line(verdict), style=style),
        )
    return table


def _result(path: Path) -> Result:
    records, manifest = read_results(path)
    return Result(str(path), records, manifest, read_facts(path))


def _version() -> str | None:
    try:
        return version(CHIMERA)
    except PackageNotFoundError:
        return None
