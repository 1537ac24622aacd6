"""A slot's worker whose jobs measure nothing, with the bare task beside it: for :mod:`benchmarks.gap`."""

from __future__ import annotations

import sys
from typing import Any

import worker.delivery
from benchmarks.gap import NOTHING
from contracts.job import JobSpec
from contracts.outcome import JobOutcome
from worker.job import Started, unmeasured
from worker.measurement.clock import now_ns


def main() -> None:
    """Be the worker."""
    worker.delivery.measure = _nothing  # type: ignore[attr-defined]
    from worker.__main__ import main as be_worker

    _register()
    be_worker(sys.argv[1:])


def _nothing(spec: JobSpec, started: Started, *_: Any, **__: Any) -> JobOutcome:
    return unmeasured(spec, started, "nothing was measured: a benchmark of the gap")


def _register() -> None:
    from celery import shared_task

    @shared_task(name=NOTHING)
    def nothing() -> list[int]:
        return [now_ns(), now_ns()]

    @shared_task(name=f"{NOTHING}.after")
    def after(times: list[list[int]]) -> list[list[int]]:
        return times


if __name__ == "__main__":
    main()
