"""How long a sweep will take, from earlier executions of the same sweep; never a guess."""

from __future__ import annotations

import json
from pathlib import Path

from contracts.manifest import Manifest
from producer.plan import Plan


def earlier_job_s(plan: Plan, results: Path) -> float | None:
    """Return the mean time of a job in the newest earlier execution of this sweep, s; ``None``: there is none."""
    for folder in sorted((results / plan.spec.name).glob("*"), reverse=True):
        try:
            manifest = Manifest.model_validate_json((folder / "manifest.json").read_text(encoding="utf-8"))
            if manifest.sweep_id != plan.sweep_id:
                continue
            spans = _job_spans_ns(folder / "stages.jsonl")
        except (OSError, ValueError, KeyError):
            continue  # not a results folder
        if spans:
            return sum(spans) / len(spans) / 1e9
    return None


def _job_spans_ns(stages: Path) -> list[int]:
    """Return, for each job, the time from its first stage's start to its last stage's end."""
    begins: dict[str, int] = {}
    ends: dict[str, int] = {}
    for line in stages.read_text(encoding="utf-8").splitlines():
        stage = json.loads(line)
        job = stage["job_id"]
        begins[job] = min(begins.get(job, stage["started_ns"]), stage["started_ns"])
        ends[job] = max(ends.get(job, stage["ended_ns"]), stage["ended_ns"])
    return [ends[job] - begins[job] for job in begins]
