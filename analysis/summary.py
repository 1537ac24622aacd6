"""Stage records → the summary of a configuration → the summary of a sweep.

The online path (one summary per configuration, made in a chord's callback, stored as JSON) and the
offline path (:func:`summarise_records`) call the same functions in the same order, so that both give
the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from analysis.aggregates import pool, pool_valid
from analysis.applied import applied_parameters, context_of
from analysis.conditions import conditions
from analysis.exclusions import complete_runs, excluded
from analysis.floor import sweep_floor
from analysis.inert import inert_axes
from analysis.judgement import first_calls_after_unload, in_order, judge, measured_calls
from analysis.models import ColdCall, ConfigurationSummary, RankingRule, SweepSummary
from analysis.no_effect import text_hashes, without_effect
from analysis.notes import notes
from analysis.over_runs import over_runs, stages_over_runs
from analysis.ranking import rank
from analysis.rates import outcome_rates, suspect_calls
from analysis.same_text import same_text
from analysis.shown_run import choose
from analysis.statistics.estimate import SdKind, estimate
from analysis.telemetry import telemetry_by_stage
from analysis.verdicts import ttft_verdict, verdict
from analysis.warnings import warnings
from contracts.configuration import Configuration
from contracts.manifest import Manifest
from contracts.records import StageRecord

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
    sd: SdKind = "sample",
) -> ConfigurationSummary:
    """Summarise all records, of every phase, of one configuration and one agent.

    ``configuration`` tells what it is where no record does: without records it is needed.

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
    complete = complete_runs(calls, out)
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
        runs_complete=len(complete),
        unloaded_runs=len(first_calls_after_unload(ordered)),
        outcomes=dict(sorted(Counter(call.outcome.value for call in calls).items())),
        rates=outcome_rates(calls),
        suspect_calls=suspect_calls(calls),
        as_recorded=pool(calls, sd),
        valid=pool_valid(calls, sd),
        ttft_warm_observed_ms=estimate(
            (c.ttft_ms for c in calls if c.cold is not True and not c.suspect), sd
        ),
        over_runs=over_runs(calls, measured, complete, sd, {}),
        stages_over_runs=stages_over_runs(calls, measured, runs_planned, sd),
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
        shown=choose(ordered, calls),
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
) -> SweepSummary:
    """Put the summaries of all configurations into the sweep's.

    With a manifest they stand in its order, and a configuration of it that has no summary gets one
    without runs, which names every planned run as excluded. ``ranking`` is the rule to rank by; ``None``:
    the sweep file's, or ``clean-first`` without a manifest.

    Raises:
        ValueError: a summary was made with another estimator than ``sd``.
    """
    ordered = _as_planned(list(configurations), manifest, sd)
    if any(c.sd != sd for c in ordered):
        raise ValueError(f"the configurations' summaries were not made with the {sd} sd")
    slots = manifest.slots if manifest else ()
    floor = sweep_floor(slots)
    inert = inert_axes(ordered)
    no_effect = without_effect(ordered)
    rule: RankingRule = ranking or (manifest.spec.ranking if manifest else "clean-first")
    places = rank(ordered, rule, floor)
    return SweepSummary(
        sd=sd,
        sweep=manifest.sweep if manifest else None,
        execution=manifest.execution if manifest else None,
        sweep_id=manifest.sweep_id if manifest else None,
        corpus_digest=manifest.corpus_digest if manifest else None,
        created_at=manifest.created_at if manifest else None,
        finished_at=manifest.finished_at if manifest else None,
        resumed=manifest.resumed if manifest else None,
        git_commit=manifest.git_commit if manifest else None,
        versions=dict(manifest.versions) if manifest else {},
        order_seed=manifest.order_seed if manifest else None,
        runs_planned=manifest.spec.runs if manifest else None,
        warmup=manifest.spec.warmup if manifest else None,
        models=_distinct(c.model for c in ordered),
        slots=slots,
        floor=floor,
        ranking_rule=rule,
        ranking=places,
        verdict=verdict(places, rule, floor),
        ttft_verdict=ttft_verdict(places, floor),
        inert=inert,
        no_effect=no_effect,
        warnings=warnings(ordered, slots, inert, no_effect, floor),
        configurations=tuple(ordered),
    )


def summarise_records(
    records: Iterable[StageRecord],
    manifest: Manifest | None = None,
    *,
    sd: SdKind = "sample",
    ranking: RankingRule | None = None,
) -> SweepSummary:
    """Summarise a results file: the offline path. Groups stand in the order of their first record."""
    groups: dict[tuple[str, str], list[StageRecord]] = {}
    for record in records:
        groups.setdefault((record.config, record.agent), []).append(record)
    known = {c.name: c for c in manifest.configurations} if manifest else {}
    runs_planned = manifest.spec.runs if manifest else None
    summaries = [
        summarise_configuration(group, configuration=known.get(config), runs_planned=runs_planned, sd=sd)
        for (config, _), group in groups.items()
    ]
    return summarise_sweep(summaries, manifest, sd=sd, ranking=ranking)


def _as_planned(
    summaries: Sequence[ConfigurationSummary], manifest: Manifest | None, sd: SdKind
) -> list[ConfigurationSummary]:
    if manifest is None:
        return list(summaries)
    place = {c.name: index for index, c in enumerate(manifest.configurations)}
    present = {summary.config for summary in summaries}
    absent = [
        summarise_configuration((), configuration=c, runs_planned=manifest.spec.runs, sd=sd)
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
