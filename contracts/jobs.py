"""The jobs of one execution, made from its manifest: in the producer, the aggregator and the workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from contracts.base import content_hash
from contracts.configuration import Configuration
from contracts.job import JobSpec
from contracts.manifest import Manifest, OrderedJob, Round
from contracts.plots import Planned, Unit, units_at_start, units_of_block
from contracts.sweep import SweepSpec


@dataclass(frozen=True)
class JobMaker:
    """Makes the jobs of one execution; nothing of it grows with the number of runs."""

    spec: SweepSpec
    corpus_digest: str
    base_dir: str
    """Folder that the workload's relative paths are relative to, on the producer's machine."""
    configurations: tuple[Configuration, ...]
    execution: str
    fixed_slots: tuple[str, ...] = ()
    """As in the manifest."""

    @classmethod
    def of(cls, manifest: Manifest, base_dir: str) -> JobMaker:
        """Return the maker of an execution's jobs."""
        return cls(
            manifest.spec,
            manifest.corpus_digest,
            base_dir,
            manifest.configurations,
            manifest.execution,
            manifest.fixed_slots,
        )

    def units(self, rounds: Iterable[Round] = ()) -> Iterator[Unit]:
        """Yield the units of the start and of the rounds, in the order of their publishing."""
        yield from units_at_start(self.spec, self.configurations)
        for one in rounds:
            yield from self.units_of(one)

    def units_of(self, one: Round) -> list[Unit]:
        """Return the units of a block that was decided later."""
        if not one.jobs:
            return []
        runs = {self._named[job.configuration].id: job.run for job in one.jobs}
        return units_of_block(self.spec, self.configurations, one.block, runs)

    def job_id(self, planned: Planned) -> str:
        """Return the job's id; quicker than making the job."""
        return content_hash({**self._content(planned.configuration), "run": planned.run})

    def job_ids(self, configuration: Configuration, runs: int) -> list[str]:
        """Return the ids of a configuration's first runs, in their order."""
        content = self._content(configuration)
        return [content_hash({**content, "run": run}) for run in range(1, runs + 1)]

    def job(self, planned: Planned) -> JobSpec:
        """Return the job itself."""
        spec, configuration = self.spec, planned.configuration
        return JobSpec(
            kind=spec.workload.kind,
            sweep=spec.name,
            execution=self.execution,
            configuration=configuration,
            run=planned.run,
            block=planned.block,
            load=planned.load,
            workload=spec.workload,
            corpus_digest=self.corpus_digest,
            base_dir=self.base_dir,
            server=spec.server,
            warmup=spec.warmup,
            reset=any(
                given is None and model in self._num_gpu_given for model, given in _num_gpu(configuration)
            ),
            deadline_s=spec.deadline,
            pool=spec.pool,
        )

    def configuration(self, configuration_id: str) -> Configuration | None:
        """Return the configuration of that id; ``None``: the sweep has none."""
        return self._identified.get(configuration_id)

    def listed(self, units: Iterable[Unit]) -> Iterator[OrderedJob]:
        """Yield the lines that list the units' jobs."""
        for unit in units:
            for job in unit.jobs:
                yield OrderedJob(
                    job_id=self.job_id(job),
                    configuration=job.configuration.name,
                    run=job.run,
                    block=job.block,
                    load=job.load,
                )

    def _content(self, configuration: Configuration) -> dict[str, Any]:
        if configuration.id not in self._contents:
            self._contents[configuration.id] = self.job(Planned(configuration, 1, 1, None)).content()
        return self._contents[configuration.id]

    @cached_property
    def _contents(self) -> dict[str, dict[str, Any]]:
        return {}

    @cached_property
    def _identified(self) -> dict[str, Configuration]:
        return {c.id: c for c in self.configurations}

    @cached_property
    def _named(self) -> dict[str, Configuration]:
        return {c.name: c for c in self.configurations}

    @cached_property
    def _num_gpu_given(self) -> frozenset[str]:
        """Models that Ollama would run with another configuration's num_gpu where one gives none (docs/servers.md)."""
        given = (model for c in self.configurations for model, number in _num_gpu(c) if number is not None)
        return frozenset(given) if self.spec.server.kind == "ollama" else frozenset()


def _num_gpu(configuration: Configuration) -> list[tuple[str, int | None]]:
    """Return each model that it runs with its num_gpu."""
    if configuration.agents:
        return [(role.model, role.parameters.num_gpu) for role in configuration.agents]
    return [(configuration.model, configuration.parameters.num_gpu)]
