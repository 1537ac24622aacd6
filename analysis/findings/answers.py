"""The answers: which configuration is best and by how much, what matters, what was not seen to matter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from analysis.comparisons import ALPHA
from analysis.findings.phrases import listed, mention, several_agents, share, some, verdict_words
from analysis.findings.planning import runs_to_show
from analysis.formatting import mean_interval, p_words, plural, two_digits
from analysis.metrics import BY_KEY, ENERGY, THROUGHPUT, TTFT, UNGROUNDED, Metric
from analysis.models import (
    AxisEffect,
    Comparison,
    ConfigurationSummary,
    Finding,
    InteractionEffect,
    MainEffects,
    Ranked,
    SweepSummary,
)
from contracts.configuration import LOAD_NAMES

_OF_MATTER = (THROUGHPUT, TTFT, ENERGY, UNGROUNDED)
"""The others mostly follow from these; the tables of effects have all."""
BEST, MATTERS, NOT_SEEN = "best", "matters", "no-effect-shown"
ANSWERS = (BEST, MATTERS, NOT_SEEN)
"""What an answer's rule begins with; all other rules are about distrust."""


_OF_AGENTS = "Choose a configuration by what all agents make of it together (All together, tok/s) and by what each loses."
_OF_LOADS = "Promise no more than the highest load that is kept up with in every run, and quote latencies at that load."
_MANY = 20
"""Configurations that are not told apart from the first, from which choosing between them is no advice."""
_AGAIN = 10
_FEW = 3


def is_answer(finding: Finding) -> bool:
    return finding.rule.startswith(tuple(f"{kind}:" for kind in ANSWERS))


def fastest(summary: SweepSummary) -> Iterator[Finding]:
    ranked = [entry for entry in summary.ranking if entry.rank is not None]
    if not ranked:
        return
    if not summary.is_choice:
        yield Finding(
            rule=f"{BEST}:{THROUGHPUT.short}",
            severity="note",
            text=summary.verdict,
            evidence=(),
            advice=_OF_AGENTS if summary.pair_configurations else _OF_LOADS,
            configurations=(),
        )
        return
    by_key = {(c.config, c.agent): c for c in summary.configurations}
    first = by_key[ranked[0].config, ranked[0].agent]
    several = several_agents(summary.configurations)
    evidence = [_figure(first, THROUGHPUT, several)]
    if len(ranked) > 1:
        second = by_key[ranked[1].config, ranked[1].agent]
        evidence.append(f"second place: {_figure(second, THROUGHPUT, several)}")
    evidence += _against_baseline(summary, first, THROUGHPUT)
    yield Finding(
        rule=f"{BEST}:{THROUGHPUT.short}",
        severity="note",
        text=summary.verdict,
        evidence=tuple(evidence),
        advice=_after_ranking(summary),
        configurations=(first.config,),
    )


def others_best(summary: SweepSummary) -> Iterator[Finding]:
    """TTFT, energy and grounding: the best mean, and what the comparison with the baseline says of it."""
    several = several_agents(summary.configurations)
    for metric, best in best_means(summary):
        if metric != THROUGHPUT:
            yield Finding(
                rule=f"{BEST}:{metric.short}",
                severity="note",
                text=f"{metric.title}: the lowest mean is that of {_figure(best, metric, several)}"
                f"{_cold_unknown(best) if metric == TTFT else ''}.",
                evidence=_against_baseline(summary, best, metric),
                advice=_before_choosing(best.over_runs.of(metric.key).n),
                configurations=(best.config,),
            )


def cold_unknown(c: ConfigurationSummary) -> bool:
    """Whether of any complete run it is not known which calls were cold: a load may be in its TTFT."""
    return any(
        run.complete and run.ttft_ms is not None and run.cold_calls is None for run in c.over_runs.runs
    )


def _cold_unknown(c: ConfigurationSummary) -> str:
    return (
        "; whether its calls were cold or warm is not known, so that loads may be in it"
        if cold_unknown(c)
        else ""
    )


def _before_choosing(n: int) -> str:
    if n < _FEW:
        return f"Measure at least {_FEW} complete runs of each configuration before choosing by it."
    return (
        "The lowest of several means is lowest by luck too: before choosing by it, look at the comparisons of its metric, and "
        "confirm it on fresh runs."
    )


def best_means(summary: SweepSummary) -> Iterator[tuple[Metric, ConfigurationSummary]]:
    """The configuration with the best mean of each metric that two or more have: no claim that it is the best.

    Of throughput the first of the ranking; where clean ones rank first, none with degenerate calls.
    """
    if not summary.is_choice:
        return
    clean = summary.ranking_rule == "clean-first"
    for metric in _OF_MATTER:
        known = [
            (mean if metric.better == "lower" else -mean, index, c)
            for index, c in enumerate(summary.configurations)
            if c.agents != 1 and (mean := c.over_runs.of(metric.key).mean) is not None
        ]
        allowed = [entry for entry in known if not (clean and entry[2].degenerate_calls)] or known
        # Of equal means none is the best.
        if len(known) > 1 and (metric == THROUGHPUT or len({mean for mean, *_ in allowed}) > 1):
            yield metric, min(allowed)[2]


def against_baseline(summary: SweepSummary, c: ConfigurationSummary, metric: Metric) -> Comparison | None:
    """Return the comparison of one metric with the baseline's; ``None``: there is none."""
    for comparison in summary.comparisons:
        if (comparison.metric, comparison.agent, comparison.candidate) == (metric.key, c.agent, c.config):
            return comparison
    return None


def what_matters(summary: SweepSummary) -> Iterator[Finding]:
    for effects in summary.main_effects:
        if BY_KEY[effects.metric] not in _OF_MATTER:
            continue
        shown = [
            axis
            for axis in effects.axes
            if _is_shown(axis) and not _below_floor(axis, effects, summary) and axis.axis not in LOAD_NAMES
        ]  # a load is not what one sets to get more of it
        pairs = [pair for pair in effects.interactions if _is_shown(pair)]
        if not shown:
            continue
        shown.sort(key=lambda axis: -(axis.share or 0.0))
        metric = BY_KEY[effects.metric]
        yield Finding(
            rule=f"{MATTERS}:{metric.short}",
            severity="note",
            text=f"{metric.title}{_of_agent(effects, summary)}: {'; '.join(_axis_words(axis) for axis in shown)}.",
            evidence=(*_pairs_words(pairs), *_shares_words(effects), *effects.notes),
            advice=_tune(shown[0], metric, pairs),
        )


def not_seen(summary: SweepSummary) -> Iterator[Finding]:
    """Axes that are not inert and moved no metric so that it could be told from noise."""
    if not summary.main_effects:
        return
    names = list(dict.fromkeys(axis.axis for effects in summary.main_effects for axis in effects.axes))
    moving = {
        name
        for effects in summary.main_effects
        for name in [
            *(
                axis.axis
                for axis in effects.axes
                if axis.inert
                or (_p(axis) is None and len({level.mean for level in axis.levels}) > 1)
                or (_is_shown(axis) and not _below_floor(axis, effects, summary))
            ),
            *(name for pair in effects.interactions if _is_shown(pair) for name in pair.axes),
        ]
    }
    idle = [name for name in names if name not in moving]
    if not idle:
        return
    levels = {axis.axis: len(axis.levels) for effects in summary.main_effects for axis in effects.axes}
    metrics = list(dict.fromkeys(BY_KEY[effects.metric].title for effects in summary.main_effects))
    fewer = math.prod(levels[name] for name in idle)
    yield Finding(
        rule=f"{NOT_SEEN}:axes",
        severity="note",
        text=f"no effect of {listed(idle)} was shown on {listed(metrics)}.",
        evidence=tuple(_seen(name, summary.main_effects) for name in idle),
        advice=f"Fix {listed(idle)} at one value in the next sweep: it takes 1/{fewer} of the jobs, or {fewer} times the runs in the "
        "same time. No effect shown is not no effect: a smaller one may be there.",
    )


def _figure(c: ConfigurationSummary, metric: Metric, several: bool) -> str:
    described = c.over_runs.of(metric.key)
    n = f", n = {described.n}" if described.n > 1 else ""
    return f"{mention(c, several)}: {mean_interval(described, metric.unit)}{n}"


def _against_baseline(summary: SweepSummary, c: ConfigurationSummary, metric: Metric) -> tuple[str, ...]:
    if c.config == summary.baseline:
        return ("it is the baseline",)
    comparison = against_baseline(summary, c, metric)
    if comparison is None:
        return ()
    return (f"against the baseline {comparison.baseline}: {verdict_words(comparison)}",)


def _after_ranking(summary: SweepSummary) -> str:
    """What to do about the first place; what to measure next where no claim is made."""
    first = summary.ranking[0]
    several = several_agents(summary.configurations)
    compared = [entry for entry in summary.ranking if entry.comparison is not None]
    apart = [entry for entry in compared if not _is_behind(entry)]
    if not compared:
        return "Measure a second configuration, or compare with another result: chimera compare A B."
    if not apart:
        return (
            f"Use {mention(first, several)} where throughput counts. The first place was chosen by these data, so that its lead tends to be "
            "smaller when it is measured again: confirm it on fresh runs (chimera run --fresh) before building on its size."
        )
    few = any(entry.throughput_tok_s.n < _FEW for entry in (first, *apart))
    if few and any(entry.comparison and entry.comparison.verdict == "too few runs" for entry in apart):
        return (
            "Nothing can be claimed of the first place yet: measure at least 3 complete runs of each configuration, "
            "better 5 or more, before choosing by throughput."
        )
    ties = [entry for entry in apart if _is_tie(entry)]
    if not ties:
        return (
            f"Choose between {some(mention(entry, several) for entry in [first, *apart])} by something else (TTFT, energy, cost). To tell their "
            "rates apart, measure what stands in the way of the comparison again (floor, definition of the rate, complete runs)."
        )
    if len(ties) >= _MANY:
        return (
            f"Measure the first {_AGAIN} again, in a sweep of their own (include: in the sweep file) with more runs: fewer "
            "configurations need a smaller correction, and fresh runs owe nothing to this ranking. Until then go by what matters."
        )
    planned = _runs_for(ties[0].comparison)
    about = (
        f": about {planned} {ties[0].comparison.unit if ties[0].comparison else 'run'}s of each would tell the first two apart, if the difference is as seen"
        if planned
        else ""
    )
    return (
        f"Choose between {some([mention(first, several), *(mention(entry, several) for entry in ties)])} by something else (TTFT, energy, "
        f"cost), for these runs don't tell their rates apart; or measure them again in a sweep of their own, with more runs{about}."
    )


def _is_behind(entry: Ranked) -> bool:
    """Whether it is shown to be slower than the first."""
    return entry.comparison is not None and entry.comparison.verdict == "worse" and not entry.below_floor


def _is_tie(entry: Ranked) -> bool:
    """A pairing of other runs than the ranking's may turn the sign round: that is no order that is shown."""
    verdict = entry.comparison.verdict if entry.comparison else None
    return verdict in ("no difference shown", "better") and not entry.below_floor


def _runs_for(comparison: Comparison | None) -> int | None:
    if comparison is None or comparison.detectable_percent is None or not comparison.percent:
        return None
    runs = max(comparison.n_baseline, comparison.n_candidate)
    needed = runs_to_show(runs, comparison.detectable_percent, abs(comparison.percent))
    return needed if needed is not None and needed > runs else None


def _p(effect: AxisEffect | InteractionEffect) -> float | None:
    return effect.p_holm if effect.p_holm is not None else effect.p


def _is_shown(effect: AxisEffect | InteractionEffect) -> bool:
    p = _p(effect)
    return p is not None and p <= ALPHA and not (isinstance(effect, AxisEffect) and effect.inert)


def _below_floor(axis: AxisEffect, effects: MainEffects, summary: SweepSummary) -> bool:
    if summary.floor is None or effects.metric != TTFT.key or not axis.levels:
        return False
    means = [level.mean for level in axis.levels]
    return max(means) - min(means) < summary.floor.ttft_ms


def _axis_words(axis: AxisEffect) -> str:
    explains = "" if axis.share is None else f" explains {share(axis.share)} of the variance between runs"
    within = []
    if axis.largest_percent is not None:
        within.append(f"largest difference {two_digits(axis.largest_percent)} %")
    p = _p(axis)
    if p is not None:
        within.append(f"adjusted {p_words(p)}" if axis.p_holm is not None else p_words(p))
    return f"{axis.axis}{explains or ' matters'} ({', '.join(within)})"


def _pairs_words(pairs: Sequence[InteractionEffect]) -> Iterator[str]:
    for pair in pairs:
        p = _p(pair)
        part = "" if pair.share is None else f", {share(pair.share)} of the variance"
        yield (
            f"{pair.axes[0]} and {pair.axes[1]} depend on each other ({p_words(p) if p is not None else 'not tested'}{part})"
        )


def _shares_words(effects: MainEffects) -> tuple[str, ...]:
    parts = [
        f"{what} {share(part)}"
        for what, part in (
            ("slots", effects.slot_share),
            ("blocks (time)", effects.block_share),
            ("loads of a plot", effects.load_share),
            ("higher interactions", effects.higher_share),
            ("noise between runs", effects.residual_share),
        )
        if part is not None
    ]
    return (f"of the rest: {', '.join(parts)} ({plural(effects.runs, 'run')})",) if parts else ()


def _tune(axis: AxisEffect, metric: Metric, pairs: Sequence[InteractionEffect]) -> str:
    best = (max if metric.better == "higher" else min)(axis.levels, key=lambda level: level.mean)
    depends = [pair for pair in pairs if axis.axis in pair.axes]
    caution = ""
    if depends:
        other = [name for pair in depends for name in pair.axes if name != axis.axis]
        caution = f", but read it together with {listed(list(dict.fromkeys(other)))}, on which it depends"
    return f"For {metric.title} set {axis.axis} first: over all else {best.value} was best ({best.mean:.2f} {metric.unit}){caution}."


def _seen(name: str, all_effects: Sequence[MainEffects]) -> str:
    """``temperature: largest difference 0.87 % (Throughput), 0.48 % (TTFT)``."""
    parts = [
        f"{two_digits(axis.largest_percent)} % ({BY_KEY[effects.metric].title})"
        for effects in all_effects
        for axis in effects.axes
        if axis.axis == name and axis.largest_percent is not None and _p(axis) is not None
    ]
    return f"{name}: largest difference {', '.join(parts)}" if parts else f"{name}: difference not known"


def _of_agent(effects: MainEffects, summary: SweepSummary) -> str:
    return f" ({effects.agent})" if several_agents(summary.configurations) else ""
