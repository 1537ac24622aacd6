"""One configuration over its runs: the run as the unit, each stage apart, outliers, trends, precision."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.formatting import two_digits
from analysis.metrics import BY_KEY, METRICS
from analysis.models import ConfigurationSummary, ConfigurationTrend, Precision, StageOverRuns
from analysis.rendering.document import Block, Bullet, Bullets, Paragraph, Row, Section, Table
from analysis.rendering.numbers import ABSENT, decimals, ends, p_words, percent, plural, signed
from analysis.statistics.description import Description

ONE_RUN = "one run"
_HEADER = (
    *("Figure", "n", "Mean", "95 % interval", "sd", "CV", "Median", "95 % interval of it", "IQR"),
    *("Min", "Max"),
)
_ALIGN = "lrrrrrrrrrr"
_STAGE_FIGURES = (
    ("throughput_tok_s", "Throughput (tok/s)"),
    ("ttft_ms", "TTFT, not known to be cold (ms)"),
    ("ttft_cold_ms", "TTFT, cold (ms)"),
    ("itl_ms", "Inter-token latency (ms)"),
    ("duration_ms", "Duration, without cold calls unless all are (ms)"),
    ("tokens", "Tokens"),
    ("prompt_eval_ms", "Prompt eval (ms)"),
    ("eval_ms", "Eval (ms)"),
    ("load_ms", "Load, of all calls (ms)"),
)


def over_runs_sections(c: ConfigurationSummary) -> tuple[Section, ...]:
    """Return the section; nothing where no run was recorded."""
    if not c.over_runs.runs:
        return ()
    return (
        Section(
            "Statistics over Runs",
            (
                *_runs(c),
                *(_stage(stage) for stage in c.stages_over_runs),
                *_percentiles(c),
                *_flags(c),
            ),
        ),
    )


def _runs(c: ConfigurationSummary) -> Iterator[Block]:
    runs = c.over_runs
    rows = [_row("Throughput, Σ tokens / Σ eval time (tok/s)", runs.throughput_tok_s)]
    if runs.throughput_method == "mean_of_call_rates":
        rows = []
    rows.append(_row("Throughput, mean of rates (tok/s)", runs.mean_of_rates_tok_s))
    rows += [
        _row(f"{metric.title} ({metric.unit})", runs.of(metric.key))
        for metric in METRICS[1:]
        if runs.of(metric.key).n
    ]
    yield Table(_HEADER, _ALIGN, tuple(rows))
    ratio = runs.ratio_of_sums_tok_s
    if ratio is not None:
        yield Paragraph(
            f"Ratio of sums, Σ tokens / Σ eval time over all calls of all complete runs: {ratio:.2f} tok/s. It weighs every "
            "token alike, the means above every run."
        )


def _stage(stage: StageOverRuns) -> Section:
    planned = "" if stage.planned is None else f"{stage.planned} planned, "
    out = ", ".join(f"{why} {number}" for why, number in stage.excluded.items())
    counts = f"Runs: {planned}{stage.ok} with a valid call, excluded: {out or 'none'}."
    rows = tuple(
        _row(title, described)
        for name, title in _STAGE_FIGURES
        for described in [getattr(stage, name)]
        if described.n
    )
    return Section(
        f"Stage {stage.stage}", (Paragraph(counts), *((Table(_HEADER, _ALIGN, rows),) if rows else ()))
    )


def _row(title: str, d: Description) -> Row:
    places = decimals(d.mean_interval)
    alone = d.n == 1
    return Row(
        (
            title,
            str(d.n),
            _number(d.mean, places),
            _interval(d, "mean"),
            ONE_RUN if alone else _number(d.sd, places),
            ONE_RUN if alone else percent(d.cv),
            ABSENT if alone else _number(d.median, places),
            _interval(d, "median"),
            ABSENT if alone else _number(d.iqr, places),
            ABSENT if alone else _number(d.min, places),
            ABSENT if alone else _number(d.max, places),
        )
    )


def _number(number: float | None, places: int) -> str:
    return ABSENT if number is None else f"{number:.{places}f}"


_METHODS = {"confidence-sequence": ", confidence sequence"}
"""Said where it is not the usual one, which the rules name."""


def _interval(d: Description, of: str) -> str:
    interval = d.mean_interval if of == "mean" else d.median_interval
    if interval is None:
        return ABSENT
    return f"{ends(interval)}{_METHODS.get(interval.method, '')}"


def _percentiles(c: ConfigurationSummary) -> Iterator[Block]:
    items = []
    for metric in METRICS:
        described = c.over_runs.of(metric.key)
        for entry in described.percentiles:
            if entry.value is not None:
                items.append(
                    Bullet(f"{entry.value:.2f} {metric.unit}", f"{metric.title}, p{entry.percent:g}")
                )
    refused = {
        entry.percent: (entry.needs, entry.needs - c.runs_complete)
        for entry in c.over_runs.throughput_tok_s.percentiles
        if entry.value is None
    }
    if items:
        yield Bullets(tuple(items))
    if refused:
        words = "; ".join(
            f"p{p:g} takes {needs:,} runs, {more:,} more than there are"
            for p, (needs, more) in sorted(refused.items())
        )
        yield Paragraph(
            f"Percentiles over runs that are not printed, because the runs can't carry them: {words}."
        )


def _flags(c: ConfigurationSummary) -> Iterator[Section]:
    """Outliers, trends and precision: shown, and dropping nothing."""
    if c.outliers:
        items = tuple(
            Bullet(
                f"{BY_KEY[o.metric].title} {o.value:.2f} {BY_KEY[o.metric].unit}, outside {o.low:.2f} to {o.high:.2f}",
                f"Run {o.run}",
            )
            for o in c.outliers
        )
        yield Section(
            "Outlier Runs", (Paragraph("By Tukey's fences; they are in every figure above."), Bullets(items))
        )
    drifting = [entry for entry in c.trends if entry.trend.drifting]
    if drifting:
        yield Section("Trends", (Bullets(tuple(map(_trend, drifting))),))
    if c.precision:
        yield Section("Precision", (Bullets(tuple(map(_precision, c.precision))),))


def _trend(entry: ConfigurationTrend) -> Bullet:
    trend = entry.trend
    p = trend.p if trend.p_holm is None else trend.p_holm
    said = "" if p is None else f", {p_words(p)}"
    return Bullet(
        f"{signed(trend.percent_per_run)} % from run to run{said} ({plural(trend.n, 'run')})",
        BY_KEY[entry.metric].title,
    )


def _precision(entry: Precision) -> Bullet:
    if entry.reached_percent is None:
        said = "too few runs to tell"
    else:
        said = f"{'reached' if entry.reached else 'not reached:'} ± {two_digits(entry.reached_percent)} %"
    return Bullet(f"asked ± {entry.target_percent:g} %, {said}", BY_KEY[entry.metric].title)
