"""One figure a run of every metric, of a load."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.load.steps import load_step
from analysis.models.calls import RunFigures
from analysis.models.load import LoadStep
from analysis.rows import Row, Sampled, time_of
from analysis.statistics.total import total_count
from analysis.table import Calls, Columns, Values, distinct, first_known, known, place
from contracts.records import LOAD_STAGE
from contracts.telemetry import joules_per_token
from contracts.workloads import PromptsWorkload

_RUN, _STAGE, _WARMUP, _STEP, _SAMPLED_AT = (
    Row._fields.index(name) for name in ("run", "stage", "warmup", "step", "sampled")
)
_VALID, _SUSPECT, _RATE, _TOKENS, _TTFT = (
    place(name) for name in ("valid", "suspect", "throughput_tok_s", "tokens", "ttft_ms")
)
_ENERGY, _THROTTLED = Sampled._fields.index("energy_j"), Sampled._fields.index("throttled")


def load_run_figures(
    stages: Columns, calls: Calls, complete: frozenset[int], workload: PromptsWorkload | None
) -> tuple[RunFigures, ...]:
    """Return the figures of each run that has any record, in the order of the runs.

    A run's figures are those of its load's window; of a search, those of the highest load that it kept up with. Counts of calls are of
    the whole run. ``cold_calls`` counts those in the window only: the others are in no figure.

    Args:
        stages: all rows of the configuration, those of the loads as a whole among them.
        calls: the requests, as judged.
        complete: the runs whose load was carried out.
        workload: what was asked: the SLO and the search; ``None``: not known.
    """
    of_run: dict[int, tuple[list[Values], list[Values]]] = {}
    for row in stages.rows:
        if not row[_WARMUP]:
            loads, _ = of_run.setdefault(row[_RUN], ([], []))
            if row[_STAGE] == LOAD_STAGE:
                loads.append(row)
    for row in calls.rows:
        of_run.setdefault(row[_RUN], ([], []))[1].append(row)
    return tuple(
        _figures(run, *of_run[run], complete=run in complete, workload=workload) for run in sorted(of_run)
    )


def _figures(
    run: int,
    loads: Sequence[Values],
    requests: Sequence[Values],
    *,
    complete: bool,
    workload: PromptsWorkload | None,
) -> RunFigures:
    of_step: dict[int, tuple[list[Values], list[Values]]] = {}
    for rows, which in ((loads, 0), (requests, 1)):
        for row in rows:
            of_step.setdefault(row[_STEP] or 1, ([], []))[which].append(row)
    steps = tuple(load_step(step, *of_step[step], workload) for step in sorted(of_step))
    chosen = _chosen(steps, workload)
    own_loads, own = of_step[chosen.step] if chosen else ([], [])
    valid = [row for row in own if row[_VALID]]
    is_open = chosen is not None and chosen.over == "rate"
    all_rows = Columns([*loads, *(row[: len(Row._fields)] for row in requests)])
    started = known(all_rows.started_us)
    return RunFigures(
        run=run,
        complete=complete,
        calls=len(requests),
        valid_calls=sum(row[_VALID] for row in requests),
        throughput_tok_s=chosen.output_tok_s if chosen else None,
        mean_of_rates_tok_s=_mean([row[_RATE] for row in valid]),
        ttft_ms=(chosen.ttft_due_ms if is_open else chosen.ttft_sent_ms).mean if chosen else None,
        itl_ms=chosen.itl_ms.mean if chosen else None,
        duration_ms=(chosen.latency_due_ms if is_open else chosen.latency_sent_ms).mean if chosen else None,
        tokens=total_count([row[_TOKENS] for row in own]),
        joules_per_token=_joules_per_token(own_loads, own),
        cold_calls=chosen.cold if chosen else None,
        suspect_calls=sum(bool(row[_SUSPECT]) for row in requests),
        throttled=_throttled(loads),
        slot=_one(all_rows.slot),
        pool=_one(all_rows.pool),
        host=_one(all_rows.host),
        block=first_known(all_rows.block),
        load=first_known(all_rows.load),
        started_at=time_of(min(started)) if started else None,
        wall_s=first_known(all_rows.wall_s),
        steps=steps,
    )


def _chosen(steps: Sequence[LoadStep], workload: PromptsWorkload | None) -> LoadStep | None:
    """The only load, or of a search the highest that was kept up with; ``None``: there is none."""
    if workload.search is None if workload else len(steps) == 1:
        return steps[0] if steps else None
    kept = [step for step in steps if step.keeps_up and step.asked is not None]
    return max(kept, key=lambda step: step.asked or 0.0, default=None)


def _joules_per_token(loads: Sequence[Values], requests: Sequence[Values]) -> float | None:
    """Energy of the whole load, ramps too, over all tokens that it generated.

    ``None`` where a request that began to answer does not tell its tokens.
    """
    energies = [row[_SAMPLED_AT][_ENERGY] if row[_SAMPLED_AT] else None for row in loads]
    if not energies or None in energies:
        return None
    if any(row[_TOKENS] is None and row[_TTFT] is not None for row in requests):
        return None
    return joules_per_token(math.fsum(known(energies)), total_count([row[_TOKENS] for row in requests]))


def _throttled(loads: Sequence[Values]) -> bool | None:
    told = [row[_SAMPLED_AT][_THROTTLED] if row[_SAMPLED_AT] else None for row in loads]
    if any(told):
        return True
    return False if told and None not in told else None


def _mean(values: Sequence[float | None]) -> float | None:
    told = known(values)
    return math.fsum(told) / len(told) if told else None


def _one(column: Sequence[str | None]) -> str | None:
    """One run is one job on one slot; ``None`` in foreign data."""
    found = distinct(column)
    return str(found[0]) if len(found) == 1 else None
