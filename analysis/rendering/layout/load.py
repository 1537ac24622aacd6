"""The section on loads: where the server saturates, the loads one by one, charts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from analysis.load.bounds import ANY, NOT_NEGATIVE, PART, Bounds, within
from analysis.load.quantiles import PERCENTS, fewest
from analysis.load.words import UNIT, kept_words, level_words, sentences, slo_words
from analysis.models import SweepSummary
from analysis.models.load import LoadConfiguration
from analysis.rendering.document import Block, Bullet, Bullets, Paragraph, Section
from analysis.rendering.layout.figures.load import MOST_GROUPS, charts_of
from analysis.rendering.layout.tables import Column, sparse_table
from analysis.rendering.layout.words import configuration_anchor
from analysis.rendering.numbers import ABSENT, decimals, ends, plural
from analysis.statistics.description import Description
from contracts.load import KEEPS_UP, RULE

_MOST_LOADS = 200
"""Rows of a table; searches of many configurations have more."""
_ROUNDING = 1e-5
"""An interval narrower than this part of the mean is no spread that anybody asks about."""
_HIDDEN_FROM = 1.1
"""TTFT from the scheduled time / from the sending, from which on the difference is said in words."""

RULES = (Bullet(RULE, "Load"), Bullet(KEEPS_UP, "Keeps up"))
"""For the report's rules."""


def load_sections(summary: SweepSummary) -> tuple[Section, ...]:
    """Return the section; none where there was no load."""
    if not summary.loads:
        return ()
    loads = summary.loads[:_MOST_LOADS]
    anchors = {
        (c.config, c.agent): configuration_anchor(index) for index, c in enumerate(summary.configurations)
    }
    of_rows = [anchors.get((load.config, load.agent), "") for load in loads]
    charts, without = charts_of(summary)
    return (
        Section(
            "Load",
            (
                *_answers(summary),
                Section("Asked and Achieved", tuple(_achieved(loads, of_rows))),
                Section("Latency under Load", tuple(_latencies(loads, of_rows))),
                Section("What Was Sent and Answered", tuple(_tokens(loads, of_rows))),
                *charts,
                *(
                    (
                        Paragraph(
                            f"Charts are drawn of the first {MOST_GROUPS} groups; {without} more have none."
                        ),
                    )
                    if without
                    else ()
                ),
            ),
            anchor="load",
        ),
    )


def number_text(described: Description, scale: float = 1.0, bounds: Bounds = ANY) -> str:
    """``12.3 ± 0.4``, or both ends where the interval is not symmetric; without an interval four digits.

    ``bounds``: what the figure can be, before it is scaled; where that cuts the interval, both ends are printed.
    """
    if described.mean is None:
        return ABSENT
    mean, interval = scale * described.mean, within(described.mean_interval, bounds)
    if interval is None or interval.high - interval.low < _ROUNDING * abs(described.mean):
        return f"{mean:,.0f}" if abs(mean) >= 10_000 else f"{mean:.4g}"
    scaled = replace(interval, low=scale * interval.low, high=scale * interval.high)
    places = decimals(scaled)
    up, down = scaled.high - mean, mean - scaled.low
    if abs(up - down) <= 1e-6 * max(abs(up), abs(down)):
        return f"{mean:.{places}f} ± {up:.{places}f}"
    return f"{mean:.{places}f} ({ends(scaled, places)})"


def _answers(summary: SweepSummary) -> Iterator[Block]:
    said = sentences(summary.saturations)
    if len(said) == 1:
        yield Paragraph(said[0])
    elif said:
        yield Bullets(tuple(map(Bullet, said)))
    slo = next((load.slo for load in summary.loads if load.slo is not None), None)
    attainment = next((load.attainment for load in summary.loads if load.attainment is not None), None)
    if slo is not None:
        yield Paragraph(
            f"SLO: {slo_words(slo)}. Goodput is the rate of requests that keep all of it; one that failed keeps none. A server keeps up "
            f"where at least {100 * (attainment or 0):g} % of them do."
        )
    rest = len(summary.loads) - _MOST_LOADS
    if rest > 0:
        yield Paragraph(
            f"The tables below hold the first {_MOST_LOADS} of {plural(len(summary.loads), 'load')}. summary.json holds all."
        )


def _achieved(loads: Sequence[LoadConfiguration], anchors: Sequence[str]) -> Iterator[Block]:
    is_open = any(load.is_open for load in loads)
    yield from _table(
        loads,
        anchors,
        (
            _asked_for(loads),
            Column("Runs", "r", tuple(map(_runs, loads)), keep=True),
            Column("Keeps up in", "l", tuple(map(_kept, loads))),
            *((_described("Requests due/s", loads, lambda load: load.offered_rate),) if is_open else ()),
            _described("Requests served/s", loads, lambda load: load.achieved_rate),
            _described("At a time", loads, lambda load: load.achieved_concurrency),
            _described("Output (tok/s)", loads, lambda load: load.output_tok_s),
            _described("Goodput (requests/s)", loads, lambda load: load.goodput),
            _described("Good (%)", loads, lambda load: load.good_share, 100, PART),
            *(
                (_described("Backlog grew by", loads, lambda load: load.backlog_growth, bounds=ANY),)
                if is_open
                else ()
            ),
            Column("Failed", "l", tuple(map(_failed, loads))),
        ),
    )
    incomplete = sum(load.incomplete for load in loads)
    if incomplete:
        yield Paragraph(
            f"In no figure: {plural(incomplete, 'run')} whose load is not complete (see Excluded)."
        )
    cut = sum(load.cut for load in loads)
    if cut:
        yield Paragraph(
            f"Not all was sent that was to be: {plural(cut, 'load')} of single runs (why stands in the section of the configuration). Such "
            "a load can show that the server did not keep up, and not that it did."
        )
    unplaced = sum(load.unplaced for load in loads)
    if unplaced:
        yield Paragraph(
            f"In no figure: {plural(unplaced, 'request')} without the time of being due or of the end."
        )
    if any(0 < load.window_s.n < load.runs for load in loads):
        yield Paragraph(
            "Where Runs says “2 of 4”, or the like, the figures are of the first number of runs: the others had too few requests to have "
            "a time at full load (see the rule Load)."
        )
    if any(not load.counted for load in loads):
        yield Paragraph(
            "A load without figures had too few requests to have a time at full load (see the rule Load): a closed loop takes "
            "several times as many requests as run at a time."
        )


def _latencies(loads: Sequence[LoadConfiguration], anchors: Sequence[str]) -> Iterator[Block]:
    is_open = any(load.is_open for load in loads)
    due = ", from schedule" if is_open else ""

    def sent(title: str, get: Callable[[LoadConfiguration], Description]) -> tuple[Column, ...]:
        return (_quantile(title, loads, get),) if is_open else ()

    yield from _table(
        loads,
        anchors,
        (
            _asked_for(loads),
            _quantile(f"TTFT p50{due} (ms)", loads, lambda load: load.ttft_ms.p50),
            *sent("TTFT p50, from sending (ms)", lambda load: load.ttft_sent_ms.p50),
            _quantile(f"TTFT p90{due} (ms)", loads, lambda load: load.ttft_ms.p90),
            _quantile(f"TTFT p99{due} (ms)", loads, lambda load: load.ttft_ms.p99),
            *sent("TTFT p99, from sending (ms)", lambda load: load.ttft_sent_ms.p99),
            _quantile("ITL p50 (ms)", loads, lambda load: load.itl_ms.p50),
            _quantile("ITL p99 (ms)", loads, lambda load: load.itl_ms.p99),
            _quantile(f"Latency p50{due} (ms)", loads, lambda load: load.latency_ms.p50),
            _quantile(f"Latency p99{due} (ms)", loads, lambda load: load.latency_ms.p99),
            *sent("Latency p99, from sending (ms)", lambda load: load.latency_sent_ms.p99),
        ),
    )
    yield from _omission(loads)
    fewest_words = ", ".join(f"p{p} {fewest(p)}" for p in PERCENTS)
    yield Paragraph(
        "Means of the runs' own quantiles over their counted requests. A quantile that one of the runs has too few requests for is "
        f"not printed: it would be of other runs than the figures beside it. It takes: {fewest_words}."
    )
    suspect, cold = sum(load.suspect for load in loads), sum(load.cold for load in loads)
    if suspect:
        yield Paragraph(
            f"{plural(suspect, 'suspect request')} of {sum(load.counted for load in loads)} counted: they were load, and are in "
            "rates and goodput, but in no latency."
        )
    degenerate = sum(load.degenerate for load in loads)
    if degenerate:
        yield Paragraph(
            f"{plural(degenerate, 'degenerate answer')} among the counted: served, so they are in the rates, but in no latency."
        )
    if cold:
        yield Paragraph(
            f"{plural(cold, 'request')} among these are known to be cold: the model was loaded for them."
        )


def _omission(loads: Sequence[LoadConfiguration]) -> Iterator[Block]:
    """What one would not see who counted from the sending."""
    told = [
        (load, due, sent)
        for load in loads
        if load.is_open
        and (due := load.ttft_due_ms.mean.mean) is not None
        and (sent := load.ttft_sent_ms.mean.mean) is not None
        and load.ttft_due_ms.mean.n == load.ttft_sent_ms.mean.n
    ]
    if not told:
        return
    hidden = [entry for entry in told if entry[1] > _HIDDEN_FROM * entry[2]]
    if not hidden:
        yield Paragraph(
            "Coordinated omission: none to speak of. From the scheduled time and from the sending the mean TTFT is the same within "
            f"{100 * (_HIDDEN_FROM - 1):.0f} % at every load{'' if len(told) == len(loads) else ' that has one'}: "
            "requests were sent when they were due."
        )
        return
    load, due, sent = max(hidden, key=lambda entry: entry[1] / entry[2])
    yield Paragraph(
        f"Coordinated omission: at {level_words(load.asked, load.over)} the mean TTFT is {due:.4g} ms from the scheduled time and "
        f"{sent:.4g} ms from the sending. The difference is time that requests waited at the client because as many as may be were "
        "under way (max_in_flight), or because the client was late; a user waits for it all the same."
    )


def _tokens(loads: Sequence[LoadConfiguration], anchors: Sequence[str]) -> Iterator[Block]:
    yield from _table(
        loads,
        anchors,
        (
            _asked_for(loads),
            Column("Requests", "r", tuple(str(load.requests) for load in loads)),
            Column("Counted", "r", tuple(str(load.counted) for load in loads)),
            _described("Window (s)", loads, lambda load: load.window_s),
            Column("Prompt asked (tokens)", "r", tuple(_asked(load.asked_input_tokens) for load in loads)),
            _described("Prompt, median (tokens)", loads, lambda load: load.prompt_tokens),
            Column("Output asked (tokens)", "r", tuple(_asked(load.asked_output_tokens) for load in loads)),
            _described("Output, median (tokens)", loads, lambda load: load.output_tokens),
            Column("Output counted by", "l", tuple(map(_sources, loads))),
        ),
    )
    if any(load.asked_output_tokens is not None for load in loads):
        yield Paragraph(
            "Asked: the middle of the asked distribution. What was generated is by the counts named."
        )


def _table(
    loads: Sequence[LoadConfiguration], anchors: Sequence[str], columns: Sequence[Column]
) -> Iterator[Block]:
    several = len({load.agent for load in loads}) > 1
    configs = tuple(f"{load.config} ({load.agent})" if several else load.config for load in loads)
    told_apart = len({(load.over, load.asked) for load in loads}) == len(loads)
    named = (
        () if told_apart or len(set(configs)) == 1 else (Column("Configuration", "l", configs, keep=True),)
    )
    table = sparse_table((*named, *columns), anchors)
    yield Paragraph("No figure is known of any load.") if table is None else table


def _asked_for(loads: Sequence[LoadConfiguration]) -> Column:
    """The unit stands in the title where all have one."""
    units = {load.over for load in loads}
    (over,) = units if len(units) == 1 else (None,)
    if over is None:
        return Column("Asked", "l", tuple(level_words(load.asked, load.over) for load in loads), keep=True)
    cells = tuple(ABSENT if load.asked is None else f"{load.asked:.6g}" for load in loads)
    return Column(f"Asked ({UNIT[over]})", "r", cells, keep=True)


def _described(
    title: str,
    loads: Sequence[LoadConfiguration],
    get: Callable[[LoadConfiguration], Description],
    scale: float = 1.0,
    bounds: Bounds = NOT_NEGATIVE,
) -> Column:
    """A figure that not every run with a window has is said to be of fewer."""

    def cell(load: LoadConfiguration) -> str:
        described = get(load)
        some = 0 < described.n < load.window_s.n
        return number_text(described, scale, bounds) + (
            f" ({described.n} of {plural(load.window_s.n, 'run')})" if some else ""
        )

    return Column(title, "r", tuple(map(cell, loads)))


def _quantile(
    title: str, loads: Sequence[LoadConfiguration], get: Callable[[LoadConfiguration], Description]
) -> Column:
    return _described(title, loads, lambda load: load.of_all(get(load)))


def _runs(load: LoadConfiguration) -> str:
    """Those in the figures, where they are not all."""
    return f"{load.window_s.n} of {load.runs}" if 0 < load.window_s.n < load.runs else str(load.runs)


def _kept(load: LoadConfiguration) -> str:
    return kept_words(load) if load.can_tell else ABSENT


def _failed(load: LoadConfiguration) -> str:
    if not load.counted:
        return ABSENT
    return ", ".join(f"{outcome} {count}" for outcome, count in load.failed.items()) or "none"


def _sources(load: LoadConfiguration) -> str:
    words = {"server": "server", "stream": "client, from the stream"}
    total = sum(load.tokens_sources.values())
    if len(load.tokens_sources) == 1:
        (name,) = load.tokens_sources
        return words.get(name, name)
    return (
        ", ".join(f"{words.get(name, name)} {count}" for name, count in load.tokens_sources.items())
        if total
        else ABSENT
    )


def _asked(tokens: float | None) -> str:
    return ABSENT if tokens is None else f"{tokens:g}"
