"""Stage records → the summary of a configuration → the summary of a sweep.

The online path (one summary per configuration, made in a chord's callback, stored as JSON) and the
offline path (:func:`summarise_records`) call the same functions in the same order, so that both give
the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from analysis.aggregates import pool, pool_valid
from analysis.applied import applied_parameters, context_of
from analysis.comparisons import choose_baseline, compare_with_baseline
from analysis.conditions import conditions
from analysis.design import precision
from analysis.exclusions import complete_runs, excluded
from analysis.findings import findings, warnings_of
from analysis.floor import sweep_floor
from analysis.grounded import ground_texts
from analysis.grounding import Grounder
from analysis.host_effects import host_effects
from analysis.inert import inert_axes
from analysis.judgement import first_calls_after_unload, in_order, judge, measured_calls
from analysis.main_effects import main_effects
from analysis.models import ColdCall, ConfigurationSummary, RankingRule, SweepSummary
from analysis.no_effect import text_hashes, without_effect
from analysis.notes import notes
from analysis.outliers import run_outliers
from analysis.over_runs import over_runs, run_figures, stages_over_runs
from analysis.provenance import provenance, spec_hash
from analysis.ranking import rank
from analysis.rates import outcome_rates, suspect_calls
from analysis.same_text import same_text
from analysis.shown_run import choose
from analysis.statistics.description import describe
from analysis.statistics.estimate import SdKind, estimate
from analysis.statistics.sequential import LAST_LOOK
from analysis.telemetry import telemetry_by_stage
from analysis.trends import adjust_trends, configuration_trends
from analysis.verdicts import ttft_verdict, verdict
from contracts.configuration import Configuration
from contracts.facts import Facts
from contracts.manifest import Manifest
from contracts.records import StageRecord
from contracts.sweep import RunsSpec

__all__ = [
    "ConfigurationSummary",
    "SweepSummary",
    "summarise_configuration",
    "summarise_records",
    "summarise_sweep",
]

DEFAULT_AGENT = "chimera"


def summarise_configuration(
    records: Iterable[StageRecord],
    *,
    configuration: Configuration | None = None,
    runs_planned: int | None = None,
    until: RunsSpec | None = None,
    grounder: Grounder | None = None,
    sd: SdKind = "sample",
) -> ConfigurationSummary:
    """Summarise all records, of every phase, of one configuration and one agent.

    ``configuration`` tells what it is where no record does: without records it is needed. ``until``: the number
    of runs was not fixed, so that intervals are confidence sequences. ``grounder`` knows the ingested data.

    Raises:
        ValueError: the records are of several configurations or agents, or there are neither records
            nor a configuration.
    """
    ordered = in_order(records)
    keys = {(record.config, record.agent) for record in ordered}
    if configuration is not None and not keys:
        keys = {(configuration.name, DEFAULT_AGENT)}
    if len(keys) != 1:
        raise ValueError(f"records of one configuration and agent are needed, not of {sorted(keys)}")
    ((config, agent),) = keys
    calls, warmups = judge(ordered)
    measured = measured_calls(ordered)
    parameters = _parameters(ordered, configuration)
    texts = same_text(measured, calls, parameters)
    out = excluded(ordered, calls, runs_planned)
    figures = run_figures(calls, measured, complete_runs(calls, out))
    grounded = ground_texts(calls, measured, figures, parameters, grounder)
    describe_ = partial(
        describe, kind=sd, confidence_sequence=until is not None, last=until.max if until else LAST_LOOK
    )
    runs = over_runs(grounded.rated(figures), calls, describe_)
    shown = choose(ordered, calls)
    started = [record.started_at for record in ordered if record.started_at is not None]
    return ConfigurationSummary(
        config=config,
        config_id=_first(r.config_id for r in ordered) or (configuration.id if configuration else None),
        agent=agent,
        model=_first(r.model for r in ordered) or (configuration.model if configuration else None),
        parameters=parameters,
        applied=applied_parameters(measured, parameters),
        sd=sd,
        runs=len({record.run for record in ordered}),
        runs_planned=runs_planned,
        runs_complete=sum(run.complete for run in runs.runs),
        unloaded_runs=len(first_calls_after_unload(ordered)),
        outcomes=dict(sorted(Counter(call.outcome.value for call in calls).items())),
        rates=outcome_rates(calls),
        suspect_calls=suspect_calls(calls),
        as_recorded=pool(calls, sd),
        valid=pool_valid(calls, sd),
        ttft_warm_observed_ms=estimate(
            (c.ttft_ms for c in calls if c.cold is not True and not c.suspect), sd
        ),
        over_runs=runs,
        stages_over_runs=stages_over_runs(calls, measured, runs_planned, describe_),
        outliers=run_outliers(runs.runs),
        trends=configuration_trends(runs.runs),
        precision=precision(runs, {str(name): target for name, target in until.until.items()}, until.max)
        if until
        else (),
        groundings=grounded.of_run(shown.run) if shown else (),
        grounding=grounded.rate,
        excluded=out,
        cold_calls=tuple(
            ColdCall(run=call.run, stage=call.stage, load_ms=call.load_ms)
            for call in calls
            if call.cold and call.load_ms is not None
        ),
        notes=notes(ordered, calls, texts),
        conditions=conditions(measured, calls, sd),
        telemetry=telemetry_by_stage(measured, calls, sd),
        same_text=texts,
        text_hashes=text_hashes(measured, calls),
        calls=tuple(calls),
        warmup_calls=tuple(warmups),
        shown=shown,
        started_at=min(started, default=None),
        ended_at=max((end for record in ordered if (end := _end(record)) is not None), default=None),
        slots=_distinct(record.slot for record in ordered),
        pools=_distinct(record.pool for record in ordered),
        hosts=_distinct(record.host for record in ordered),
        model_digests=_distinct(record.model_digest for record in ordered),
        quantisations=_distinct(record.quantisation for record in ordered),
        contexts=tuple(sorted({tokens for r in ordered if (tokens := context_of(r)) is not None})),
    )


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
    ordered = _trends_adjusted(_as_planned(list(configurations), manifest, sd))
    if any(c.sd != sd for c in ordered):
        raise ValueError(f"the configurations' summaries were not made with the {sd} sd")
    slots = manifest.slots if manifest else ()
    floor = sweep_floor(slots)
    inert = inert_axes(ordered)
    rule: RankingRule = ranking or (manifest.spec.ranking if manifest else "clean-first")
    looks = manifest.spec.most_runs if manifest and manifest.spec.until_precise else None
    places = rank(ordered, rule, floor, looks)
    base = choose_baseline(ordered, baseline or (manifest.baseline if manifest else None))
    spec = manifest.spec if manifest else None
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
        warmup=spec.warmup if spec else None,
        models=_distinct(c.model for c in ordered),
        slots=slots,
        floor=floor,
        ranking_rule=rule,
        ranking=places,
        verdict=verdict(places, rule, floor),
        ttft_verdict=ttft_verdict(places, floor),
        baseline=base,
        comparisons=compare_with_baseline(ordered, base, floor, looks),
        main_effects=main_effects(ordered, inert, looks),
        host_effects=host_effects(ordered),
        inert=inert,
        no_effect=without_effect(ordered),
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
    summaries = [
        summarise_configuration(
            group,
            configuration=known.get(config),
            runs_planned=planned.get(config),
            until=manifest.spec.until_precise if manifest else None,
            grounder=grounder,
            sd=sd,
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
    present = {summary.config for summary in summaries}
    planned = manifest.runs_planned()
    absent = [
        summarise_configuration(
            (),
            configuration=c,
            runs_planned=planned.get(c.name),
            until=manifest.spec.until_precise,
            sd=sd,
        )
        for c in manifest.configurations
        if c.name not in present
    ]
    return sorted([*summaries, *absent], key=lambda summary: place.get(summary.config, len(place)))


def _parameters(
    records: Sequence[StageRecord], configuration: Configuration | None
) -> dict[str, int | float] | None:
    for record in records:
        if record.parameters is not None:
            return record.parameters
    return configuration.parameters.given() if configuration else None


def _end(record: StageRecord) -> datetime | None:
    if record.started_at is None:
        return None
    try:
        return record.started_at + timedelta(milliseconds=record.total_duration_ms or 0)
    except OverflowError:
        return None  # no date


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value is not None), None)


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value is not None}))
