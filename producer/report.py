"""``chimera report``: results file → summary and report again, without any server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.models import RankingRule
from analysis.rendering.each import Layout
from analysis.results_folder import read_facts, read_results, write_each, write_report
from analysis.statistics.estimate import SdKind
from analysis.summary import summarise_records
from contracts.failures import SetupError


@dataclass(frozen=True)
class ReportOptions:
    """What ``chimera report`` was asked, beyond where."""

    sd: SdKind = "sample"
    ranking: RankingRule | None = None
    """``None``, as of baseline: as the sweep file says."""
    baseline: str | None = None
    each: Sequence[Layout] = ()
    """Also one Markdown file for each configuration and agent, in these layouts."""


def report(results: Path, out: Path, options: ReportOptions) -> str:
    """Aggregate ``results`` into ``out`` and return the line that says so.

    A ``manifest.json`` beside the stages tells the rest of the report: hosts, order, planned runs, and the
    rule of the ranking and the baseline where none is given. A ``facts.json`` beside them lets the texts be checked.

    Raises:
        InputError: the results can't be read (names file, line and column), or hold no configuration of the
            baseline's name.
        SetupError: ``out`` can't be written, for example because the disk is full.
    """
    records, manifest = read_results(results)
    summary = summarise_records(
        records,
        manifest=manifest,
        sd=options.sd,
        ranking=options.ranking,
        baseline=options.baseline,
        facts=read_facts(results),
    )
    try:
        write_report(summary, out)
        for layout in options.each:
            write_each(summary, out, layout)
    except OSError as error:
        raise SetupError(
            f"can't write the report to {out}: {error.strerror or error}; give another folder with --out"
        ) from None
    return f"{len(records)} stages, {len({c.config for c in summary.configurations})} configuration(s): {out / 'report.html'}"
