"""From which concurrency on a closed loop's output grows no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from analysis.comparisons import compare_two, typical_spreads, with_holm
from analysis.metrics import THROUGHPUT
from analysis.models import Comparison, ConfigurationSummary, OverRuns
from analysis.models.load import Knee
from analysis.samples import plot_of

WORTH_PERCENT = 5.0
"""Growth of the output that counts. Between loads that all saturate a server a per cent can be shown too: it fills its places
without a gap, and the knee is not there."""
_TESTED = frozenset({"better", "worse", "no difference shown", "below the floor"})


def knee_of(grid: Sequence[tuple[float, ConfigurationSummary]], looks: int | None) -> Knee | None:
    """Return the knee of loads in ascending order that differ in nothing else; ``None`` for fewer than two.

    Every load is compared with every lower one, not with its neighbour only: a growth that is too small to be shown from each load
    to the next can be shown over several. Growth is what is shown to be above :data:`WORTH_PERCENT`: the test is of the higher load
    against 1.05 times the lower one's output. p is corrected over all of them (Holm). ``looks`` as of
    :func:`analysis.comparisons.compare_two`.
    """
    if len(grid) < 2:
        return None
    spreads = typical_spreads([c.over_runs for _, c in grid], THROUGHPUT)
    pairs = list(combinations(range(len(grid)), 2))

    def compared_with(baselines: Sequence[OverRuns]) -> tuple[Comparison, ...]:
        return with_holm(
            compare_two(
                baselines[low],
                grid[high][1].over_runs,
                THROUGHPUT,
                baseline=grid[low][1].config,
                candidate=grid[high][1].config,
                agent=grid[low][1].agent,
                floor=None,
                may_pair=True,
                spreads=spreads,
                looks=looks,
                between_plots=plot_of(grid[low][1]) != plot_of(grid[high][1]),
            )
            for low, high in pairs
        )

    compared = compared_with([c.over_runs for _, c in grid])
    tested = compared_with([_raised(c.over_runs) for _, c in grid])
    beyond_p = tuple(one.p_holm for one in tested)
    by_pair = dict(zip(pairs, tested, strict=True))
    for at in range(len(grid)):
        beyond = [by_pair[at, later] for later in range(at + 1, len(grid))]
        if any(one.verdict == "better" for one in beyond):
            continue
        untested = next((one for one in beyond if not _tested(one)), None)
        if untested is not None:
            return Knee(
                at=None,
                comparisons=compared,
                beyond_p=beyond_p,
                why=f"{untested.candidate}: {_why(untested)}",
            )
        return Knee(
            at=grid[at][0],
            worth_percent=WORTH_PERCENT,
            highest=at == len(grid) - 1,
            detectable_percent=_in_all(beyond[0].detectable_percent) if beyond else None,
            comparisons=compared,
            beyond_p=beyond_p,
        )
    raise AssertionError("the highest load has none beyond it")


def _raised(figures: OverRuns) -> OverRuns:
    """The runs with as much output as a growth of :data:`WORTH_PERCENT` would give."""
    factor = 1 + WORTH_PERCENT / 100
    runs = tuple(
        run if run.throughput_tok_s is None else replace(run, throughput_tok_s=factor * run.throughput_tok_s)
        for run in figures.runs
    )
    return figures.model_copy(update={"runs": runs})


def _in_all(percent: float | None) -> float | None:
    """Growth from the lower load itself, of one that is told from the raised output."""
    return None if percent is None else WORTH_PERCENT + (1 + WORTH_PERCENT / 100) * percent


def _tested(one: Comparison) -> bool:
    return one.verdict in _TESTED and (one.p is not None or one.verdict != "no difference shown")


def _why(one: Comparison) -> str:
    return one.why or one.verdict
