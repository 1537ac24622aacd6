"""Who runs when: in each round every client once, in an order of its own."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.fidelity.contestants import Contestant
from benchmarks.fidelity.options import Options
from benchmarks.fidelity.run import planned_s
from benchmarks.fidelity.workload import Workload

_AROUND_S = 1.5
"""Start of the server, reading of the log."""


@dataclass(frozen=True)
class Round:
    """Every client once, on the same work."""

    workload: Workload
    number: int
    of: int
    order: tuple[Contestant, ...]

    @property
    def planned_s(self) -> float:
        return sum(planned_s(contestant, self.workload) + _AROUND_S for contestant in self.order)


def plan(options: Options, present: Sequence[Contestant]) -> list[Round]:
    """Return the rounds; the seed alone decides about the orders."""
    rounds: list[Round] = []
    for concurrency in options.concurrency:
        workload = Workload(concurrency, options.per_stream * concurrency)
        of = options.repeats[concurrency]
        for number in range(1, of + 1):
            order = list(present)
            random.Random(f"{options.seed}/{concurrency}/{number}").shuffle(order)
            rounds.append(Round(workload, number, of, tuple(order)))
    return rounds
