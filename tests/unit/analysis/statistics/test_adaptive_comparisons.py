"""Comparisons of sweeps whose number of runs was decided by looking."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from analysis.comparisons import compare_two
from analysis.metrics import THROUGHPUT
from analysis.models import Comparison, OverRuns
from benchmarks.statistics.adaptive import SWEEPS, false_alarms
from benchmarks.statistics.simulated import configuration, run
from tests.support.present import present


def figures(values: Iterable[float], first_block: int = 1) -> OverRuns:
    runs = [run(n, {"throughput_tok_s": v}, block=n, slot="s0") for n, v in enumerate(values, first_block)]
    return configuration("c", runs).over_runs


def compared(a: OverRuns, b: OverRuns, looks: int | None) -> Comparison:
    names: dict[str, Any] = {"baseline": "a", "candidate": "b", "agent": "chimera"}
    return compare_two(a, b, THROUGHPUT, **names, floor=None, may_pair=True, looks=looks)


def test_looking_costs_confidence() -> None:
    rng = np.random.default_rng(3)
    a, b = figures(rng.normal(100, 1, 8)), figures(rng.normal(102, 1, 8))
    fixed, looked = compared(a, b, None), compared(a, b, 30)
    assert present(looked.p) > present(fixed.p)
    assert present(looked.difference_interval).low < present(fixed.difference_interval).low
    assert present(looked.detectable_percent) > present(fixed.detectable_percent)
    assert (fixed.looks, looked.looks) == (None, 30)


def test_a_configuration_that_went_on_is_compared_over_the_blocks_of_both() -> None:
    short, long = figures([100, 101, 99, 100.5]), figures([100.2, 100.9, 99.3, 100.4, *[110.0] * 12])
    found = compared(short, long, 30)
    assert (found.method, found.pairs, found.n_candidate) == ("paired-t", 4, 4)
    assert present(found.candidate_mean) < 101  # the later hours take no part


def test_false_alarms_stay_rare_where_counting_them_as_fixed_does_not() -> None:
    drifting = SWEEPS[2]
    assert false_alarms(drifting, 150) <= 0.05
    assert false_alarms(drifting, 150, looks=None) > 0.10
