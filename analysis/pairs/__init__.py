"""Several agents at the same time: slowdown against the same work alone, shared figures, and the legacy ones.

The run is the unit, as everywhere; figures are of complete runs, in which every agent's stages are valid
([docs/pairs.md](docs/pairs.md)).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from analysis.comparisons import compare_two, typical_spreads, with_holm
from analysis.floor import sweep_floor
from analysis.metrics import THROUGHPUT
from analysis.models import Comparison, ConfigurationSummary
from analysis.models.pairs import PairConfiguration, PairRun, Slowdown
from analysis.pairs.configuration import pair_configuration
from analysis.pairs.groups import Group, groups
from analysis.pairs.legacy import legacy_pair
from analysis.pairs.made_runs import alone_runs, as_over_runs, client_error, made_run, together_runs
from analysis.pairs.overlap import time_with
from analysis.pairs.slowdown import Conditions, Tested, comparisons_of, slowdown
from analysis.statistics.description import describe
from analysis.statistics.interval import LAST_LOOK
from contracts.formulas import NS_PER_S
from contracts.manifest import Manifest

ONE_AFTER_THE_OTHER = "one after the other"
"""Name of the baseline of a gain."""


def pairs_of(
    configurations: Sequence[ConfigurationSummary], manifest: Manifest | None
) -> tuple[tuple[PairRun, ...], tuple[PairConfiguration, ...]]:
    """Return the runs of several agents at the same time, and their configurations; empty where there are none."""
    found = list(groups(_in_role_order(configurations, manifest)))
    if not found:
        return (), ()
    until = manifest.spec.until_precise if manifest else None
    conditions = Conditions(
        floor=sweep_floor(manifest.slots if manifest else ()),
        looks=manifest.spec.most_runs if manifest and until else None,
    )
    describe_ = partial(
        describe,
        kind=configurations[0].sd,
        confidence_sequence=until is not None,
        last=until.max if until else LAST_LOOK,
        tails=False,
    )
    tested = _corrected(comparisons_of(found, conditions))
    gains = _gains(found, conditions)
    runs = [[_pair_run(group, run) for run in group.runs] for group in found]
    made = tuple(
        pair_configuration(group, of_group, tested, gains.get(group.config), describe_)
        for group, of_group in zip(found, runs, strict=True)
    )
    return tuple(run for of_group in runs for run in of_group), made


def _in_role_order(
    configurations: Sequence[ConfigurationSummary], manifest: Manifest | None
) -> list[ConfigurationSummary]:
    """Each configuration's agents as the sweep file names them; without a manifest by name, whatever the rows' order."""
    first: dict[str, int] = {}
    for index, c in enumerate(configurations):
        first.setdefault(c.config, index)
    places = {
        (c.name, role.label): place
        for c in (manifest.configurations if manifest else ())
        for place, role in enumerate(c.agents)
    }

    def place_of(c: ConfigurationSummary) -> tuple[int, int, str]:
        return first[c.config], places.get((c.config, c.agent), len(places)), c.agent

    return sorted(configurations, key=place_of)


def _corrected(
    tested: dict[tuple[str, str], tuple[Tested, ...]],
) -> dict[tuple[str, str], tuple[Slowdown, ...]]:
    """All slowdowns of the sweep are one family of tests."""
    settled = iter(with_holm(one.comparison for found in tested.values() for one in found))
    return {
        key: tuple(slowdown(Tested(one.of, next(settled))) for one in found) for key, found in tested.items()
    }


def _gains(found: Sequence[Group], conditions: Conditions) -> dict[str, Comparison]:
    """Configuration → all agents together against one after the other; a family of tests of their own."""
    sides = {}
    for group in found:
        alone = alone_runs(group)
        if alone:
            sides[group.config] = (
                group,
                as_over_runs(alone),
                as_over_runs(together_runs(group)),
            )
    spreads = typical_spreads(
        [one for _, alone, together in sides.values() for one in (alone, together)], THROUGHPUT
    )
    made = [
        compare_two(
            alone,
            together,
            THROUGHPUT,
            baseline=ONE_AFTER_THE_OTHER,
            candidate=group.config,
            agent=", ".join(member.summary.agent for member in group.members),
            floor=client_error(
                conditions.floor.ttft_ms if conditions.floor else None, [*alone.runs, *together.runs]
            ),
            may_pair=True,
            spreads=spreads,
            looks=conditions.looks,
            between_plots=group.several_plots,
        )
        for group, alone, together in sides.values()
    ]
    return dict(zip(sides, with_holm(made), strict=True))


def _pair_run(group: Group, run: int) -> PairRun:
    of_run = group.of_run(run)
    present = [one for one in of_run if one is not None]
    merged = made_run(group, run)
    busy = [one.busy_ns for one in present if one.busy_ns is not None]
    told = len(busy) == len(of_run) and not group.missing and len({one.host for one in present}) == 1
    span_ns = (merged.wall_s or 0.0) * NS_PER_S

    def active(least: int) -> float | None:
        """Rounding of a duration to ms may make it a trifle more than all."""
        return min(time_with(busy, least) / span_ns, 1.0) if told and span_ns else None

    return PairRun(
        config=group.config,
        run=run,
        agents=tuple(m.summary.agent for m in group.members if run in m.runs),
        legacy=legacy_pair(of_run, group.missing),
        why_incomplete=group.why_incomplete(run),
        wall_s=merged.wall_s,
        tokens=merged.tokens,
        system_tok_s=merged.throughput_tok_s,
        all_active=active(len(of_run)),
        two_active=active(2),
    )
