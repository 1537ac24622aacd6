"""Stage records → the summary of a configuration → the summary of a sweep.

The online path (one summary per configuration, made in a chord's callback, stored as JSON) and the
offline path (:func:`summarise_records`) call the same functions in the same order, so that both give
the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.comparisons import choose_baseline, compare_with_baseline
from analysis.configuration_summary import agents_of, check_run, summarise_configuration, summarise_rows
from analysis.findings import findings, warnings_of
from analysis.floor import sweep_floor
from analysis.grounding import Grounder
from analysis.host_effects import host_effects
from analysis.inert import inert_axes
from analysis.load import loads_of
from analysis.load.words import answer
from analysis.main_effects import main_effects
from analysis.models import ConfigurationSummary, RankingRule, SweepSummary
from analysis.no_effect import without_effect
from analysis.pairs import pairs_of
from analysis.pairs.whole_runs import only_runs_of_all
from analysis.provenance import provenance, spec_hash
from analysis.ranking import rank, rank_each_agent
from analysis.room import room_for
from analysis.statistics.estimate import SdKind
from analysis.trends import adjust_trends
from analysis.verdicts import ttft_verdict, verdict, verdict_of_each
from contracts.facts import Facts
from contracts.manifest import Manifest
from contracts.records import StageRecord

__all__ = [
    "ConfigurationSummary",
    "SweepSummary",
    "agents_of",
    "check_run",
    "summarise_configuration",
    "summarise_records",
    "summarise_rows",
    "summarise_sweep",
]


def summarise_sweep(
    configurations: Iterable[ConfigurationSummary],
    manifest: Manifest | None = None,
    *,
    sd: SdKind = "sample",
    ranking: RankingRule | None = None,
    baseline: str | None = None,
) -> SweepSummary:
    """Put the summaries of all configurations into the sweep's.

    With a manifest they stand in its order, and a configuration of it that has no summary gets one
    without runs, which names every planned run as excluded. ``ranking`` is the rule to rank by; ``None``:
    the sweep file's, or ``clean-first`` without a manifest. ``baseline`` names the configuration to compare
    with; ``None``: the sweep file's, or as :func:`analysis.comparisons.choose_baseline` finds one.

    Raises:
        ValueError: a summary was made with another estimator than ``sd``.
        InputError: there is no configuration of the baseline's name.
    """
    planned = _as_planned(list(configurations), manifest, sd)
    if any(c.sd != sd for c in planned):
        raise ValueError(f"the configurations' summaries were not made with the {sd} sd")
    pairs, pair_configurations = pairs_of(planned, manifest)
    ordered = _trends_adjusted(only_runs_of_all(planned))
    slots = manifest.slots if manifest else ()
    floor = sweep_floor(slots)
    inert = inert_axes(ordered)
    # Agents that were measured alone are there to compare with, and in no comparison of configurations.
    compared = [c for c in ordered if c.agents != 1]
    rule: RankingRule = ranking or (manifest.spec.ranking if manifest else "clean-first")
    looks = manifest.spec.most_runs if manifest and manifest.spec.until_precise else None
    together = bool(pair_configurations)
    places = (rank_each_agent if together else rank)(ordered, rule, floor, looks)
    base = choose_baseline(compared, baseline or (manifest.baseline if manifest else None))
    spec = manifest.spec if manifest else None
    loads, saturations = loads_of(ordered, manifest)
    bare = SweepSummary(
        sd=sd,
        sweep=manifest.sweep if manifest else None,
        execution=manifest.execution if manifest else None,
        sweep_id=manifest.sweep_id if manifest else None,
        spec_hash=spec_hash(manifest),
        corpus_digest=manifest.corpus_digest if manifest else None,
        created_at=manifest.created_at if manifest else None,
        finished_at=manifest.finished_at if manifest else None,
        resumed=manifest.resumed if manifest else None,
        git_commit=manifest.git_commit if manifest else None,
        versions=dict(manifest.versions) if manifest else {},
        order_seed=manifest.order_seed if manifest else None,
        runs_planned=spec.runs if spec and isinstance(spec.runs, int) else None,
        runs_until=spec.until_precise if spec else None,
        ended_because=manifest.ended_because if manifest else None,
        cancelled=manifest.cancelled if manifest else None,
        taken_back=manifest.taken_back if manifest else (),
        warmup=spec.warmup if spec else None,
        models=_distinct(c.model for c in ordered),
        slots=slots,
        floor=floor,
        ranking_rule=rule,
        ranking=places,
        verdict=answer(saturations)
        if loads
        else (verdict_of_each if together else verdict)(places, rule, floor),
        ttft_verdict=None if together else ttft_verdict(places, floor),
        baseline=base,
        comparisons=compare_with_baseline(compared, base, floor, looks),
        main_effects=main_effects(compared, inert, looks),
        host_effects=host_effects(compared),
        inert=inert,
        no_effect=without_effect(compared),
        pairs=pairs,
        pair_configurations=pair_configurations,
        loads=loads,
        saturations=saturations,
        warnings=(),
        configurations=tuple(ordered),
    )
    found = findings(bare)
    return bare.model_copy(
        update={"findings": found, "warnings": warnings_of(found), "provenance": provenance(bare)}
    )


def summarise_records(
    records: Iterable[StageRecord],
    manifest: Manifest | None = None,
    *,
    sd: SdKind = "sample",
    ranking: RankingRule | None = None,
    baseline: str | None = None,
    facts: Facts | None = None,
) -> SweepSummary:
    """Summarise a results file: the offline path. Groups stand in the order of their first record.

    ``facts``: what is known of the ingested files; ``None``: no text is checked.
    """
    groups: dict[tuple[str, str], list[StageRecord]] = {}
    for record in records:
        groups.setdefault((record.config, record.agent), []).append(record)
    known = {c.name: c for c in manifest.configurations} if manifest else {}
    planned = manifest.runs_planned() if manifest else {}
    grounder = Grounder(facts) if facts else None
    room = room_for(len(manifest.configurations) if manifest else len(groups))
    summaries = [
        summarise_configuration(
            group,
            configuration=known.get(config),
            runs_planned=planned.get(config),
            until=manifest.spec.until_precise if manifest else None,
            grounder=grounder,
            sd=sd,
            room=room,
            workload=manifest.spec.workload if manifest else None,
        )
        for (config, _), group in groups.items()
    ]
    return summarise_sweep(summaries, manifest, sd=sd, ranking=ranking, baseline=baseline)


def _trends_adjusted(configurations: Sequence[ConfigurationSummary]) -> list[ConfigurationSummary]:
    """One family of tests: a sweep has many configurations, and some seem to drift by chance."""
    adjusted = adjust_trends([c.trends for c in configurations])
    return [c.model_copy(update={"trends": t}) for c, t in zip(configurations, adjusted, strict=True)]


def _as_planned(
    summaries: Sequence[ConfigurationSummary], manifest: Manifest | None, sd: SdKind
) -> list[ConfigurationSummary]:
    if manifest is None:
        return list(summaries)
    place = {c.name: index for index, c in enumerate(manifest.configurations)}
    present = {(summary.config, summary.agent) for summary in summaries}
    planned = manifest.runs_planned()
    absent = [
        summarise_configuration(
            (),
            configuration=c,
            agent=agent,
            runs_planned=planned.get(c.name),
            until=manifest.spec.until_precise,
            sd=sd,
            workload=manifest.spec.workload,
        )
        for c in manifest.configurations
        for agent in agents_of(c)
        if (c.name, agent) not in present
    ]
    agents = {
        (c.name, role.label): index for c in manifest.configurations for index, role in enumerate(c.agents)
    }

    def place_of(summary: ConfigurationSummary) -> tuple[int, int]:
        """What the plan does not know stands last; agents where it knows of none, as they came."""
        return place.get(summary.config, len(place)), agents.get((summary.config, summary.agent), len(agents))

    return sorted([*summaries, *absent], key=place_of)


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value is not None}))
