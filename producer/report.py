"""``chimera report``: results file → summary and report again, without any server."""

from __future__ import annotations

from pathlib import Path

from analysis.models import RankingRule
from analysis.results_folder import read_results, write_report
from analysis.statistics.estimate import SdKind
from analysis.summary import summarise_records
from contracts.failures import ChimeraError


def report(
    results: Path,
    out: Path,
    sd: SdKind,
    ranking: RankingRule | None = None,
    baseline: str | None = None,
) -> str:
    """Aggregate ``results`` into ``out`` and return the line that says so.

    A ``manifest.json`` beside the stages tells the rest of the report: hosts, order, planned runs, and the
    rule of the ranking and the baseline where none is given.

    Raises:
        InputError: the results can't be read (names file, line and column), or hold no configuration of the
            baseline's name.
        ChimeraError: the disk takes no more.
    """
    records, manifest = read_results(results)
    summary = summarise_records(records, manifest=manifest, sd=sd, ranking=ranking, baseline=baseline)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_report(summary, out)
    except OSError as error:
        raise ChimeraError(f"can't write the report to {out}: {error}") from None
    return f"{len(records)} stages, {len(summary.configurations)} configuration(s): {out / 'report.html'}"
