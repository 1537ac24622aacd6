"""Which summaries are agents of one configuration that ran at the same time, and which measured their work alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis.models import ConfigurationSummary, RunFigures
from analysis.samples import plot_of


@dataclass(frozen=True)
class Member:
    """One of the agents."""

    summary: ConfigurationSummary
    solo: ConfigurationSummary | None
    """The same work alone."""
    runs: dict[int, RunFigures]


@dataclass(frozen=True)
class Group:
    """The agents of one configuration, in its order, and the runs of at least two of them."""

    config: str
    members: tuple[Member, ...]
    planned: int | None
    missing: int
    """Agents that ran and have no record in any run."""
    runs: tuple[int, ...]
    alone_runs: tuple[int, ...]
    """Runs with records of one agent only, of those that ran at the same time."""

    def of_run(self, run: int) -> list[RunFigures | None]:
        """Return the figures of each agent; ``None`` for one without records."""
        return [member.runs.get(run) for member in self.members]

    def why_incomplete(self, run: int) -> str | None:
        """Say why a run is in no estimate; ``None``: every agent's stages are there and valid."""
        without = [m.summary.agent for m in self.members if run not in m.runs]
        failed = [m.summary.agent for m in self.members if run in m.runs and not m.runs[run].complete]
        told = [
            *([f"no record of {', '.join(without)}"] if without else []),
            *(
                [f"no record of {self.missing} further agent{'s' * (self.missing > 1)}"]
                if self.missing
                else []
            ),
            *([f"a stage of {', '.join(failed)} is excluded"] if failed else []),
        ]
        return "; ".join(told) or None

    def has_record(self, run: int) -> bool:
        return any(run in member.runs for member in self.members)

    @property
    def complete(self) -> tuple[int, ...]:
        return tuple(run for run in self.runs if self.why_incomplete(run) is None)

    @property
    def several_plots(self) -> bool:
        """Whether any agent alone is loaded in another way than all together: then loads are the unit."""
        plots = {plot_of(member.summary) for member in self.members}
        return len(plots) > 1


def groups(configurations: Sequence[ConfigurationSummary]) -> Iterator[Group]:
    """Yield the groups in the order of their configurations."""
    by_config: dict[str, list[ConfigurationSummary]] = {}
    for c in configurations:
        if c.agents != 1:
            by_config.setdefault(c.config, []).append(c)
    solos: dict[_Work, ConfigurationSummary] = {}
    for c in configurations:
        work = _work(c)
        if c.agents == 1 and work is not None:
            solos.setdefault(work, c)
    for config, found in by_config.items():
        if len(found) < 2:  # mostly so: a sweep of one agent has thousands
            continue
        told = [c for c in found if c.agents is not None]
        made = _group(config, told or found, solos, foreign=not told)
        if made is not None:
            yield made


_Work = tuple[object, ...]


def _work(c: ConfigurationSummary) -> _Work | None:
    """What an agent does; ``None``: not known, so that it is the same as nothing."""
    if c.model is None or c.parameters is None:
        return None
    return c.agent, c.model, tuple(sorted(c.parameters.items())), c.server, c.persona


def _group(
    config: str,
    found: Sequence[ConfigurationSummary],
    solos: dict[_Work, ConfigurationSummary],
    *,
    foreign: bool,
) -> Group | None:
    """Foreign data don't say what ran at the same time: there two agents did where they tell the same wall time."""
    by_agent = [(c, {run.run: run for run in c.over_runs.runs}) for c in found]
    numbers = sorted({run for _, runs in by_agent for run in runs})
    shared = tuple(
        number
        for number in numbers
        for present in [[runs[number] for _, runs in by_agent if number in runs]]
        if len(present) > 1 and (not foreign or _one_wall(present))
    )
    if foreign:
        by_agent = [(c, runs) for c, runs in by_agent if any(number in runs for number in shared)]
    ran = max((c.agents or 0 for c in found), default=0)
    if len(by_agent) < 2:  # agents without any record have a summary where there is a manifest
        return None
    members = []
    for c, runs in by_agent:
        work = _work(c)
        members.append(Member(c, solos.get(work) if work is not None else None, runs))
    return Group(
        config=config,
        members=tuple(members),
        planned=next((c.runs_planned for c in found if c.runs_planned is not None), None),
        missing=max(ran - len(by_agent), 0),
        runs=shared,
        alone_runs=() if foreign else tuple(number for number in numbers if number not in shared),
    )


def _one_wall(runs: Sequence[RunFigures]) -> bool:
    walls = [run.wall_s for run in runs if run.wall_s is not None]
    return len(walls) == len(runs) and all(math.isclose(wall, walls[0], rel_tol=1e-9) for wall in walls)
