"""``chimera report``: results file → summary and report again, without any server."""

from __future__ import annotations

from pathlib import Path

from analysis.results_folder import write_report
from analysis.stages_io import read_stages
from analysis.statistics.estimate import SdKind
from analysis.summary import summarise_records
from contracts.failures import ChimeraError, InputError
from contracts.manifest import Manifest


def report(results: Path, out: Path, sd: SdKind) -> str:
    """Aggregate ``results`` into ``out`` and return the line that says so.

    A ``manifest.json`` beside the stages tells the rest of the report: hosts, order, planned runs.

    Raises:
        InputError: the results can't be read; names file, line and column.
        ChimeraError: the disk takes no more.
    """
    records = read_stages(results)
    summary = summarise_records(records, manifest=_manifest(results), sd=sd)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_report(summary, out)
    except OSError as error:
        raise ChimeraError(f"can't write the report to {out}: {error}") from None
    return f"{len(records)} stages, {len(summary.configurations)} configuration(s): {out / 'report.html'}"


def _manifest(results: Path) -> Manifest | None:
    path = (results if results.is_dir() else results.parent) / "manifest.json"
    if not path.is_file():
        return None
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a manifest of this version: {str(error).splitlines()[0]}") from None
