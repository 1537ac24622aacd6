"""Each load of each configuration over its runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import partial

from analysis.load.steps import attainment_of
from analysis.models import ConfigurationSummary, RunFigures
from analysis.models.load import LoadConfiguration, LoadStep, Over, Spread, SpreadOverRuns
from analysis.statistics.description import Description, describe
from analysis.statistics.interval import LAST_LOOK
from contracts.manifest import Manifest
from contracts.workloads import PromptsWorkload, TokenCounts

Level = tuple[Over, float]
"""An asked load."""
_Describe = Callable[..., Description]


def describer(c: ConfigurationSummary, manifest: Manifest | None) -> Callable[..., Description]:
    """Return how a configuration's figures are described over runs (:func:`analysis.statistics.description.describe`)."""
    until = manifest.spec.until_precise if manifest else None
    last = until.max if until else LAST_LOOK
    return partial(describe, kind=c.sd, confidence_sequence=until is not None, last=last, tails=False)


def level_of(step: LoadStep) -> Level | None:
    """Return the load that a step asked for, so rounded that the same one of two searches is one; ``None``: not known."""
    if step.over is None or step.asked is None:
        return None
    return step.over, float(f"{step.asked:.9g}")


def load_configurations(
    configurations: Sequence[ConfigurationSummary], manifest: Manifest | None
) -> tuple[LoadConfiguration, ...]:
    """Return the loads, configuration by configuration, each one's by rising load. Only complete runs are described."""
    workload = workload_of(manifest)
    made: list[LoadConfiguration] = []
    for c in configurations:
        described = describer(c, manifest)
        found: dict[Level, list[tuple[RunFigures, LoadStep]]] = {}
        for run in c.over_runs.runs:
            for step in run.steps:
                level = level_of(step)
                if level is not None:
                    found.setdefault(level, []).append((run, step))
        search = workload.search is not None if workload else any(len(r.steps) > 1 for r in c.over_runs.runs)
        made += [
            _over_runs(c, level, found[level], described, search=search, workload=workload)
            for level in sorted(found)
        ]
    return tuple(made)


def workload_of(manifest: Manifest | None) -> PromptsWorkload | None:
    """Return what the sweep asked of its loads; ``None``: not known, or it is another workload."""
    workload = manifest.spec.workload if manifest else None
    return workload if isinstance(workload, PromptsWorkload) else None


def _over_runs(
    c: ConfigurationSummary,
    level: Level,
    found: Sequence[tuple[RunFigures, LoadStep]],
    described: _Describe,
    *,
    search: bool,
    workload: PromptsWorkload | None,
) -> LoadConfiguration:
    whole = [(run, step) for run, step in found if run.complete]
    steps = [step for _, step in whole]
    loads: list[Hashable | None] = [run.own_load for run, _ in whole]

    def over(name: str) -> Description:
        return described([getattr(step, name) for step in steps], loads=loads)

    def spread_over(name: str) -> SpreadOverRuns:
        spreads: list[Spread] = [getattr(step, name) for step in steps]
        return SpreadOverRuns(
            mean=described([one.mean for one in spreads], loads=loads),
            p50=described([one.p50 for one in spreads], loads=loads),
            p90=described([one.p90 for one in spreads], loads=loads),
            p99=described([one.p99 for one in spreads], loads=loads),
        )

    made = workload.synthetic if workload else None
    return LoadConfiguration(
        config=c.config,
        agent=c.agent,
        over=level[0],
        asked=level[1],
        search=search,
        slo=workload.slo if workload else None,
        attainment=attainment_of(workload),
        runs=len(steps),
        incomplete=len(found) - len(steps),
        requests=sum(step.requests for step in steps),
        unplaced=sum(step.unplaced for step in steps),
        counted=sum(step.counted for step in steps),
        failed=_summed([step.failed for step in steps]),
        degenerate=sum(step.degenerate for step in steps),
        suspect=sum(step.suspect for step in steps),
        cold=sum(step.cold for step in steps),
        cut=sum(step.cut is not None for step in steps),
        kept_up=sum(step.keeps_up is True for step in steps),
        can_tell=sum(step.keeps_up is not None for step in steps),
        window_s=over("window_s"),
        offered_rate=over("offered_rate"),
        achieved_rate=over("achieved_rate"),
        achieved_concurrency=over("achieved_concurrency"),
        output_tok_s=over("output_tok_s"),
        backlog_growth=over("backlog_growth"),
        goodput=over("goodput"),
        good_share=over("good_share"),
        ttft_due_ms=spread_over("ttft_due_ms"),
        ttft_sent_ms=spread_over("ttft_sent_ms"),
        itl_ms=spread_over("itl_ms"),
        latency_due_ms=spread_over("latency_due_ms"),
        latency_sent_ms=spread_over("latency_sent_ms"),
        own_late_ms=spread_over("own_late_ms"),
        tokens_sources=_summed([step.tokens_sources for step in steps]),
        prompt_tokens=over("prompt_tokens"),
        output_tokens=over("output_tokens"),
        asked_input_tokens=_middle(made.input_tokens) if made else None,
        asked_output_tokens=_middle(made.output_tokens) if made else None,
    )


def _summed(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


def _middle(asked: TokenCounts) -> float:
    """The median of the asked distribution: cutting a normal one at both ends leaves it between them."""
    if asked.mean is None:
        return (asked.min + asked.max) / 2
    return min(max(asked.mean, asked.min), asked.max)
