"""Ask, tell, decide: what every design does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from analysis.models import OverRuns
from contracts.configuration import Configuration
from contracts.manifest import Standing


class Request(NamedTuple):
    """One run of one configuration."""

    configuration: Configuration
    run: int
    """1-based."""


Block = tuple[Request, ...]
"""Runs that are made together, at most one of a configuration; their order is not the design's to choose."""


@dataclass(frozen=True)
class Measured:
    """What is known of one configuration."""

    runs: int
    """Runs that were published; each has an outcome, whichever."""
    over_runs: OverRuns
    """Their figures."""


@dataclass(frozen=True)
class Known:
    """All that is known of a sweep when every published job has an outcome."""

    measured: Mapping[str, Measured] = field(default_factory=dict)
    """By configuration's id; one without a run may be left out."""
    spent_s: float = 0.0
    """For how long the sweep has been running, s."""

    def runs(self, configuration: Configuration) -> int:
        found = self.measured.get(configuration.id)
        return 0 if found is None else found.runs

    @property
    def jobs(self) -> int:
        """Jobs that have an outcome."""
        return sum(one.runs for one in self.measured.values())


@dataclass(frozen=True)
class Decision:
    """Whether the sweep goes on, and why."""

    finished: bool
    why: str
    """One line for people."""
    standings: tuple[Standing, ...]
    """Of every configuration, in the plan's order."""


class Design(Protocol):
    """Chooses the runs of a sweep.

    ``ask`` and ``decide`` depend on what was told last and on nothing else: asked again in the same state, by
    whichever process, a design answers the same. ``ask`` is empty if and only if ``decide`` says finished.
    """

    def tell(self, known: Known) -> None:
        """Take what is known now; it replaces what was told before."""

    def ask(self) -> tuple[Block, ...]:
        """Return the blocks to publish at once, in order: several where nothing need be known in between."""

    def decide(self) -> Decision:
        """Say whether the sweep goes on, and of each configuration why it gets another run or none."""
