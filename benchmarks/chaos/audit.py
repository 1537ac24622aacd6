"""What a sweep's end must show, whatever happened on the way: nothing lost, nothing twice, nothing at the same time."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.results_folder import MANIFEST_FILE, SUMMARY_FILE, read_manifest
from analysis.stages_io import STAGES_FILE
from contracts.outcome import JobOutcome
from contracts.records import INGEST_STAGE, StageRecord
from contracts.store import Store

Run = tuple[str, int]
"""A configuration's name and the number of the run."""


@dataclass(frozen=True)
class Audit:
    """The findings; every list is empty where all is well. Their lines name what is wrong."""

    planned: int
    """Jobs: configurations × runs, from the spec alone."""
    complete: int
    """Jobs of which every stage is valid."""
    failures: Counter[str]
    """Outcome of a failed call or stage → jobs with it (a job may count under several)."""
    lost: tuple[str, ...]
    """Jobs that are planned and not in the results, or not in the store."""
    doubled: tuple[str, ...]
    """Jobs, or stages of a job, that are in the results more than once, or counted more than once."""
    overlaps: tuple[str, ...]
    """Two jobs, or two calls, that ran at the same time on one slot."""
    unsaid: tuple[str, ...]
    """What failed and is not named in the report, and results without a report."""

    @property
    def complaints(self) -> list[str]:
        kinds = {"lost": self.lost, "doubled": self.doubled, "overlap": self.overlaps, "unsaid": self.unsaid}
        return [f"{kind}: {line}" for kind, lines in kinds.items() for line in lines]


def audit(
    store: Store, execution: str, folder: Path, calls: Mapping[str, list[dict[str, Any]]] | None = None
) -> Audit:
    """Compare an execution's results folder with the plan and with the store.

    ``calls``: slot → its model server's log of generations, which is nobody's word but the server's.
    """
    manifest = read_manifest(folder / MANIFEST_FILE)
    assert manifest.execution == execution, folder
    # Not by read_stages: that refuses what is there twice, and here it is to be told.
    lines = (folder / STAGES_FILE).read_text().splitlines()
    records = [StageRecord.model_validate_json(line) for line in lines]
    assert isinstance(manifest.spec.runs, int)
    planned = {(c.name, run) for c in manifest.configurations for run in range(1, manifest.spec.runs + 1)}
    by_run: dict[Run, list[StageRecord]] = defaultdict(list)
    for record in records:
        by_run[record.config, record.run].append(record)
    failed = {run: bad for run, rows in by_run.items() if (bad := _failures(rows))}
    outcomes = list(store.outcomes(execution, sorted(store.jobs_done(execution))))
    others = list(store.other_outcomes(execution))  # of jobs that were measured more than once
    return Audit(
        planned=len(planned),
        complete=len(by_run) - len(failed),
        failures=Counter(kind for bad in failed.values() for kind in bad),
        lost=tuple(_lost(planned, by_run, outcomes)),
        doubled=tuple(_doubled(planned, by_run, outcomes, folder)),
        overlaps=(*_overlapping_jobs((*outcomes, *others)), *_overlapping_calls(calls or {})),
        unsaid=tuple(_unsaid(failed, folder)),
    )


def _failures(rows: list[StageRecord]) -> set[str]:
    measured = [row for row in rows if row.phase == "measured"]
    return {str(row.outcome) for row in measured if row.outcome is None or not row.outcome.valid}


def _lost(
    planned: set[Run], by_run: Mapping[Run, list[StageRecord]], outcomes: list[JobOutcome]
) -> Iterator[str]:
    yield from (f"{_named(run)} is not in the results" for run in sorted(planned - set(by_run)))
    stored = {(outcome.configuration.name, outcome.run) for outcome in outcomes}
    yield from (f"{_named(run)} has no outcome in the store" for run in sorted(planned - stored))


def _doubled(
    planned: set[Run], by_run: Mapping[Run, list[StageRecord]], outcomes: list[JobOutcome], folder: Path
) -> Iterator[str]:
    yield from (f"{_named(run)} was never planned" for run in sorted(set(by_run) - planned))
    for run, rows in by_run.items():
        if len({row.job_id for row in rows}) > 1:
            yield f"{_named(run)} is in the results as several jobs"
        yield from (
            f"{_named(run)}: {stage} is in the results {n} times"
            for (stage, phase), n in Counter((row.stage, row.phase) for row in rows).items()
            if n > 1 and phase == "measured"
        )
    for run, n in Counter((outcome.configuration.name, outcome.run) for outcome in outcomes).items():
        if n > 1:
            yield f"{_named(run)} has {n} outcomes in the store"
    runs = Counter(name for name, _ in planned)
    for one in json.loads((folder / SUMMARY_FILE).read_text())["configurations"]:
        name = one["config"]
        rows = [row for (config, _), found in by_run.items() for row in found if config == name]
        calls = Counter(str(r.outcome) for r in rows if r.phase == "measured" and r.stage != INGEST_STAGE)
        if one["runs"] != runs[name]:
            yield f"{name}: the summary counts {one['runs']} runs of {runs[name]}"
        if one["outcomes"] != calls:
            yield f"{name}: the summary counts {one['outcomes']}, the calls are {dict(calls)}"


def _overlapping_jobs(outcomes: Iterable[JobOutcome]) -> Iterator[str]:
    on_slot: dict[tuple[str, str | None], set[tuple[int, int, str]]] = defaultdict(set)
    for o in outcomes:
        if o.problem is None:  # else nothing was measured
            name = f"{_named((o.configuration.name, o.run))}, attempt {o.attempt}"
            # A set: what was stored twice, as an answer of Redis was lost, is one measurement.
            on_slot[o.slot, o.boot_id].add((o.started_ns, o.ended_ns, name))
    for (slot, _), spans in on_slot.items():
        yield from _overlapping(slot, spans)


def _overlapping_calls(calls: Mapping[str, list[dict[str, Any]]]) -> Iterator[str]:
    for slot, logged in calls.items():
        # When a client went away, the server hears of it late: "left" tells no end.
        spans = [
            (call["begin_ns"], call["end_ns"], f"call {call['id']}")
            for call in logged
            if call["end_ns"] is not None and call["ended"] != "left"
        ]
        yield from _overlapping(f"the server of {slot}", spans)


def _overlapping(where: str, spans: Iterable[tuple[int, int, str]]) -> Iterator[str]:
    last = (0, 0, "")
    for span in sorted(spans):
        if span[0] < last[1]:
            yield f"{where}: {span[2]} began {(last[1] - span[0]) / 1e6:.1f} ms before the end of {last[2]}"
        last = max(last, span, key=lambda one: one[1])


def _unsaid(failed: Mapping[Run, set[str]], folder: Path) -> Iterator[str]:
    """Every outcome of a failed call has its word in the report, beside how many runs are complete."""
    report = folder / "report.md"
    if not report.is_file():
        yield f"there is no report in {folder}"
        return
    text = report.read_text()
    for kind in sorted({kind for bad in failed.values() for kind in bad}):
        if kind.replace("_", " ") not in text and kind not in text:
            yield f"the report does not say {kind!r}"
    for name in sorted({name for name, _ in failed}):
        if name not in text:
            yield f"the report does not name {name}, of which runs failed"


def _named(run: Run) -> str:
    return f"{run[0]} / run {run[1]}"
