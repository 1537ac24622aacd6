"""Counters of an execution, kept with its outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Counts:
    """What the outcomes of one execution add up to; a key that is absent has none."""

    done: dict[str, int] = field(default_factory=dict)
    """Configuration id → jobs with an outcome, failed ones included."""
    failed: dict[str, int] = field(default_factory=dict)
    """Configuration id → those that failed."""
    why: dict[str, int] = field(default_factory=dict)
    """What jobs failed by (:attr:`contracts.outcome.JobOutcome.why`) → jobs."""
    job_ms: dict[str, float] = field(default_factory=dict)
    """Configuration id → sum of its jobs' times, ms."""
    job_ms2: dict[str, float] = field(default_factory=dict)
    """The same of their squares, ms²."""
    slot_jobs: dict[str, int] = field(default_factory=dict)
    """Slot → jobs that it measured, those that do not count included."""
    slot_busy_ms: dict[str, float] = field(default_factory=dict)
    """Slot → sum of their times, ms."""
    load_ms: float | None = None
    """The longest load of a model that a server told, ms."""


_FIELDS = {
    "done": "done",
    "failed": "failed",
    "why": "why",
    "ms": "job_ms",
    "ms2": "job_ms2",
    "slot_jobs": "slot_jobs",
    "slot_ms": "slot_busy_ms",
}
_INTEGER = {"done", "failed", "why", "slot_jobs"}


def read_counts(stored: Mapping[str, str]) -> Counts:
    """Return the counters of a hash ``<kind>:<name>`` → number; those that are 0 are left out."""
    found: dict[str, dict[str, float]] = {name: {} for name in _FIELDS.values()}
    for key, text in stored.items():
        kind, _, name = key.partition(":")
        if kind in _FIELDS:
            value = int(text) if kind in _INTEGER else float(text)
            if value:
                found[_FIELDS[kind]][name] = value
    load = stored.get("load_ms")
    return Counts(**found, load_ms=None if load is None else float(load))  # type: ignore[arg-type]
