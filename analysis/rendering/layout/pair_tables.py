"""Tables of several agents at the same time: all configurations, the agents side by side, runs, legacy figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from analysis.models import ConfigurationSummary
from analysis.models.pairs import PairAgent, PairConfiguration, PairRun, Slowdown, SlowdownOf
from analysis.pairs.slowdown import NAMES
from analysis.rendering.document import Row, Table
from analysis.rendering.layout.pair_words import (
    agents_of,
    contention_text,
    detectable_text,
    fairness_text,
    ratio_text,
    runs_of,
    share_text,
    slowdown_of,
    slowdown_text,
    verdict_text,
)
from analysis.rendering.layout.words import NOT_RECORDED
from analysis.rendering.numbers import ABSENT, count, mean_interval, p_value, percent, signed, value
from contracts.configuration import describe_parameters


def agents_table(pairs: Sequence[PairConfiguration], anchors: Mapping[str, str]) -> Table | None:
    """One row an agent of each configuration: its slowdowns; ``None`` where no agent was measured alone.

    ``anchors``: configuration → its first agent's section.
    """
    told = [of for of in NAMES if any(slowdown_of(m, of) for pair in pairs for m in pair.members)]
    if not told:
        return None
    header = (
        *("Configuration", "Agent", *(f"Slowdown, {NAMES[of]}" for of in told)),
        *("Contention", "Would have been shown"),
    )
    rows = tuple(
        Row(
            (
                *(pair.config, m.agent),
                *(slowdown_text(slowdown_of(m, of)) for of in told),
                *(verdict_text(m, with_detectable=False), detectable_text(m) or ABSENT),
            ),
            anchor=anchors.get(pair.config, ""),
        )
        for pair in pairs
        for m in pair.members
    )
    return Table(header, f"ll{'r' * len(told)}lr", rows, label="Slowdown of each agent")


def pairs_table(pairs: Sequence[PairConfiguration], anchors: Mapping[str, str]) -> Table:
    """One row a configuration: what its agents share."""
    alone = any(pair.alone_tok_s.n for pair in pairs)
    header = (
        *("Configuration", "Agents", "Runs complete", "Contention", "All together (tok/s)"),
        *(("One after the other (tok/s)", "Gain") if alone else ()),
        *("All active", "Fairness, rate", "Fairness, pace", "Makespan (s)"),
        *(("One after the other (s)",) if alone else ()),
    )
    rows = tuple(
        Row(
            (
                *(pair.config, agents_of(pair), runs_of(pair), contention_text(pair)),
                mean_interval(pair.system_tok_s),
                *((mean_interval(pair.alone_tok_s), ratio_text(pair.gain)) if alone else ()),
                *(share_text(pair.all_active), fairness_text(pair.fairness)),
                *(fairness_text(pair.fairness_of_pace), mean_interval(pair.wall_s)),
                *((mean_interval(pair.alone_wall_s),) if alone else ()),
            ),
            anchor=anchors.get(pair.config, ""),
        )
        for pair in pairs
    )
    align = "llrl" + "r" * (len(header) - 4)
    return Table(header, align, rows, label="Agents at the same time")


def sides_table(pair: PairConfiguration) -> Table:
    """What each agent ran, side by side."""
    lines: list[tuple[str, Callable[[PairAgent], str]]] = [
        ("Model", lambda m: m.model or NOT_RECORDED),
        ("Parameters", _parameters),
        ("Server", lambda m: m.server or "the slot's own"),
        ("Measured alone as", lambda m: m.solo or "not measured alone"),
    ]
    rows = tuple(Row((label, *(told(m) for m in pair.members))) for label, told in lines)
    return Table(("", *pair.agents), "l" * (1 + len(pair.members)), rows, label="Configuration of each agent")


def figures_table(pair: PairConfiguration, alone: Sequence[ConfigurationSummary | None]) -> Table:
    """Each agent's figures together, alone and their ratio, side by side; ``alone`` in the order of the agents."""
    solos = [solo.over_runs if solo is not None else None for solo in alone]
    rows = [
        ("Throughput together (tok/s)", *(mean_interval(m.throughput_tok_s) for m in pair.members)),
        ("Throughput alone (tok/s)", *(mean_interval(s.throughput_tok_s) if s else ABSENT for s in solos)),
        _slowdown_row(pair, "rate"),
        ("TTFT together (ms)", *(mean_interval(m.ttft_ms) for m in pair.members)),
        ("TTFT alone (ms)", *(mean_interval(s.ttft_ms) if s else ABSENT for s in solos)),
        _slowdown_row(pair, "ttft"),
        _slowdown_row(pair, "pace"),
        ("Own duration together (s)", *(mean_interval(m.exec_s) for m in pair.members)),
        ("Tokens of a run together", *(mean_interval(m.tokens) for m in pair.members)),
        ("Tokens of a run alone", *(mean_interval(m.solo_tokens) for m in pair.members)),
        ("Contention", *(verdict_text(m) for m in pair.members)),
    ]
    known = tuple(Row(cells) for cells in rows if any(cell != ABSENT for cell in cells[1:]))
    return Table(
        ("Figure", *pair.agents), "l" + "r" * len(pair.members), known, label="Figures of each agent"
    )


def together_table(pair: PairConfiguration) -> Table:
    """What all agents share."""
    fair, paces = pair.fairness, pair.fairness_of_pace
    gain = pair.gain_comparison
    rows = [
        ("Makespan (s)", mean_interval(pair.wall_s)),
        ("The same work one after the other, estimated (s)", mean_interval(pair.alone_wall_s)),
        ("All together (tok/s)", mean_interval(pair.system_tok_s)),
        ("One after the other (tok/s)", mean_interval(pair.alone_tok_s)),
        ("Gain of running together", ratio_text(pair.gain)),
        ("Gain, p adjusted", ABSENT if gain is None else p_value(gain.p_holm)),
        ("Time with all agents active", share_text(pair.all_active)),
        ("Time with at least two active", share_text(pair.two_active) if len(pair.agents) > 2 else ABSENT),
        ("Fairness of rates (Jain's index)", fairness_text(fair)),
        ("Fairness of paces (Jain's index)", fairness_text(paces)),
        ("Largest slowdown of rate / smallest", value(fair.slowdown_ratio) if fair else ABSENT),
        ("Largest slowdown of pace / smallest", value(paces.slowdown_ratio) if paces else ABSENT),
    ]
    known = tuple(Row(cells) for cells in rows if cells[1] != ABSENT)
    return Table(("Figure", "Over complete runs"), "lr", known, label="All agents together")


def legacy_table(pairs: Sequence[PairConfiguration], runs: Sequence[PairRun]) -> Table:
    """The legacy means over runs, one row a configuration; it names the agents that the differences are between."""
    agents = {pair.agents for pair in pairs}
    same = next(iter(agents)) if len(agents) == 1 else ()
    first, second = same if len(same) == 2 else ("first", "second")
    named = len(agents) < 2
    rows = []
    for pair in pairs:
        found = [run.legacy for run in runs if run.config == pair.config]
        told = [one.contention for one in found if one.contention is not None]
        contention = ABSENT if not told else f"{sum(told)} of {len(told)} runs"
        speedup = ABSENT if pair.speedup is None else f"{pair.speedup:.2f}×"
        efficiency = ABSENT if pair.efficiency_percent is None else f"{pair.efficiency_percent:.1f} %"
        rows.append(
            Row(
                (
                    *(pair.config, str(pair.runs), speedup, efficiency, contention),
                    *(() if named else (agents_of(pair),)),
                    *(signed(pair.throughput_delta), signed(pair.ttft_delta_ms)),
                )
            )
        )
    header = (
        *("Configuration", "Runs", "Legacy speedup", "Legacy efficiency", "Speedup below 1.5"),
        *(() if named else ("Agents: first, second",)),
        *(f"Throughput, {second} − {first} (tok/s)", f"TTFT, {first} − {second} (ms)"),
    )
    return Table(header, f"lrrrr{'' if named else 'l'}rr", tuple(rows), label="Legacy figures")


def runs_table(runs: Sequence[PairRun]) -> Table:
    """One row a run of one configuration."""
    rows = tuple(
        Row(
            (
                *(str(run.run), value(run.wall_s), count(run.tokens), value(run.system_tok_s)),
                *(percent(run.all_active), value(run.legacy.sequential_s)),
                ABSENT if run.legacy.speedup is None else f"{run.legacy.speedup:.2f}×",
                run.why_incomplete or "yes",
            ),
            tone="bad" if run.why_incomplete else "",
        )
        for run in runs
    )
    header = (
        *("Run", "Makespan (s)", "Tokens", "All together (tok/s)", "All active"),
        *("Legacy: sequential (s)", "Legacy: speedup", "Complete"),
    )
    return Table(header, "rrrrrrrl", rows, label="Runs")


def _slowdown_row(pair: PairConfiguration, of: SlowdownOf) -> tuple[str, ...]:
    return f"Slowdown, {NAMES[of]}", *(_with_verdict(slowdown_of(m, of)) for m in pair.members)


def _with_verdict(found: Slowdown | None) -> str:
    if found is None or found.ratio is None:
        return ABSENT
    return f"{slowdown_text(found)}, {found.verdict}, p {p_value(found.comparison.p_holm)}"


def _parameters(member: PairAgent) -> str:
    return NOT_RECORDED if member.parameters is None else describe_parameters(member.parameters)
