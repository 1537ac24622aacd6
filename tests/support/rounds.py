"""An execution that runs until precise in a real store, its jobs done by the test; nothing is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.models import OverRuns, RunFigures
from analysis.statistics.description import Description
from contracts.job import JobSpec
from contracts.manifest import Manifest
from contracts.outcome import JobOutcome
from contracts.store import Store
from producer.manifest import make_manifest
from producer.plan import Plan, make_plan
from producer.sweep_file import load
from tests.support.sweeps import write_sweep
from worker.rounds import decide

QUIET, LOUD = (100.0, 100.001, 99.999), (100.0, 150.0, 50.0)


class Sent:
    """Keeps what was published."""

    def __init__(self) -> None:
        self.jobs: list[tuple[int | None, list[JobSpec]]] = []
        self.decisions: list[int] = []
        self.finalised = 0
        self.again: list[tuple[int | None, JobSpec]] = []
        self.callbacks: list[str] = []

    def publish(self, jobs: list[JobSpec], *, block: int | None = None) -> None:
        self.jobs.append((block, jobs))

    def decide(self, block: int) -> None:
        self.decisions.append(block)

    def finalise(self) -> None:
        self.finalised += 1

    def send_again(self, job: JobSpec, *, block: int | None = None) -> None:
        self.again.append((block, job))

    def aggregate(self, job: JobSpec) -> None:
        self.callbacks.append(job.configuration.id)


def figures(values: tuple[float, ...]) -> str:
    runs = tuple(
        RunFigures(run=n, complete=True, calls=2, valid_calls=2, throughput_tok_s=v, ttft_ms=5.0)
        for n, v in enumerate(values, start=1)
    )
    none = Description.none()
    made = OverRuns(throughput_tok_s=none, throughput_method="mean_of_call_rates", ttft_ms=none, runs=runs)
    return made.model_dump_json()


def outcome(job: JobSpec) -> JobOutcome:
    now = datetime.now(UTC)
    return JobOutcome(
        job_id=job.job_id,
        execution=job.execution,
        sweep=job.sweep,
        configuration=job.configuration,
        run=job.run,
        block=job.block,
        slot="s0",
        pool=job.pool,
        attempt=1,
        started_at=now,
        ended_at=now,
        started_ns=0,
        ended_ns=1,
    )


class Sweep:
    """An execution whose jobs are done by the test."""

    def __init__(self, folder: Path, store: Store, runs: int | None = None, **until: Any) -> None:
        """``runs``: a fixed number; else ``until`` changes the keys of the sweep file's ``runs``."""
        adaptive = {"min": 3, "max": 6, "until": {"throughput": "1%"}} | until
        path = write_sweep(folder, runs=runs or adaptive)
        self.store = store
        self.plan: Plan = make_plan(load(path), path)
        self.manifest: Manifest = make_manifest(self.plan)
        self.execution = self.manifest.execution
        store.begin(self.manifest)
        store.put_base_dir(self.execution, str(folder))
        store.next_generation(self.execution)
        self.sent = Sent()
        self.first, self.second = (c.id for c in self.plan.configurations)

    def do(self, jobs: list[JobSpec]) -> None:
        for job in jobs:
            self.store.put_outcome(outcome(job))

    def summarise(self, configuration_id: str, values: tuple[float, ...]) -> int:
        """Store a summary; return how many are due then."""
        return self.store.put_summary(
            self.execution, configuration_id, "{}", figures=figures(values), runs=len(values)
        )

    def to_the_first_decision(self, first: tuple[float, ...], second: tuple[float, ...]) -> None:
        self.do(self.plan.jobs(self.execution))
        self.summarise(self.first, first)
        self.summarise(self.second, second)

    def decide(self, block: int) -> dict[str, Any]:
        return decide(self.store, self.sent, self.execution, block)
