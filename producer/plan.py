"""Spec → configurations → ordered jobs: pure and seeded."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from contracts.base import SCHEMA_VERSION, content_hash
from contracts.configuration import PARAMETER_NAMES, Configuration, Parameters, format_value
from contracts.corpus import digest, discover, resolve_roots, root_names
from contracts.failures import InputError
from contracts.job import PROMPTS_VERSION, JobSpec
from contracts.sweep import SweepSpec

MAX_JOBS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What a sweep will do, before anything is sent."""

    spec: SweepSpec
    sweep_file: Path
    corpus_digest: str
    files: int
    configurations: tuple[Configuration, ...]

    @property
    def base_dir(self) -> Path:
        """Folder that the workload's relative paths are relative to."""
        return self.sweep_file.resolve().parent

    @property
    def sweep_id(self) -> str:
        """Content hash of spec, corpus and what else the job ids hash, 16 hex digits."""
        spec = self.spec.model_dump(mode="json", exclude_defaults=True)
        versions = {"schema": SCHEMA_VERSION, "prompts": PROMPTS_VERSION}
        return content_hash({"spec": spec, "corpus": self.corpus_digest, **versions})

    @property
    def size(self) -> int:
        """Number of jobs."""
        return len(self.configurations) * self.spec.runs

    def jobs(self, execution: str) -> list[JobSpec]:
        """Return the jobs in the order in which they are published: block by block."""
        return [
            self._job(execution, configuration, block)
            for block in range(1, self.spec.runs + 1)
            for configuration in shuffled(self.configurations, self.spec.order.seed, block)
        ]

    def _job(self, execution: str, configuration: Configuration, block: int) -> JobSpec:
        spec = self.spec
        return JobSpec(
            sweep=spec.name,
            execution=execution,
            configuration=configuration,
            run=block,
            block=block,
            workload=spec.workload,
            corpus_digest=self.corpus_digest,
            base_dir=str(self.base_dir),
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


def make_plan(spec: SweepSpec, sweep_file: Path) -> Plan:
    """Plan a sweep whose file is ``sweep_file``.

    Raises:
        InputError: no configuration is left, or a workload path can't be read or holds no file.
    """
    base_dir = sweep_file.resolve().parent
    try:
        paths = spec.workload.paths
        files = discover(resolve_roots(paths, base_dir), root_names(paths))
        corpus_digest = digest(files)
    except (OSError, ValueError, RuntimeError) as error:  # the latter two: a NUL, or ~ of nobody
        raise InputError(f"{sweep_file}: workload.paths: {error}") from None
    if not files:
        raise InputError(
            f"{sweep_file}: workload.paths: no csv, json or md file below {list(spec.workload.paths)}"
        )
    try:
        points = configurations(spec)
    except InputError as error:
        raise InputError(f"{sweep_file}: {error}") from None
    if not points:
        raise InputError(f"{sweep_file}: exclude: leaves no configuration")
    return Plan(spec, sweep_file, corpus_digest, len(files), points)


def configurations(spec: SweepSpec) -> tuple[Configuration, ...]:
    """Return the product of the axes without the excluded points, then the included ones; each once.

    Raises:
        InputError: too many, or two that can't be told apart by name.
    """
    axes = spec.axes.given() if spec.model is None else {"model": (spec.model,), **spec.axes.given()}
    jobs = spec.runs * math.prod(len(values) for values in axes.values())
    if jobs > MAX_JOBS:
        raise InputError(f"axes: their product makes {jobs} jobs, more than {MAX_JOBS}")
    product = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    kept = [p for p in product if not any(_agrees(p, excluded.named()) for excluded in spec.exclude)]
    added = [{"model": spec.model, **point.named()} for point in spec.include]
    if any(point["model"] is None for point in added):
        raise InputError("include: name the model in every point, as it is an axis of this sweep")
    points = {content_hash(_given(point)): point for point in [*kept, *added]}
    varying = [a for a in ("model", *PARAMETER_NAMES) if len({p.get(a) for p in points.values()}) > 1]
    made = tuple(_configuration(point, varying) for point in points.values())
    twice = [name for name, count in Counter(c.name for c in made).items() if count > 1]
    if twice:
        raise InputError(f"axes: two configurations have the same name, {twice[0]!r}")
    return made


def shuffled(points: tuple[Configuration, ...], seed: int, block: int) -> list[Configuration]:
    """Return the points in the block's random order.

    Sorted by a hash instead of shuffled by a generator: the order depends on nothing but seed, block
    and point, on any version and machine.
    """

    def key(point: Configuration) -> bytes:
        return hashlib.sha256(f"{seed}:{block}:{point.id}".encode()).digest()

    return sorted(points, key=key)


def _agrees(point: dict[str, Any], partial: dict[str, Any]) -> bool:
    return all(point.get(axis) == value for axis, value in partial.items())


def _given(point: dict[str, Any]) -> dict[str, Any]:
    return {axis: value for axis, value in point.items() if value is not None}


def _configuration(point: dict[str, Any], varying: list[str]) -> Configuration:
    parameters = {axis: value for axis, value in point.items() if axis != "model"}
    name = ",".join(f"{axis}={format_value(point.get(axis))}" for axis in varying)
    return Configuration(name=name or "default", model=point["model"], parameters=Parameters(**parameters))
