"""Stage records → the summary of a configuration → the summary of a sweep.

The online path (one summary per configuration, made in a chord's callback, stored as JSON) and the
offline path (:func:`summarise_records`) call the same functions in the same order, so that both give
the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from statistics import median

from analysis.aggregates import pool, pool_valid
from analysis.applied import applied_parameters, contexts_of
from analysis.comparisons import choose_baseline, compare_with_baseline
from analysis.conditions import conditions
from analysis.design import precision
from analysis.exclusions import complete_runs, excluded
from analysis.findings import findings, warnings_of
from analysis.floor import sweep_floor
from analysis.grounded import RecordsOfRun, check_ahead, ground_texts
from analysis.grounding import Grounder
from analysis.host_effects import host_effects
from analysis.inert import inert_axes
from analysis.judgement import in_order, judge
from analysis.load import loads_of
from analysis.load.words import answer
from analysis.main_effects import main_effects
from analysis.models import ColdCall, ConfigurationSummary, RankingRule, SweepSummary
from analysis.no_effect import text_hashes, without_effect
from analysis.notes import notes
from analysis.outliers import run_outliers
from analysis.over_runs import over_runs, run_figures, stages_over_runs, throughput_method
from analysis.pairs import pairs_of
from analysis.pairs.whole_runs import only_runs_of_all
from analysis.provenance import provenance, spec_hash
from analysis.ranking import rank, rank_each_agent
from analysis.rates import outcome_counts, outcome_rates, suspect_calls, suspect_reasons
from analysis.room import MOST_ENTRIES, first, kept_calls, left_out, room_for
from analysis.rows import LATEST_US, row_of, time_of
from analysis.same_text import same_text
from analysis.shown_run import choose
from analysis.statistics.description import describe
from analysis.statistics.estimate import SdKind, estimate
from analysis.statistics.interval import LAST_LOOK
from analysis.table import Columns, Values, distinct, first_known, known
from analysis.telemetry import telemetry_by_stage
from analysis.trends import adjust_trends, configuration_trends
from analysis.verdicts import ttft_verdict, verdict, verdict_of_each
from contracts.configuration import AgentRole, Configuration
from contracts.facts import Facts
from contracts.failures import InputError
from contracts.manifest import Manifest
from contracts.records import LOAD_STAGE, StageRecord
from contracts.sweep import RunsSpec
from contracts.workloads import Workload

__all__ = [
    "ConfigurationSummary",
    "SweepSummary",
    "check_run",
    "summarise_configuration",
    "summarise_records",
    "summarise_rows",
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
    room: int = MOST_ENTRIES,
    workload: Workload | None = None,
    agent: str | None = None,
) -> ConfigurationSummary:
    """Summarise all records, of every phase, of one configuration and one agent; see :func:`summarise_rows`."""
    of_run: dict[int, list[StageRecord]] = {}
    for record in records:
        of_run.setdefault(record.run, []).append(record)
    return summarise_rows(
        (row_of(record) for found in of_run.values() for record in found),
        of_run.__getitem__,
        configuration=configuration,
        runs_planned=runs_planned,
        until=until,
        grounder=grounder,
        sd=sd,
        room=room,
        workload=workload,
        agent=agent,
    )


def summarise_rows(
    rows: Iterable[Values],
    records: RecordsOfRun,
    *,
    configuration: Configuration | None = None,
    runs_planned: int | None = None,
    until: RunsSpec | None = None,
    grounder: Grounder | None = None,
    sd: SdKind = "sample",
    room: int = MOST_ENTRIES,
    ahead: Mapping[int, bytes] | None = None,
    workload: Workload | None = None,
    agent: str | None = None,
) -> ConfigurationSummary:
    """Summarise all rows, of every phase, of one configuration and one agent.

    ``records`` gives the records of one run: of the one that is shown, and with a ``grounder``, which knows the
    ingested data, of each with a text. ``configuration`` tells what it is where no row does: without rows it is
    needed, with ``agent`` where it has several. ``until``: the number of runs was not fixed, so that intervals are confidence sequences. ``room``: the most
    entries that the summary's lists of single calls may have (:mod:`analysis.room`). ``ahead``: run → what its texts'
    check found already (:func:`check_run`).

    Raises:
        ValueError: the rows are of several configurations or agents, or there are neither rows nor a configuration.
        InputError: some of the agent's rows tell another number of agents at the same time than others.
    """
    stages = Columns(in_order(rows))
    keys = set(zip(stages.config, stages.agent, strict=True))
    if configuration is not None and not keys:
        keys = {(configuration.name, agent or agents_of(configuration)[0])}
    if len(keys) != 1:
        raise ValueError(f"records of one configuration and agent are needed, not of {sorted(keys)}")
    ((config, agent),) = keys
    agents = _agents_told(stages, config, agent)
    calls, warmups = judge(stages)
    valid = calls if all(calls.valid) else calls.where(calls.valid)
    role = role_of(configuration, agent)
    parameters = first_known(stages.parameters)
    if parameters is None and configuration is not None:
        parameters = (role or configuration).parameters.given()
    out = excluded(stages, calls, runs_planned)
    method = throughput_method(stages, valid)
    is_load = method == "output_over_window"
    texts = () if is_load else same_text(calls, parameters)
    figures = run_figures(calls, method, complete_runs(stages, calls, out), stages, workload)
    shown = choose(stages, calls, records)
    grounded = ground_texts(
        valid, figures, parameters, grounder, records, shown=shown.run if shown else None, ahead=ahead
    )
    describe_ = partial(
        describe, kind=sd, confidence_sequence=until is not None, last=until.max if until else LAST_LOOK
    )
    runs = over_runs(grounded.rated(figures), valid, method, describe_)
    noted = notes(stages, calls, valid, texts)
    rates = outcome_rates(calls)
    cold = [
        ColdCall(run=run, stage=stage, load_ms=load_ms)
        for run, stage, load_ms, is_cold in zip(
            calls.run, calls.stage, calls.load_ms, calls.cold, strict=True
        )
        if is_cold and load_ms is not None
    ]
    kept = kept_calls(calls, room, shown.run if shown else None)
    kept_warmups = kept_calls(warmups, room, None)
    started = known(stages.started_us)
    return ConfigurationSummary(
        config=config,
        config_id=first_known(stages.config_id) or (configuration.id if configuration else None),
        agent=agent,
        model=first_known(stages.model) or ((role or configuration).model if configuration else None),
        agents=agents or (len(configuration.agents) if configuration and role else None),
        server=first_known(stages.server) or (role.server if role else None),
        persona=role.persona if role else None,
        parameters=parameters,
        applied=applied_parameters(calls, parameters),
        sd=sd,
        runs=len(set(stages.run)),
        runs_planned=runs_planned,
        runs_complete=sum(run.complete for run in runs.runs),
        repeated_runs=len(
            {run for run, attempt in zip(stages.run, stages.attempt, strict=True) if (attempt or 1) > 1}
        ),
        unloaded_runs=sum(calls.after_unload) + sum(warmups.after_unload),
        outcomes=outcome_counts(rates),
        rates=rates,
        suspect_calls=suspect_calls(calls),
        suspect_reasons=suspect_reasons(calls),
        client_rates=valid.throughput_source.count("client"),
        prompt_tokens={
            stage: float(median(lengths))
            for stage, of_stage in valid.by_stage().items()
            if (lengths := known(of_stage.prompt_tokens))
        },
        as_recorded=pool(calls, sd),
        valid=pool_valid(valid, sd),
        ttft_warm_observed_ms=estimate(
            (
                ttft
                for ttft, is_cold, suspect in zip(calls.ttft_ms, calls.cold, calls.suspect, strict=True)
                if is_cold is not True and not suspect
            ),
            sd,
        ),
        over_runs=runs,
        stages_over_runs=stages_over_runs(calls, runs_planned, describe_, sd),
        outliers=run_outliers(runs.runs),
        trends=configuration_trends(runs.runs),
        precision=precision(runs, {str(name): target for name, target in until.until.items()}, until.max)
        if until
        else (),
        groundings=grounded.shown,
        grounding=grounded.rate,
        excluded=first(out, room),
        cold_calls=first(cold, room),
        notes=first(noted, room),
        conditions=conditions(calls, valid, sd),
        telemetry=telemetry_by_stage((_loads(stages) or valid) if is_load else valid, sd),
        same_text=texts,
        text_hashes={} if is_load else text_hashes(calls),
        calls=kept,
        warmup_calls=kept_warmups,
        left_out=left_out(
            calls=(len(calls), kept),
            warmup_calls=(len(warmups), kept_warmups),
            excluded=(len(out), out[:room]),
            cold_calls=(len(cold), cold[:room]),
            notes=(len(noted), noted[:room]),
        ),
        shown=shown,
        started_at=time_of(min(started)) if started else None,
        ended_at=_ended_at(stages),
        slots=distinct(stages.slot),
        pools=distinct(stages.pool),
        hosts=distinct(stages.host),
        model_digests=distinct(stages.model_digest),
        quantisations=distinct(stages.quantisation),
        contexts=contexts_of(stages),
    )


def agents_of(configuration: Configuration) -> tuple[str, ...]:
    """Return the names of the agents that run at the same time; that of the only one where the workload knows no others."""
    return tuple(role.label for role in configuration.agents) or (DEFAULT_AGENT,)


def role_of(configuration: Configuration | None, agent: str) -> AgentRole | None:
    """Return what the configuration says of one of several agents; ``None``: it knows no such agents."""
    roles = configuration.agents if configuration else ()
    return next((role for role in roles if role.label == agent), None)


def check_run(
    rows: Iterable[Values],
    records: Sequence[StageRecord],
    *,
    parameters: Mapping[str, int | float] | None,
    runs: int,
    grounder: Grounder,
) -> bytes:
    """Check the texts of one run before the others of its configuration are there; :func:`summarise_rows` takes it.

    ``rows`` are those of its ``records``. ``runs``: how many the configuration will have.
    """
    calls, _ = judge(Columns(in_order(rows)))
    valid = calls.where(calls.valid)
    found = run_figures(calls, throughput_method(calls, valid), frozenset(calls.run))
    if len(found) != 1:
        raise ValueError(f"records of one run with calls are needed, not of {len(found)}")
    return check_ahead(valid, found[0], parameters, runs, grounder, records)


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


def _agents_told(stages: Columns, config: str, agent: str) -> int | None:
    """How many agents ran at the same time; alone and together are two measurements, and no mean is over both."""
    told = sorted(set(known(stages.agents)))
    if len(told) > 1:
        raise InputError(
            f"the records of agent {agent!r} in configuration {config!r} tell different numbers of agents at the same time "
            f"(agents: {', '.join(map(str, told[:3]))}{', …' if len(told) > 3 else ''}): give each its own configuration"
        )
    return told[0] if told else None


def _loads(stages: Columns) -> Columns:
    """Return the loads as wholes: what was sampled meanwhile is all requests' together."""
    return Columns([row for row, stage in zip(stages.rows, stages.stage, strict=True) if stage == LOAD_STAGE])


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


def _ended_at(stages: Columns) -> datetime | None:
    """The latest end of a stage; one beyond the calendar is no date."""
    ends = [
        end
        for started_us, duration_ms in zip(stages.started_us, stages.total_duration_ms, strict=True)
        if started_us is not None and (end := started_us + round(1e3 * (duration_ms or 0))) <= LATEST_US
    ]
    return time_of(max(ends)) if ends else None


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value is not None}))
