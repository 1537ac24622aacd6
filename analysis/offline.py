"""``stages.jsonl`` → summary in bounded memory: one configuration's stages are in memory at a time.

The lines are in the order in which jobs ended, so that each configuration's are all over the file. The first reading checks
every line and writes its row (:mod:`analysis.rows`), a tenth of it, into a file that is gone when this ends; what stays in
memory is where each configuration's rows are, 28 bytes a line. Then configuration by configuration is read and summarised;
texts are read from the lines themselves where one is needed.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgpack

from analysis.grounding import Grounder
from analysis.models import ConfigurationSummary, RankingRule, SweepSummary
from analysis.results_folder import MANIFEST_FILE, check_execution, read_facts, read_manifest, read_results
from analysis.room import room_for
from analysis.rows import Row, row_of
from analysis.stages_io import STAGES_FILE, record_at, refuse_same, stream_stages
from analysis.statistics.estimate import SdKind
from analysis.summary import summarise_records, summarise_rows, summarise_sweep
from analysis.table import Values
from contracts.manifest import Manifest
from contracts.records import StageRecord

_RUN, _STAGE, _WARMUP, _STEP, _REQUEST = (
    Row._fields.index(name) for name in ("run", "stage", "warmup", "step", "request")
)


def summarise_results(
    results: Path,
    *,
    sd: SdKind = "sample",
    ranking: RankingRule | None = None,
    baseline: str | None = None,
) -> tuple[SweepSummary, int]:
    """Summarise a results folder, its ``stages.jsonl``, or any results file; return also how many stages it holds.

    The same as :func:`analysis.summary.summarise_records` of what :func:`analysis.results_folder.read_results` reads.

    Raises:
        InputError: one line that names the file and what is wrong.
    """
    path = results / STAGES_FILE if results.is_dir() else results
    facts = read_facts(results)
    if path.name != STAGES_FILE or not path.is_file():
        records, manifest = read_results(results)
        made = summarise_records(records, manifest, sd=sd, ranking=ranking, baseline=baseline, facts=facts)
        return made, len(records)
    beside = path.parent / MANIFEST_FILE
    manifest = read_manifest(beside) if beside.is_file() else None
    grounder = Grounder(facts) if facts else None
    with tempfile.TemporaryFile() as spill, path.open("rb") as source:
        groups = _spilled(path, spill, manifest)
        room = room_for(len(manifest.configurations) if manifest else len(groups))
        known = {c.name: c for c in manifest.configurations} if manifest else {}
        planned = manifest.runs_planned() if manifest else {}
        summaries: list[ConfigurationSummary] = []
        for (config, agent), group in groups.items():
            rows = list(group.rows(spill))
            group.refuse_second(path, config, agent, rows)
            summaries.append(
                summarise_rows(
                    rows,
                    _Records(path, source, group, rows),
                    configuration=known.get(config),
                    runs_planned=planned.get(config),
                    until=manifest.spec.until_precise if manifest else None,
                    grounder=grounder,
                    sd=sd,
                    room=room,
                    workload=manifest.spec.workload if manifest else None,
                )
            )
        stages = sum(len(group.lines) for group in groups.values())
    return summarise_sweep(summaries, manifest, sd=sd, ranking=ranking, baseline=baseline), stages


@dataclass
class _Group:
    """Where the rows of one configuration and agent are."""

    lines: array[int] = field(default_factory=lambda: array("I"))
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    """Of the lines in the file."""
    spilled: array[int] = field(default_factory=lambda: array("Q"))
    """Of the rows in the spill file."""
    sizes: array[int] = field(default_factory=lambda: array("I"))

    def rows(self, spill: BinaryIO) -> Iterator[Values]:
        for offset, size in zip(self.spilled, self.sizes, strict=True):
            spill.seek(offset)
            yield msgpack.unpackb(spill.read(size), use_list=False)

    def refuse_second(self, path: Path, config: str, agent: str, rows: list[Values]) -> None:
        seen: dict[tuple[object, ...], int] = {}
        for line, row in zip(self.lines, rows, strict=True):
            if not row[_WARMUP]:  # a run may have several
                stage = (
                    row[_STAGE] if row[_STEP] is None else f"{row[_STAGE]} {row[_STEP]}.{row[_REQUEST] or 0}"
                )
                refuse_same(path, line, (config, agent, row[_RUN], stage), seen)


class _Records:
    """Reads the records of one run from the lines themselves."""

    def __init__(self, path: Path, source: BinaryIO, group: _Group, rows: list[Values]) -> None:
        self._path, self._source = path, source
        self._of_run: dict[int, list[int]] = {}
        for offset, row in zip(group.offsets, rows, strict=True):
            self._of_run.setdefault(row[_RUN], []).append(offset)

    def __call__(self, run: int) -> list[StageRecord]:
        return [record_at(self._source, self._path, offset) for offset in self._of_run[run]]


def _spilled(path: Path, spill: BinaryIO, manifest: Manifest | None) -> dict[tuple[str, str], _Group]:
    """Check all lines and write their rows; return where those of each configuration and agent are."""
    groups: dict[tuple[str, str], _Group] = {}
    end = 0
    for line, offset, record in stream_stages(path):
        check_execution(path, record, manifest)
        packed = msgpack.packb(row_of(record))
        spill.write(packed)
        group = groups.setdefault((record.config, record.agent), _Group())
        group.lines.append(line)
        group.offsets.append(offset)
        group.spilled.append(end)
        group.sizes.append(len(packed))
        end += len(packed)
    return groups
