"""Commands that read results; none needs a cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from producer.cli.group import cli
from producer.several_paths import SeveralPaths


@cli.command()
@click.argument("results", type=click.Path(path_type=Path), metavar="RESULTS")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write into.")
@click.option("--sd", type=click.Choice(["sample", "population"]), default="sample", show_default=True)
@click.option(
    "--ranking",
    type=click.Choice(["clean-first", "speed"]),
    help="clean-first: degenerate answers never stand above none. Default: as the sweep file says.",
)
@click.option(
    "--baseline",
    metavar="NAME",
    help="Configuration that the others are compared with. Default: as the sweep file says, else the server's "
    "defaults, else the first.",
)
@click.option(
    "--each",
    type=click.Choice(["configuration", "agent", "pair"]),
    multiple=True,
    help="Also one Markdown file for each configuration, in the layout of a configuration's report or of an "
    "agent's; pair: one for all agents that ran at the same time. May be repeated.",
)
def report(
    results: Path, out: Path, sd: Any, ranking: Any, baseline: str | None, each: tuple[Any, ...]
) -> None:
    """Aggregate again, offline: RESULTS is a results folder, a stages.jsonl or a CSV of its columns."""
    from producer.report import ReportOptions, report

    click.echo(report(results, out, ReportOptions(sd, ranking, baseline, each)))


@cli.command()
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("candidate", type=click.Path(path_type=Path))
@click.option(
    "--fail-on",
    multiple=True,
    metavar="METRIC:±N%",
    help="A significant worsening beyond it is a regression: throughput:-3%, ttft:+5%; may be repeated. "
    "Metrics: throughput, ttft, itl, duration, energy, ungrounded.",
)
@click.option(
    "--allow",
    multiple=True,
    metavar="NAME,…",
    help="What may differ: workload, warmup, model, parameters, context, server, server-version, pool, hardware.",
)
@click.option(
    "--metrics",
    multiple=True,
    metavar="METRIC,…",
    help="Compare these alone: fewer tests show smaller differences. Choose before you look.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for compare.md, .html and .json.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(
    baseline: Path,
    candidate: Path,
    fail_on: tuple[str, ...],
    allow: tuple[str, ...],
    metrics: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Compare two results, offline: results folders, stages.jsonl or CSV.

    \b
    exit code 0  compared; no regression (without --fail-on there is none)
              1  a regression beyond --fail-on
              2  not compared: the results are not comparable (--allow names what may differ), a --fail-on
                 could be tested nowhere, or wrong input; the message says which
    """
    from producer.compare import CompareOptions, compare, render_json, show, wide_console, write

    result = compare(CompareOptions(baseline, candidate, fail_on, allow, metrics, out))
    paths = write(result, out) if out is not None else []
    if as_json:
        click.echo(render_json(result), nl=False)
    elif result.comparable:
        show(result, wide_console())
    for problem in result.problems:
        click.echo(f"chimera: {problem}", err=True)
    for path in paths:
        click.echo(f"written: {path}", err=as_json)
    sys.exit(result.exit_code)


@cli.command()
@click.argument("results", type=click.Path(path_type=Path), metavar="RESULTS")
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "csv", "parquet"]), help="Default: by --out's ending."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="File, or a folder. Default: the result's name, here."
)
def export(results: Path, form: Any, out: Path | None) -> None:
    """Write the stages of RESULTS as JSON lines, CSV or Parquet, for pandas, DuckDB, R and their kin."""
    from producer.export import export

    for line in export(results, out, form):
        click.echo(line)


@cli.command(cls=SeveralPaths)
@click.argument("text", metavar="TEXT.md", required=False)
@click.option(
    "--paths", multiple=True, required=True, metavar="DIR…", help="The files that the text is about."
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of {figure, context, verdict, truth}.")
def ground(text: str | None, paths: tuple[str, ...], as_json: bool) -> None:
    """Check every number, file count, date and file name of a text (- for standard input) against files.

    Supported, contradicted (with the true value) or not found; docs/grounding.md has the rules.
    """
    from producer.ground import ground_file

    ground_file(text, paths, as_json, Console())
