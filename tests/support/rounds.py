"""An execution in a real store, its jobs done by the test; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.models import OverRuns, RunFigures
from analysis.statistics.description import Description
from contracts.call import Outcome
from contracts.job import JobSpec
from contracts.jobs import JobMaker
from contracts.manifest import Manifest
from contracts.outcome import JobOutcome, StageResult
from contracts.plots import Unit
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
        self.blocks: list[tuple[int, list[Unit]]] = []
        self.decisions: list[int] = []
        self.finalised = 0

    def publish_block(self, block: int, units: list[Unit]) -> None:
        self.blocks.append((block, units))

    def decide(self, block: int) -> None:
        self.decisions.append(block)

    def finalise(self) -> None:
        self.finalised += 1


def figures(values: tuple[float, ...]) -> str:
    runs = tuple(
        RunFigures(run=n, complete=True, calls=2, valid_calls=2, throughput_tok_s=v, ttft_ms=5.0)
        for n, v in enumerate(values, start=1)
    )
    none = Description.none()
    made = OverRuns(throughput_tok_s=none, throughput_method="mean_of_call_rates", ttft_ms=none, runs=runs)
    return made.model_dump_json()


def outcome(
    job: JobSpec, *, result: Outcome = Outcome.OK, slot: str = "s0", ms: float = 1.0, attempt: int = 1
) -> JobOutcome:
    """Return an outcome of one stage that took ``ms`` on ``slot``; which attempt it was is how two are told apart."""
    now, ended_ns = datetime.now(UTC), round(ms * 1e6)
    stage = StageResult(stage="analysis", outcome=result, started_at=now, started_ns=0, ended_ns=ended_ns)
    return JobOutcome(
        job_id=job.job_id,
        execution=job.execution,
        sweep=job.sweep,
        configuration=job.configuration,
        run=job.run,
        block=job.block,
        load=job.load,
        slot=slot,
        pool=job.pool,
        attempt=attempt,
        started_at=now,
        ended_at=now,
        started_ns=0,
        ended_ns=ended_ns,
        stages=(stage,),
    )


class Execution:
    """An execution of a sweep file in a real store, in its first generation; its jobs are done by the test."""

    def __init__(
        self, folder: Path, store: Store, *, fixed_slots: tuple[str, ...] = (), **changes: Any
    ) -> None:
        """``changes``: keys of the sweep file (:mod:`tests.support.sweeps`)."""
        path = write_sweep(folder, **changes)
        self.store = store
        self.plan: Plan = make_plan(load(path), path)
        self.manifest: Manifest = make_manifest(self.plan, fixed_slots)
        self.execution = self.manifest.execution
        self.maker = JobMaker.of(self.manifest, str(folder))
        store.begin(self.manifest)
        store.put_base_dir(self.execution, str(folder))

    def jobs(self, units: Iterable[Unit] | None = None) -> list[JobSpec]:
        """Return the jobs of units, or of the start, in their order."""
        return [self.maker.job(job) for unit in units or self.maker.units() for job in unit.jobs]

    def do(self, jobs: Iterable[JobSpec]) -> None:
        for job in jobs:
            self.store.put_outcome(outcome(job))


class Sweep(Execution):
    """One that runs until precise."""

    def __init__(self, folder: Path, store: Store, runs: int | None = None, **until: Any) -> None:
        """``runs``: a fixed number; else ``until`` changes the keys of the sweep file's ``runs``."""
        adaptive = {"min": 3, "max": 6, "until": {"throughput": "1%"}} | until
        super().__init__(folder, store, runs=runs or adaptive)
        store.next_generation(self.execution)
        self.sent = Sent()
        self.first, self.second = (c.id for c in self.plan.configurations)

    def summarise(self, configuration_id: str, values: tuple[float, ...]) -> int:
        """Store a summary; return how many are due then."""
        return self.store.put_summary(
            self.execution, configuration_id, "{}", figures=figures(values), runs=len(values)
        )

    def to_the_first_decision(self, first: tuple[float, ...], second: tuple[float, ...]) -> None:
        self.do(self.jobs())
        self.summarise(self.first, first)
        self.summarise(self.second, second)

    def decide(self, block: int) -> dict[str, Any]:
        return decide(self.store, self.sent, self.execution, block)
