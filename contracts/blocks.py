"""Randomised blocks of jobs: which order, and how a job is made from a request for a run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from contracts.configuration import Configuration
from contracts.job import JobSpec
from contracts.manifest import Manifest, OrderedJob
from contracts.sweep import SweepSpec


def shuffled(points: Sequence[Configuration], seed: int, block: int) -> list[Configuration]:
    """Return the points in the block's random order.

    Sorted by a hash instead of shuffled by a generator: the order depends on nothing but seed, block
    and point, on any version and machine.
    """

    def key(point: Configuration) -> bytes:
        return hashlib.sha256(f"{seed}:{block}:{point.id}".encode()).digest()

    return sorted(points, key=key)


@dataclass(frozen=True)
class JobMaker:
    """Makes the jobs of one execution: in the producer, and later blocks in the aggregator."""

    spec: SweepSpec
    corpus_digest: str
    base_dir: str
    """Folder that the workload's relative paths are relative to, on the producer's machine."""
    configurations: tuple[Configuration, ...]
    execution: str

    @classmethod
    def of(cls, manifest: Manifest, base_dir: str) -> JobMaker:
        """Return the maker of an execution's jobs."""
        return cls(
            manifest.spec, manifest.corpus_digest, base_dir, manifest.configurations, manifest.execution
        )

    def block(self, number: int, runs: Iterable[tuple[str, int]]) -> list[JobSpec]:
        """Return the jobs of a block, in its random order; ``runs``: configuration's id and number of its run."""
        run_of = dict(runs)
        chosen = [c for c in self.configurations if c.id in run_of]
        ordered = shuffled(chosen, self.spec.order.seed, number)
        return [self._job(c, run_of[c.id], number) for c in ordered]

    def jobs(self, order: Iterable[OrderedJob]) -> list[JobSpec]:
        """Return the jobs that ``order`` lists, by their configurations' names."""
        by_name = {c.name: c for c in self.configurations}
        return [self._job(by_name[line.configuration], line.run, line.block) for line in order]

    def _job(self, configuration: Configuration, run: int, block: int) -> JobSpec:
        spec = self.spec
        return JobSpec(
            sweep=spec.name,
            execution=self.execution,
            configuration=configuration,
            run=run,
            block=block,
            workload=spec.workload,
            corpus_digest=self.corpus_digest,
            base_dir=self.base_dir,
            server=spec.server,
            warmup=spec.warmup,
            reset=configuration.parameters.num_gpu is None and configuration.model in self._num_gpu_given,
            deadline_s=spec.deadline,
            pool=spec.pool,
        )

    @cached_property
    def _num_gpu_given(self) -> frozenset[str]:
        """Models that Ollama would run with another configuration's num_gpu where one gives none (docs/servers.md)."""
        given = (c.model for c in self.configurations if c.parameters.num_gpu is not None)
        return frozenset(given) if self.spec.server.kind == "ollama" else frozenset()


def listed(jobs: Iterable[JobSpec]) -> tuple[OrderedJob, ...]:
    """Return the lines that list the jobs in a manifest."""
    return tuple(
        OrderedJob(job_id=j.job_id, configuration=j.configuration.name, run=j.run, block=j.block)
        for j in jobs
    )
