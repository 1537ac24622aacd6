"""Commands that read results; none needs a cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from producer.cli import options
from producer.cli.exits import OK, RESULT_SAYS_NO, WRONG
from producer.cli.group import cli
from producer.cli.options import option
from producer.cli.printing import console
from producer.cli.several_paths import SeveralPaths

RESULTS = "results/quickstart/quickstart_gemma3-270m_20261122T104207Z_1f2e3d4c"
"""Of the examples."""


@cli.command(
    examples=[
        (f"report {RESULTS} --out again", "summary and report of a results folder once more"),
        (
            "report stages.csv --out report --baseline temperature=0.2",
            "of a table, against that configuration",
        ),
        ("report results/pair/A --out report --each pair", "and a Markdown file for each pair of agents"),
    ],
    after="Open report.html in a browser; docs/reading_the_report.md explains it.",
    document="producer.documents:ExecutionDocument",
    short_help="make the report again, offline",
)
@click.argument("results", type=click.Path(path_type=Path), metavar="RESULTS")
@option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write into.")
@option(
    "--baseline",
    metavar="NAME",
    help="Configuration that the others are compared with. Default: as the sweep file says, else the server's "
    "defaults, else the first.",
)
@option(
    "--ranking",
    type=click.Choice(["clean-first", "speed"]),
    help="clean-first: degenerate answers never stand above none. Default: as the sweep file says.",
)
@option(
    "--sd",
    type=click.Choice(["sample", "population"]),
    default="sample",
    show_default=True,
    help="Which standard deviation: divided by n - 1, or by n.",
)
@option(
    "--each",
    type=click.Choice(["configuration", "agent", "pair"]),
    multiple=True,
    help="Also one Markdown file for each configuration, in the layout of a configuration's report or of an "
    "agent's; pair: one for all agents that ran at the same time. May be repeated.",
)
@options.as_json
def report(
    results: Path,
    out: Path,
    sd: Any,
    ranking: Any,
    baseline: str | None,
    each: tuple[Any, ...],
    as_json: bool,
) -> None:
    """Aggregate again, offline: RESULTS is a results folder, a stages.jsonl or a CSV of its columns."""
    from producer.report import ReportOptions, report

    line = report(results, out, ReportOptions(sd, ranking, baseline, each))
    if as_json:
        from analysis.stages_io import STAGES_FILE
        from producer.documents import execution_document

        stages = results / STAGES_FILE if results.is_dir() else results
        line = execution_document(out, stages).model_dump_json(indent=2)
    click.echo(line)


@cli.command(
    examples=[
        ("compare results/quickstart/A results/quickstart/B", "each configuration of both, with intervals"),
        ("compare A B --fail-on throughput:-3%,ttft:+5%", "in CI: exit code 1 on a regression beyond that"),
        ("compare A B --allow server-version --out comparison", "two versions of a server; writes the files"),
    ],
    after="docs/compare.md says what is compared, and when it can't be.",
    exits={
        OK: "compared; no regression (without --fail-on there is none)",
        RESULT_SAYS_NO: "a regression beyond --fail-on",
        WRONG: "not compared: the results are not comparable (--allow names what may differ), a --fail-on "
        "could be tested nowhere, or wrong input; the message says which",
    },
    document="analysis.compare:ComparisonOfResults",
    short_help="compare two results of two dates or versions",
)
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("candidate", type=click.Path(path_type=Path))
@option(
    "--fail-on",
    multiple=True,
    metavar="METRIC:±N%",
    help="A significant worsening beyond it is a regression: throughput:-3%, ttft:+5%; may be repeated. "
    "Metrics: throughput, ttft, itl, duration, energy, ungrounded.",
)
@option(
    "--allow",
    multiple=True,
    metavar="NAME,…",
    help="What may differ: workload, warmup, model, parameters, context, server, server-version, pool, hardware.",
)
@option(
    "--metrics",
    multiple=True,
    metavar="METRIC,…",
    help="Compare these alone: fewer tests show smaller differences. Choose before you look.",
)
@option("--out", type=click.Path(path_type=Path), help="Folder for compare.md, .html and .json.")
@options.as_json
def compare(
    baseline: Path,
    candidate: Path,
    fail_on: tuple[str, ...],
    allow: tuple[str, ...],
    metrics: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Compare two results, offline: results folders, stages.jsonl or CSV."""
    from producer.compare import CompareOptions, compare, render_json, show, write

    result = compare(CompareOptions(baseline, candidate, fail_on, allow, metrics, out))
    paths = write(result, out) if out is not None else []
    if as_json:
        click.echo(render_json(result), nl=False)
    elif result.comparable:
        show(result, console())
    for problem in result.problems:
        click.echo(f"chimera: {problem}", err=True)
    for path in paths:
        click.echo(f"written: {path}", err=as_json)
    sys.exit(result.exit_code)


@cli.command(
    examples=[
        (f"export {RESULTS} --out stages.parquet", "a stage a row, for pandas, DuckDB or R"),
        ("export results/quickstart/A --format csv", "into a file of the result's name, here"),
    ],
    after="docs/results.md explains the columns; 'chimera report' reads the exported file, too.",
    document="producer.documents:ExportDocument",
    short_help="the stages as CSV, Parquet or JSON lines",
)
@click.argument("results", type=click.Path(path_type=Path), metavar="RESULTS")
@option(
    "--format", "form", type=click.Choice(["jsonl", "csv", "parquet"]), help="Default: by --out's ending."
)
@option("--out", type=click.Path(path_type=Path), help="File, or a folder. Default: the result's name, here.")
@options.as_json
def export(results: Path, form: Any, out: Path | None, as_json: bool) -> None:
    """Write the stages of RESULTS as JSON lines, CSV or Parquet, for pandas, DuckDB, R and their kin."""
    from producer.export import export, in_words

    exported = export(results, out, form)
    click.echo(exported.model_dump_json(indent=2) if as_json else "\n".join(in_words(exported)))


@cli.command(
    cls=SeveralPaths,
    examples=[
        ("ground report.md --paths corpus", "each figure of a text against the files that it is about"),
        ("ground report.md --paths data notes.md --json", "for a script"),
    ],
    after="docs/grounding.md has the rules.",
    document="list[producer.documents:GroundedFigure]",
    short_help="check a text's figures against the files that it is about",
)
@click.argument("text", metavar="TEXT.md", required=False)
@option("--paths", multiple=True, required=True, metavar="DIR…", help="The files that the text is about.")
@options.as_json
def ground(text: str | None, paths: tuple[str, ...], as_json: bool) -> None:
    """Check every number, file count, date and file name of a text (- for standard input) against files.

    Supported, contradicted (with the true value) or not found.
    """
    from producer.ground import ground_file

    ground_file(text, paths, as_json, console())
