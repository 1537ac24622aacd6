"""So many runs of every configuration, whatever they show."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.design.protocol import Block, Decision, Known, Request
from contracts.configuration import Configuration
from contracts.manifest import Standing


class FixedRuns:
    """``runs`` blocks, each with one run of every configuration."""

    def __init__(self, configurations: Sequence[Configuration], runs: int) -> None:
        self._configurations = tuple(configurations)
        self._runs = runs
        self._known = Known()

    def tell(self, known: Known) -> None:
        self._known = known

    def ask(self) -> tuple[Block, ...]:
        return missing_blocks(self._configurations, self._known, self._runs)

    def decide(self) -> Decision:
        runs = [self._known.runs(c) for c in self._configurations]
        standings = tuple(
            Standing(configuration=c.name, runs=n, more=n < self._runs, why=f"{n} of {self._runs} runs")
            for c, n in zip(self._configurations, runs, strict=True)
        )
        missing = sum(standing.more for standing in standings)
        why = f"{missing} configurations still need runs" if missing else f"all {self._runs} runs are made"
        return Decision(finished=not missing, why=why, standings=standings)


def missing_blocks(configurations: Sequence[Configuration], known: Known, runs: int) -> tuple[Block, ...]:
    """Return what is missing up to so many runs of every configuration, a block for each run."""
    made = {c.id: known.runs(c) for c in configurations}
    blocks = (
        tuple(Request(c, run) for c in configurations if made[c.id] < run) for run in range(1, runs + 1)
    )
    return tuple(block for block in blocks if block)
