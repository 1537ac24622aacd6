"""``manifest.json``: what was asked, in which order, by which code, on which machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import Field

from contracts.base import SCHEMA_VERSION, Strict
from contracts.configuration import Configuration
from contracts.floor import MeasurementFloor
from contracts.outcome import HostIdentity, ServerIdentity
from contracts.sweep import SweepSpec


class OrderedJob(Strict):
    """One line of the order in which the jobs were published."""

    job_id: str
    configuration: str
    run: int
    block: int
    load: int | None = None
    """Load of the configuration's plot; ``None``: the order knows no plots."""


Stopped = Literal["precise", "no spread", "most runs", "hopeless", "most jobs", "time"]
"""``no spread``: what is not precise is equal in all runs; ``hopeless``: its newest runs tell nothing of a metric;
the last two are limits of the whole sweep."""


class Standing(Strict):
    """Whether a configuration gets another run, as it was decided after a block."""

    configuration: str
    """Its name."""
    runs: int
    """That it had by then."""
    more: bool
    stopped: Stopped | None = None
    """What ended it; ``None``: nothing yet, or the number of its runs was fixed."""
    why: str
    """In words, with figures: ``ttft ±7 % > 5 %``."""


class Round(Strict):
    """What was decided after all jobs of the blocks before had an outcome."""

    block: int
    """The block that it is about, 1-based."""
    decided_at: datetime
    jobs: tuple[OrderedJob, ...]
    """Of the block, in its order; none: there is no such block, the execution ends."""
    standings: tuple[Standing, ...]
    """Of the configurations that were not stopped before."""
    why: str
    """One line for people."""


class SlotIdentity(Strict):
    """One slot that measured, with its machine and its server."""

    slot: str
    pool: str
    host: HostIdentity | None = None
    server: ServerIdentity | None = None
    floor: MeasurementFloor | None = None
    """``None``: the slot was never calibrated."""


class TakenBack(Strict):
    """Outcomes of a slot whose model server failed, whose jobs were measured once more."""

    slot: str
    jobs: int
    why: str
    """What the server failed by, at last."""


class Manifest(Strict):
    """One execution of one sweep."""

    schema_version: Literal[1] = SCHEMA_VERSION
    sweep: str
    execution: str
    """``<UTC timestamp>-<first 8 digits of the sweep's id>``."""
    sweep_id: str
    """Content hash of spec and corpus."""
    corpus_digest: str
    created_at: datetime
    finished_at: datetime | None = None
    spec: SweepSpec
    configurations: tuple[Configuration, ...]
    order_seed: int
    order: tuple[OrderedJob, ...] = ()
    """Of executions that came before ``order.jsonl``; else empty: it follows from seed, configurations and rounds."""
    later_runs: dict[str, int] = Field(default_factory=dict)
    """Configuration's name → runs of the blocks that were decided on later."""
    last_block: int | None = None
    """The last of these blocks; ``None``: there is none."""
    fixed_slots: tuple[str, ...] = ()
    """Slots that share the runs of each configuration, where each job has its slot (``placement: balanced``)."""
    versions: dict[str, str]
    git_commit: str | None = None
    slots: tuple[SlotIdentity, ...] = ()
    resumed: int = 0
    """How often the execution was taken up again."""
    baseline: str | None = None
    """Name of the configuration that the sweep file makes the baseline; ``None``: it names none."""
    cancelled: str | None = None
    """Why the execution was ended before its time; ``None``: it was not."""
    taken_back: tuple[TakenBack, ...] = ()
    standings: tuple[Standing, ...] = ()
    """Why each configuration has as many runs as it has, of a sweep that runs until precise."""
    ended_because: str | None = None
    """The last decision of such a sweep, in words."""

    def runs_planned(self) -> dict[str, int]:
        """Return how many runs were published, or are to be, by configuration's name."""
        if self.order:
            return dict(Counter(job.configuration for job in self.order))
        first = self.spec.first_runs
        return {c.name: first + self.later_runs.get(c.name, 0) for c in self.configurations}

    def with_rounds(self, rounds: Iterable[Round]) -> Manifest:
        """Return the manifest with the blocks that were decided later; those that it has are no others."""
        later, last = Counter(self.later_runs), self.last_block
        standings = {standing.configuration: standing for standing in self.standings}
        why = self.ended_because
        for one in sorted(rounds, key=lambda one: one.block):
            if one.jobs and (last is None or one.block > last):
                later.update(job.configuration for job in one.jobs)
                last = one.block
            standings |= {standing.configuration: standing for standing in one.standings}
            why = why if one.jobs else one.why
        return self.model_copy(
            update={
                "later_runs": dict(later),
                "last_block": last,
                "standings": tuple(standings.values()),
                "ended_because": why,
            }
        )
