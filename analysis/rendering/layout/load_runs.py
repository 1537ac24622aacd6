"""The load of each run of one configuration: instead of a table of its hundreds of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from analysis.load.bounds import within
from analysis.load.words import level_words
from analysis.metrics import METRICS
from analysis.models import ConfigurationSummary, RunFigures
from analysis.models.load import LoadStep
from analysis.rendering.document import Block, Bullet, Bullets, Paragraph, Row, Section, Table
from analysis.rendering.layout.tables import Column, sparse_table
from analysis.rendering.numbers import ABSENT, count, decimals, ends, percent
from analysis.statistics.description import Description

_MOST_STEPS = 100
_TITLES = {
    "throughput_tok_s": "Output of all requests (tok/s)",
    "mean_of_rates_tok_s": "Decode rate, mean of the requests' (tok/s)",
    "ttft_ms": "TTFT, mean of the requests' (ms)",
    "itl_ms": "ITL, mean of the requests' (ms)",
    "duration_ms": "Latency, mean of the requests' (ms)",
}


def load_runs_sections(c: ConfigurationSummary) -> tuple[Section, ...]:
    """Return the figures of each run's load, and those over runs; nothing where no run was recorded."""
    steps = [(run, step) for run in c.over_runs.runs for step in run.steps]
    if not steps:
        return ()
    return (
        Section("Load of Each Run", tuple(_each(c, steps[:_MOST_STEPS], len(steps)))),
        Section("Statistics over Runs", tuple(_over_runs(c))),
    )


def _each(c: ConfigurationSummary, steps: list[tuple[RunFigures, LoadStep]], total: int) -> Iterator[Block]:
    def column(title: str, get: Callable[[LoadStep], float | int | None]) -> Column:
        return Column(title, "r", tuple(_number(get(step)) for _, step in steps))

    is_open = any(step.over == "rate" for _, step in steps)
    table = sparse_table(
        (
            Column("Run", "r", tuple(str(run.run) for run, _ in steps), keep=True),
            *(
                (Column("Step", "r", tuple(str(step.step) for _, step in steps), keep=True),)
                if any(len(run.steps) > 1 for run, _ in steps)
                else ()
            ),
            Column("Asked", "l", tuple(level_words(step.asked, step.over) for _, step in steps), keep=True),
            Column("Keeps up", "l", tuple(_yes(step.keeps_up) for _, step in steps)),
            Column("Requests", "r", tuple(str(step.requests) for _, step in steps), keep=True),
            Column("Counted", "r", tuple(str(step.counted) for _, step in steps), keep=True),
            column("Window (s)", lambda step: step.window_s),
            column("Served/s", lambda step: step.achieved_rate),
            column("At a time", lambda step: step.achieved_concurrency),
            column("Output (tok/s)", lambda step: step.output_tok_s),
            column("Goodput/s", lambda step: step.goodput),
            *((column("Backlog grew by", lambda step: step.backlog_growth),) if is_open else ()),
            column("TTFT p50 (ms)", lambda step: (step.ttft_due_ms if is_open else step.ttft_sent_ms).p50),
            column("TTFT p99 (ms)", lambda step: (step.ttft_due_ms if is_open else step.ttft_sent_ms).p99),
            *(
                (column("TTFT p99, from sending (ms)", lambda step: step.ttft_sent_ms.p99),)
                if is_open
                else ()
            ),
            column("ITL p50 (ms)", lambda step: step.itl_ms.p50),
            column(
                "Latency p50 (ms)",
                lambda step: (step.latency_due_ms if is_open else step.latency_sent_ms).p50,
            ),
            Column("Failed", "r", tuple(_failed(step) for _, step in steps)),
            Column("Suspect", "r", tuple(_failing(step, step.suspect) for _, step in steps)),
        )
    )
    if table is None:
        yield Paragraph("No run's load has a figure: too few requests, or nothing tells when they were due.")
        return
    whole = [run.complete for run, _ in steps]
    yield Table(
        table.header,
        table.align,
        tuple(Row(row.cells, tone="" if ok else "bad") for row, ok in zip(table.rows, whole, strict=True)),
    )
    if is_open:
        yield Paragraph("Times are from the scheduled time, where nothing else is said.")
    if not all(whole):
        yield Paragraph("Marked: the run is not complete, and in no figure over runs.")
    cut = [
        Bullet(step.cut, f"Run {run.run}, {level_words(step.asked, step.over)}")
        for run, step in steps
        if step.cut
    ]
    if cut:
        yield Bullets(tuple(cut), tone="warning")
    out = c.left_out.get("runs", 0)
    if out or total > _MOST_STEPS:
        more = "stages.jsonl" if out else "summary.json"
        yield Paragraph(f"Shown: the first {len(steps)} loads; {more} holds all.")


def _over_runs(c: ConfigurationSummary) -> Iterator[Block]:
    """The run as the unit: one figure a run, then mean and interval."""
    over = c.over_runs
    described = [(_TITLES["throughput_tok_s"], over.throughput_tok_s)]
    described.append((_TITLES["mean_of_rates_tok_s"], over.mean_of_rates_tok_s))
    described += [
        (_TITLES.get(metric.key, f"{metric.title} ({metric.unit})"), over.of(metric.key))
        for metric in METRICS[1:]
    ]
    rows = tuple(_row(title, one) for title, one in described if one.n)
    if not rows:
        yield Paragraph("No complete run has a figure.")
        return
    header = ("Figure", "n", "Mean", "95 % interval", "sd", "CV", "Median", "Min", "Max")
    yield Table(header, "lrrrrrrrr", rows)
    if any(len(run.steps) > 1 for run in over.runs):
        yield Paragraph("Of a search these are the figures at the highest load that the run kept up with.")


def _row(title: str, d: Description) -> Row:
    interval = within(d.mean_interval)
    places = decimals(interval)

    def shown(number: float | None) -> str:
        return ABSENT if number is None else f"{number:.{places}f}"

    alone = d.n == 1
    return Row(
        (
            title,
            str(d.n),
            shown(d.mean),
            ends(interval),
            "one run" if alone else shown(d.sd),
            "one run" if alone else percent(d.cv),
            *((ABSENT, ABSENT, ABSENT) if alone else (shown(d.median), shown(d.min), shown(d.max))),
        )
    )


def _number(number: float | int | None) -> str:
    if number is None or isinstance(number, int):
        return count(number)
    return (
        f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}" if abs(number) < 100 else f"{number:.1f}"
    )


def _yes(kept: bool | None) -> str:
    return {True: "yes", False: "no", None: ABSENT}[kept]


def _failed(step: LoadStep) -> str:
    return _failing(step, sum(step.failed.values()))


def _failing(step: LoadStep, number: int) -> str:
    """A load without a counted request tells nothing."""
    return str(number) if step.counted else ABSENT
