"""The results of an execution, read from their folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from analysis.models import ConfigurationSummary, Ranked, SweepSummary
from analysis.results_folder import HTML_FILE, MANIFEST_FILE, MARKDOWN_FILE, SUMMARY_FILE, read_manifest
from analysis.stages_io import STAGES_FILE, stream_stages
from contracts.failures import InputError
from contracts.manifest import Manifest
from contracts.records import StageRecord


class Results:
    """What a results folder holds (docs/results.md). Files are read when they are first asked for.

    Times are ms, rates tokens per second; ``None`` is not known, and never a 0.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """The execution's folder."""

    @cached_property
    def summary(self) -> SweepSummary:
        """Everything that the report says, unrounded.

        Raises:
            InputError: it is not there, or of another version of Chimera.
        """
        path = self.folder / SUMMARY_FILE
        try:
            return SweepSummary.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            what = (
                f"can't be read: {error.strerror}" if isinstance(error, OSError) else "is of another version"
            )
            raise InputError(
                f"{path}: {what}; 'chimera report {self.folder} --out DIR' makes it anew"
            ) from None

    @cached_property
    def manifest(self) -> Manifest:
        """The sweep as it was run: spec, versions, slots, seed, decisions."""
        return read_manifest(self.folder / MANIFEST_FILE)

    @property
    def configurations(self) -> tuple[ConfigurationSummary, ...]:
        """The figures of each configuration, of several agents one for each agent."""
        return self.summary.configurations

    @property
    def ranking(self) -> tuple[Ranked, ...]:
        """The places, the best first."""
        return self.summary.ranking

    @property
    def stages(self) -> Iterator[StageRecord]:
        """One record for each stage, one at a time: the file may be larger than memory. Each access begins anew."""
        return (record for _, _, record in stream_stages(self.stages_path))

    @property
    def stages_path(self) -> Path:
        """``stages.jsonl``: one line for each stage."""
        return self.folder / STAGES_FILE

    @property
    def report_html(self) -> Path:
        """The report, as a page that loads nothing."""
        return self.folder / HTML_FILE

    @property
    def report_markdown(self) -> Path:
        """The same report as Markdown."""
        return self.folder / MARKDOWN_FILE

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one dictionary for each stage, all with the same keys: ``pandas.DataFrame(results.to_rows())``."""
        return [record.model_dump() for record in self.stages]

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the stages as CSV, as ``chimera export`` does, with a file that tells their provenance beside it.

        Returns the file: in a folder it has the result's name.

        Raises:
            InputError: the path ends as another format does.
            SetupError: the disk takes no more.
        """
        from producer.export import export

        return Path(export(self.folder, Path(path), "csv").file)

    def __repr__(self) -> str:
        return f"<Results {str(self.folder)!r}>"


def load_results(folder: str | os.PathLike[str]) -> Results:
    """Return the results in a folder that ``chimera run`` or ``run`` has written.

    Raises:
        InputError: it is no such folder.
    """
    results = Results(Path(folder))
    if not results.stages_path.is_file():
        raise InputError(f"{folder}: no results folder: it holds no {STAGES_FILE}")
    return results
