"""Rows of one configuration and agent → its summary. A run's texts can be checked before the others are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from statistics import median

from analysis.aggregates import pool, pool_valid
from analysis.applied import applied_parameters, contexts_of
from analysis.conditions import conditions
from analysis.design import precision
from analysis.exclusions import complete_runs, excluded
from analysis.grounded import RecordsOfRun, check_ahead, ground_texts
from analysis.grounding import Grounder
from analysis.judgement import in_order, judge
from analysis.models import ColdCall, ConfigurationSummary
from analysis.no_effect import text_hashes
from analysis.notes import notes
from analysis.outliers import run_outliers
from analysis.over_runs import over_runs, run_figures, stages_over_runs, throughput_method
from analysis.rates import outcome_counts, outcome_rates, suspect_calls, suspect_reasons
from analysis.room import MOST_ENTRIES, first, kept_calls, left_out
from analysis.rows import LATEST_US, row_of, time_of
from analysis.same_text import same_text
from analysis.shown_run import choose
from analysis.statistics.description import describe
from analysis.statistics.estimate import SdKind, estimate
from analysis.statistics.interval import LAST_LOOK
from analysis.table import Columns, Values, distinct, first_known, known
from analysis.telemetry import telemetry_by_stage
from analysis.trends import configuration_trends
from contracts.configuration import AgentRole, Configuration
from contracts.failures import InputError
from contracts.records import LOAD_STAGE, StageRecord
from contracts.sweep import RunsSpec
from contracts.workloads import Workload

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


def _ended_at(stages: Columns) -> datetime | None:
    """The latest end of a stage; one beyond the calendar is no date."""
    ends = [
        end
        for started_us, duration_ms in zip(stages.started_us, stages.total_duration_ms, strict=True)
        if started_us is not None and (end := started_us + round(1e3 * (duration_ms or 0))) <= LATEST_US
    ]
    return time_of(max(ends)) if ends else None
