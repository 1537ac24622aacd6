"""A load's latencies and rates against what was asked for, and the steps of searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from analysis.load.bounds import within
from analysis.load.words import UNIT, level_words
from analysis.models import ConfigurationSummary, SweepSummary
from analysis.models.load import LoadConfiguration, Saturation
from analysis.rendering.charts.curves import Curves
from analysis.rendering.charts.drawing import Axis, Point, Series
from analysis.rendering.document import Chart
from analysis.rendering.layout.figures.common import figures, figures_left_out, finite, span, with_ends
from analysis.rendering.numbers import plural
from analysis.statistics.description import Description

MOST_GROUPS = 6
"""Groups of configurations, or searches, that get charts of their own."""
_MOST_RUNS = 12
"""Searches that one chart draws."""
_Get = Callable[[LoadConfiguration], Description]


def load_charts(s: Saturation, loads: Sequence[LoadConfiguration]) -> tuple[Chart, ...]:
    """Return the charts of one group's loads, ascending; nothing where fewer than two loads have a figure."""
    is_open = s.over == "rate"
    where = f" ({s.label})" if s.label else ""
    since = "from the scheduled time" if is_open else "from the sending"
    latency: list[tuple[Series, _Get]] = [
        (Series(f"p50, {since}", "circle", "main"), lambda one: one.of_all(one.ttft_ms.p50)),
        (Series(f"p99, {since}", "diamond", "amber"), lambda one: one.of_all(one.ttft_ms.p99)),
    ]
    if is_open:
        latency.append(
            (
                Series("p99, from the sending (hides the wait)", "ring", "quiet"),
                lambda one: one.of_all(one.ttft_sent_ms.p99),
            )
        )
    output: list[tuple[Series, _Get]] = [
        (Series("output of all requests", "circle", "main"), lambda one: one.output_tok_s)
    ]
    rates: list[tuple[Series, _Get]] = [
        (Series("ended well", "circle", "main"), lambda one: one.achieved_rate),
        (Series("kept the SLO (goodput)", "square", "teal"), lambda one: one.goodput),
    ]
    ideal = "achieved = asked" if is_open else ""
    made = (
        _chart(
            f"Time to first token against the load{where}",
            loads,
            s,
            latency,
            "TTFT (ms)",
            "ms",
            achieved=is_open,
        ),
        _chart(f"Output against the load{where}", loads, s, output, "Output (tok/s)", "tok/s"),
        _chart(
            f"Requests served against the load{where}",
            loads,
            s,
            rates,
            "Requests/s",
            "requests/s",
            ideal=ideal,
        ),
    )
    return tuple(chart for chart in made if chart is not None)


def search_chart(s: Saturation, c: ConfigurationSummary) -> tuple[Chart, ...]:
    """Return the steps of the searches of one configuration."""
    series = (Series("kept up", "circle", "main"), Series("did not", "cross", "red"))
    points: list[Point] = []
    separate: list[int] = []
    rows: list[tuple[str, tuple[str, ...]]] = []
    runs = [run for run in c.over_runs.runs if run.complete and run.steps]
    for run in runs:
        for step in run.steps:
            if step.asked is None or step.keeps_up is None:
                continue
            said = "kept up" if step.keeps_up else "did not"
            rows.append(("", (str(run.run), str(step.step), f"{step.asked:.6g}", said)))
            if run in runs[:_MOST_RUNS]:
                text = f"run {run.run}, step {step.step}: {level_words(step.asked, step.over)}, {said}"
                points.append(Point(step.step, step.asked, 0 if step.keeps_up else 1, text))
                separate.append(len(points) - 1)
    if len(points) < 2:
        return ()
    where = f" ({s.label})" if s.label else ""
    cut = len(runs) - _MOST_RUNS
    return (
        Chart(
            f"Steps of the search{where}",
            f"Each step of each run's search for the highest load: {plural(len(rows), 'step')} of {plural(len(runs), 'run')}. The load is "
            "doubled until the server does not keep up, then the interval between is halved.",
            Curves(
                Axis("Step of the run"),
                Axis(f"Asked load ({UNIT[s.over]})"),
                series,
                tuple(points),
                separate=tuple(separate),
            ),
            figures(("Run", "Step", f"Asked ({UNIT[s.over]})", "Server"), "rrrl", rows),
            (
                *((f"Drawn: the first {_MOST_RUNS} of {plural(len(runs), 'run')}.",) if cut > 0 else ()),
                *figures_left_out(len(rows)),
            ),
        ),
    )


def charts_of(summary: SweepSummary) -> tuple[tuple[Chart, ...], int]:
    """Return all charts of loads, and how many groups have none because there are too many."""
    made: list[Chart] = []
    for s in summary.saturations[:MOST_GROUPS]:
        loads = [
            load
            for load in summary.loads
            if load.config in s.configurations and load.agent == s.agent and load.over == s.over
        ]
        made += load_charts(s, sorted(loads, key=lambda load: load.asked or 0.0))
        if s.method == "search":
            made += (
                chart
                for c in summary.configurations
                if (c.config, c.agent) == (s.config, s.agent)
                for chart in search_chart(s, c)
            )
    return tuple(made), max(0, len(summary.saturations) - MOST_GROUPS)


def _chart(
    title: str,
    loads: Sequence[LoadConfiguration],
    s: Saturation,
    wanted: Sequence[tuple[Series, _Get]],
    label: str,
    unit: str,
    *,
    ideal: str = "",
    achieved: bool = False,
) -> Chart | None:
    """``achieved``: the x axis is the rate that was achieved, not the one asked for."""
    series = tuple(one for one, _ in wanted)
    points: list[Point] = []
    separate: list[int] = []
    rows: list[tuple[str, tuple[str, ...]]] = []
    for index, (one, get) in enumerate(wanted):
        first = True
        for load in loads:
            at = finite(load.achieved_rate.mean if achieved else load.asked)
            described = get(load)
            value = finite(described.mean)
            if at is None or value is None:
                continue
            interval = within(described.mean_interval)
            words = with_ends(value, interval, unit)
            name = level_words(load.asked, load.over)
            points.append(
                Point(at, value, index, f"{one.name}, {name} asked: {words}", y_interval=span(interval))
            )
            rows.append(("", (one.name, f"{load.asked:.6g}", f"{at:.4g}", words, str(described.n))))
            if first:
                separate.append(len(points) - 1)
            first = False
    if len({p.x for p in points}) < 2:
        return None
    ends = (min(p.x for p in points), max(p.x for p in points))
    axis = "Achieved rate (requests/s)" if achieved else f"Asked load ({UNIT[s.over]})"
    asked = f"Asked ({UNIT[s.over]})"
    return Chart(
        title,
        f"{_text(wanted, points, unit)} Means over complete runs, with their 95 % intervals where there are at least two runs.",
        Curves(
            Axis(axis),
            Axis(label),
            series,
            tuple(points),
            steps=tuple((end, end) for end in ends) if ideal else (),
            steps_name=ideal,
            separate=tuple(separate),
        ),
        figures(("Figure", asked, "At", f"{label} (95 % interval)", "Runs"), "lrrrr", rows),
        (*_without(loads, wanted), *figures_left_out(len(rows))),
    )


def _text(wanted: Sequence[tuple[Series, _Get]], points: Sequence[Point], unit: str) -> str:
    """What each curve does from its first load to its last."""
    parts = []
    for index, (one, _) in enumerate(wanted):
        own = [p for p in points if p.series == index]
        if own:
            parts.append(
                f"{one.name}: from {_four(own[0].y)} {unit} at {_four(own[0].x)} to {_four(own[-1].y)} {unit} at {_four(own[-1].x)}"
            )
    return "; ".join(parts) + "."


def _without(loads: Sequence[LoadConfiguration], wanted: Sequence[tuple[Series, _Get]]) -> Iterator[str]:
    for one, get in wanted:
        absent = [load for load in loads if finite(get(load).mean) is None]
        if absent and len(absent) < len(loads):
            names = ", ".join(f"{load.asked:.6g}" for load in absent)
            yield f"Not drawn, not known (of every run): {one.name} at {names}."


def _four(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"
