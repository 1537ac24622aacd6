"""Spec → configurations → ordered jobs: pure and seeded."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.base import SCHEMA_VERSION, content_hash
from contracts.configuration import LOAD_NAMES, PARAMETER_NAMES, Configuration, Parameters, format_value
from contracts.failures import InputError
from contracts.job import PROMPTS_VERSION
from contracts.jobs import JobMaker
from contracts.plots import Unit, has_plots, loads_of, plot_of, units_at_start
from contracts.sweep import Point, SweepSpec
from contracts.workloads import AgentPairWorkload, PromptsWorkload
from producer.material import check_requests, material
from producer.pairs import paired
from producer.sweep_file import where

MAX_JOBS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What a sweep will do, before anything is sent."""

    spec: SweepSpec
    sweep_file: Path
    corpus_digest: str
    """Of what the workload reads (:func:`producer.material.material`)."""
    files: int
    """That it reads; of the workload ``prompts`` the conversations."""
    configurations: tuple[Configuration, ...]

    @property
    def base_dir(self) -> Path:
        """Folder that the workload's relative paths are relative to."""
        return self.sweep_file.resolve().parent

    @property
    def sweep_id(self) -> str:
        """Content hash of spec, corpus and what else the job ids hash, 16 hex digits."""
        spec = self.spec.model_dump(mode="json", exclude_defaults=True)
        content = {
            "spec": spec,
            "corpus": self.corpus_digest,
            "schema": SCHEMA_VERSION,
            "prompts": PROMPTS_VERSION,
        }
        if isinstance(self.spec.workload, AgentPairWorkload):  # personas may be files
            content["configurations"] = [c.id for c in self.configurations]
        return content_hash(content)

    @property
    def size(self) -> int:
        """Number of jobs that are published at the start: all of them, where the number of runs is fixed."""
        return len(self.configurations) * self.spec.first_runs

    @property
    def most_jobs(self) -> int:
        """Number of jobs that the sweep takes at most."""
        most = len(self.configurations) * self.spec.most_runs
        return most if self.spec.max_jobs is None else min(most, self.spec.max_jobs)

    @property
    def baseline(self) -> Configuration | None:
        """The configuration that the sweep file makes the baseline."""
        if self.spec.baseline is None:
            return None
        return next(c for c in self.configurations if len(c.agents) != 1 and _is_at(c, self.spec.baseline))

    def units(self) -> Iterator[Unit]:
        """Yield what is published at the start, in its order: jobs, or units of jobs that one slot takes together."""
        return units_at_start(self.spec, self.configurations)

    @property
    def plots(self) -> int | None:
        """Number of whole plots; ``None``: the order knows no plots."""
        if not has_plots(self.spec, self.configurations):
            return None
        return len({plot_of(c) for c in self.configurations})

    @property
    def loads(self) -> int:
        """How often each plot is loaded by the jobs of the start."""
        return loads_of(self.spec, self.spec.first_runs)

    def maker(self, execution: str) -> JobMaker:
        """Return what makes the jobs of an execution of this plan."""
        return JobMaker(self.spec, self.corpus_digest, str(self.base_dir), self.configurations, execution)


def make_plan(spec: SweepSpec, sweep_file: Path) -> Plan:
    """Plan a sweep whose file is ``sweep_file``.

    Raises:
        InputError: no configuration is left, or what the workload reads can't be read or holds nothing.
    """
    base_dir = sweep_file.resolve().parent
    material_digest, files = material(spec.workload, base_dir, sweep_file)
    try:
        points = configurations(spec)
    except InputError as error:
        key, _, problem = str(error).partition(": ")
        raise InputError(f"{where(sweep_file, key)}: {problem}") from None
    if not points:
        raise InputError(f"{where(sweep_file, 'exclude')}: leaves no configuration")
    _check_baseline(spec, points, sweep_file)
    if isinstance(spec.workload, AgentPairWorkload):
        try:
            points = paired(points, spec.workload, base_dir)
        except InputError as error:
            problem = str(error).removeprefix("workload.agents: ")
            raise InputError(f"{where(sweep_file, 'workload.agents')}: {problem}") from None
    if isinstance(spec.workload, PromptsWorkload):
        check_requests(spec.workload, points, spec.deadline, sweep_file)
    _check_limit(spec, points, sweep_file)
    return Plan(spec, sweep_file, material_digest, files, points)


def configurations(spec: SweepSpec) -> tuple[Configuration, ...]:
    """Return the product of the axes without the excluded points, then the included ones; each once.

    Raises:
        InputError: too many, or two that can't be told apart by name, or an exclusion that is none; its words begin
            with the key that they are about.
    """
    axes = spec.axes.given() if spec.model is None else {"model": (spec.model,), **spec.axes.given()}
    if (
        isinstance(spec.workload, PromptsWorkload)
        and spec.workload.search is None
        and not LOAD_NAMES & axes.keys()
    ):
        axes = {**axes, "concurrency": (1,)}
    jobs = spec.most_runs * math.prod(len(values) for values in axes.values())
    if jobs > MAX_JOBS:
        raise InputError(f"axes: their product makes {jobs} jobs, more than {MAX_JOBS}")
    product = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    kept = [p for p in product if not any(_agrees(p, excluded.named()) for excluded in spec.exclude)]
    for excluded in spec.exclude:
        if not any(_agrees(p, excluded.named()) for p in product):
            raise InputError(
                f"exclude: {excluded.named()} agrees with no configuration, so it would exclude nothing: "
                "take it out, or give values that the axes have"
            )
    added = [{"model": spec.model, **point.named()} for point in spec.include]
    if isinstance(spec.workload, PromptsWorkload) and spec.workload.search is None:
        for point in added:
            loads = LOAD_NAMES & {name for name, value in point.items() if value is not None}
            if len(loads) != 1:
                raise InputError(
                    f"include: give each point one load, concurrency or rate (got {' and '.join(sorted(loads)) or 'none'})"
                )
    if any(point["model"] is None for point in added):
        raise InputError("include: name the model in every point, as it is an axis of this sweep")
    points = {content_hash(_given(point)): point for point in [*kept, *added]}
    varying = [a for a in ("model", *PARAMETER_NAMES) if len({p.get(a) for p in points.values()}) > 1]
    made = tuple(_configuration(point, varying) for point in points.values())
    twice = [name for name, count in Counter(c.name for c in made).items() if count > 1]
    if twice:
        raise InputError(f"axes: two configurations have the same name, {twice[0]!r}")
    return made


def _check_baseline(spec: SweepSpec, points: tuple[Configuration, ...], sweep_file: Path) -> None:
    if spec.baseline is None:
        return
    found = [point.name for point in points if _is_at(point, spec.baseline)]
    if len(found) == 1:
        return
    at = where(sweep_file, "baseline")
    if not found:
        raise InputError(f"{at}: no configuration agrees with it: {_what_there_is(spec.baseline, points)}")
    some = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
    raise InputError(
        f"{at}: {len(found)} configurations agree with it ({some}); name as many axes as single one out (see chimera plan)"
    )


def _what_there_is(baseline: Point, points: tuple[Configuration, ...]) -> str:
    """``num_ctx has 1024, 4096``: the values of each axis that has not the one named; else that it is their combination."""
    there = {axis: list(dict.fromkeys(_value(point, axis) for point in points)) for axis in baseline.named()}
    lacking = [axis for axis, value in baseline.named().items() if value not in there[axis]]
    if not lacking:
        return "each value is there, but not all together (see chimera plan)"
    return "; ".join(f"{axis} has {', '.join(map(format_value, there[axis]))}" for axis in lacking)


def _check_limit(spec: SweepSpec, points: tuple[Configuration, ...], sweep_file: Path) -> None:
    limit = spec.max_jobs
    if limit is not None and limit < len(points) * spec.first_runs:
        raise InputError(
            f"{where(sweep_file, 'runs.max_jobs')}: {limit} jobs are fewer than {len(points)} configurations × "
            f"{spec.first_runs} runs, which are measured in any case"
        )


def _is_at(configuration: Configuration, point: Point) -> bool:
    return all(_value(configuration, axis) == value for axis, value in point.named().items())


def _value(configuration: Configuration, axis: str) -> Any:
    return configuration.model if axis == "model" else configuration.parameters.given().get(axis)


def _agrees(point: dict[str, Any], partial: dict[str, Any]) -> bool:
    return all(point.get(axis) == value for axis, value in partial.items())


def _given(point: dict[str, Any]) -> dict[str, Any]:
    return {axis: value for axis, value in point.items() if value is not None}


def _configuration(point: dict[str, Any], varying: list[str]) -> Configuration:
    parameters = {axis: value for axis, value in point.items() if axis != "model"}
    name = ",".join(f"{axis}={format_value(point.get(axis))}" for axis in varying)
    return Configuration(name=name or "default", model=point["model"], parameters=Parameters(**parameters))
