"""What the charts draw is what the summary holds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.sweep import SweepSummary
from analysis.rendering.charts import WIDTH, draw, legend
from analysis.rendering.charts.drawing import Axis, Dot, Point, Rows, Scatter, Series
from analysis.rendering.charts.scale import scale
from analysis.rendering.charts.scatter import draw_scatter
from analysis.rendering.charts.svg import shortened, width_of
from analysis.rendering.document import Block, Chart, Document, Paragraph
from analysis.rendering.html import render_document as render_html
from analysis.rendering.layout.charts import (
    charts_sections,
    distribution_charts,
    energy_chart,
    main_effects_charts,
    overview_charts,
    pareto_chart,
    runs_chart,
    stage_chart,
)
from analysis.rendering.layout.figures.common import entries, short_names, thinned
from analysis.rendering.layout.figures.pareto import pareto_front
from analysis.rendering.markdown import render_document as render_markdown
from analysis.rendering.plain import one_line
from analysis.summary import summarise_records
from contracts.call import Outcome
from tests.support.factories import ManifestFactory, RecordFactory
from tests.support.present import present
from tests.support.report_samples import full_summary, many
from tests.support.synthetic import Shape, synthetic

Charts = tuple[Chart, ...]


@pytest.fixture(scope="module")
def summary() -> SweepSummary:
    return full_summary()


@pytest.fixture(scope="module")
def charts(summary: SweepSummary) -> Charts:
    return charts_in(
        (*overview_charts(summary), *main_effects_charts(summary), *charts_sections(summary)[0].blocks)
    )


def charts_in(blocks: Sequence[Block]) -> Charts:
    """Return blocks that are all charts."""
    charts = tuple(block for block in blocks if isinstance(block, Chart))
    assert len(charts) == len(blocks)
    return charts


def rows_of(chart: Chart) -> Rows:
    assert isinstance(chart.drawing, Rows)
    return chart.drawing


def scatter_of(chart: Chart) -> Scatter:
    assert isinstance(chart.drawing, Scatter)
    return chart.drawing


def dots(chart: Chart, series: int | None = None) -> list[Dot]:
    return [
        dot
        for row in rows_of(chart).rows
        for lane in row.lanes
        for dot in lane.dots
        if series is None or dot.series == series
    ]


def test_every_kind_of_chart_is_there(charts: Charts) -> None:
    assert [chart.title for chart in charts] == [
        "Throughput against TTFT",
        "Main effects on throughput",
        "What explains the variance of throughput",
        "Main effects on TTFT",
        "What explains the variance of TTFT",
        "Throughput of each run over time",
        "TTFT of each run over time",
        "Stage breakdown",
        "Distribution of TTFT",
        "Distribution of inter-token latency (ITL)",
        "GPU power and energy per token",
    ]


def test_series_differ_in_shape_and_tone_or_touch_in_a_fixed_order(charts: Charts) -> None:
    """Nothing is told by colour alone: marks differ in shape too, bars stand in order and carry their numbers."""
    for chart in charts:
        for a, b in combinations(chart.drawing.series, 2):
            assert a.tone != b.tone
            assert a.shape != b.shape or a.shape == b.shape == "block"


def test_axes_have_units(charts: Charts) -> None:
    for chart in charts:
        axes = (
            [chart.drawing.x, chart.drawing.y]
            if isinstance(chart.drawing, Scatter)
            else rows_of(chart).panels
        )
        for axis in axes:
            assert re.search(r"\((ms|s|tok/s|J|W|%)\)|since .* UTC", axis.label), axis


def test_every_chart_is_an_image_with_a_name_a_description_and_its_figures(charts: Charts) -> None:
    for chart in charts:
        svg = ElementTree.fromstring(draw(chart.drawing, chart.title, chart.text, "c"))
        assert svg.attrib["role"] == "img"
        ids = {child.attrib["id"]: child.text for child in svg if "id" in child.attrib}
        assert ids[svg.attrib["aria-labelledby"]] == chart.title
        assert ids[svg.attrib["aria-describedby"]] == chart.text
        assert chart.table.rows
        assert chart.text.endswith(".")


def test_marks_lie_within_the_drawing(charts: Charts) -> None:
    for chart in charts:
        svg = ElementTree.fromstring(draw(chart.drawing, chart.title, chart.text, "c"))
        _, _, width, height = map(float, svg.attrib["viewBox"].split())
        assert width == WIDTH
        for circle in svg.iter("circle"):
            assert 0 <= float(circle.attrib["cx"]) <= width
            assert 0 <= float(circle.attrib["cy"]) <= height
        for path in svg.iter("path"):
            for x, y in re.findall(r"M(-?[\d.]+)[ ](-?[\d.]+)", path.attrib["d"]):
                assert -6 <= float(x) <= width + 6, path.attrib["d"]
                assert -6 <= float(y) <= height + 6, path.attrib["d"]


def test_ids_are_used_once_a_page(summary: SweepSummary, charts: Charts) -> None:
    page = render_html(Document("t", (*charts, *charts)))
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'aria-labelledby="([^"]*)"', page)) <= set(ids)


def test_pareto_points_are_the_means_with_their_intervals(summary: SweepSummary) -> None:
    (chart,) = charts_in(pareto_chart(summary))
    drawing = scatter_of(chart)
    assert len(drawing.points) == len(summary.configurations)
    expected = {
        (c.over_runs.ttft_ms.mean, c.over_runs.throughput_tok_s.mean): c.over_runs
        for c in summary.configurations
    }
    for point in drawing.points:
        runs = expected[point.x, point.y]
        interval = runs.throughput_tok_s.mean_interval
        assert point.y_interval == (present(interval).low, present(interval).high)
    front = [p for p in drawing.points if p.series == 0]
    assert all(p.label.startswith("#") for p in front)
    corners = [(p.x, p.y) for p in front]
    assert [a for a in drawing.steps if a in corners] == (corners if len(front) > 1 else [])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_pareto_front_is_what_nothing_dominates(points: list[tuple[int, int]]) -> None:
    def dominated(p: tuple[int, int]) -> bool:
        return any(q[0] <= p[0] and q[1] >= p[1] and q != p for q in points)

    assert pareto_front(points) == {i for i, p in enumerate(points) if not dominated(p)}


def test_degenerate_configurations_are_not_on_the_front(summary: SweepSummary) -> None:
    best = entries(summary)[0].configuration
    changed = tuple(
        c.model_copy(update={"outcomes": {**c.outcomes, Outcome.DEGENERATE.value: 1}}) if c is best else c
        for c in summary.configurations
    )
    (chart,) = charts_in(
        pareto_chart(summary.model_copy(update={"configurations": changed, "ranking_rule": "clean-first"}))
    )
    set_back = [p for p in scatter_of(chart).points if p.series == 2]
    assert len(set_back) == 1 and best.config in set_back[0].text and not set_back[0].label
    (chart,) = charts_in(
        pareto_chart(summary.model_copy(update={"configurations": changed, "ranking_rule": "speed"}))
    )
    assert not [p for p in scatter_of(chart).points if p.series == 2]


def test_runs_are_marked_by_what_is_special_about_them(summary: SweepSummary) -> None:
    chart = charts_in(runs_chart(summary))[0]
    runs = [(c, run) for c in summary.configurations for run in c.over_runs.runs]
    suspect = [r for _, r in runs if r.suspect_calls]
    incomplete = [r for _, r in runs if not r.complete and not r.suspect_calls]
    outlying = {
        (c.config, o.run)
        for c in summary.configurations
        for o in c.outliers
        if o.metric == "throughput_tok_s"
    }
    assert len(dots(chart)) == len(runs)
    assert len(dots(chart, 4)) == len(suspect) == 1
    assert len(dots(chart, 3)) == len(incomplete) == 1
    assert len(dots(chart, 2)) == len(outlying) >= 1
    assert len(dots(chart, 1)) == sum(
        bool(r.cold_calls) and r.complete and (c.config, r.run) not in outlying for c, r in runs
    )
    drawn = str(draw(chart.drawing, chart.title, chart.text, "c"))
    for words in ("suspect", "incomplete", "outlier", "cold call"):
        assert f", {words}</title>" in drawn
    assert len(legend(chart.drawing)) == 5


def test_runs_stand_at_their_time_and_their_deviation(summary: SweepSummary) -> None:
    chart = charts_in(runs_chart(summary))[0]
    assert rows_of(chart).panels[0].label.startswith("Minutes since 2026-11-20 12:00:")
    best = entries(summary)[0].configuration
    starts = [run.started_at for c in summary.configurations for run in c.over_runs.runs]
    lane = rows_of(chart).rows[0].lanes[0]
    for dot, run in zip(lane.dots, best.over_runs.runs, strict=True):
        assert dot.x == pytest.approx(
            (present(run.started_at) - min(present(start) for start in starts)).total_seconds() / 60
        )
        above = present(run.throughput_tok_s) - present(best.over_runs.throughput_tok_s.mean)
        assert math.copysign(1, dot.lift) == math.copysign(1, above)
        assert abs(dot.lift) <= 1


def test_without_times_the_runs_number_is_the_axis(record: RecordFactory) -> None:
    summary = summarise_records([record(run=run) for run in (1, 2, 3)])
    chart = charts_in(runs_chart(summary))[0]
    assert rows_of(chart).panels[0].label == "Run"
    assert [dot.x for dot in dots(chart)] == [1, 2, 3]


def test_many_configurations_are_cut_and_said(summary: SweepSummary) -> None:
    chart = charts_in(runs_chart(many(200, "x")))[0]
    assert len(rows_of(chart).rows) == 16
    assert any(note.startswith("Drawn: 16 of 200 configurations") for note in chart.notes)
    for made in (stage_chart, distribution_charts, energy_chart):
        (chart, *_) = charts_in(made(many(200, "x")))
        assert any(re.match(r"Drawn: \d\d of 200 configurations", note) for note in chart.notes)


def test_bars_of_a_stage_add_up_to_its_duration(summary: SweepSummary) -> None:
    (chart,) = charts_in(stage_chart(summary))
    by_name = {entry.label: entry.configuration for entry in entries(summary)}
    longer = 0
    for row in rows_of(chart).rows:
        bars = row.lanes[0].bars
        calls = [c for c in by_name[row.group].calls if c.stage == row.label and c.valid]
        assert [bar.start for bar in bars] == [0.0, *(bar.end for bar in bars[:-1])]
        mean = sum(present(c.duration_ms) for c in calls) / len(calls) / 1e3
        own = (
            sum(present(c.load_ms) + present(c.prompt_eval_ms) + present(c.eval_ms) for c in calls)
            / len(calls)
            / 1e3
        )
        longer += own > mean
        assert bars[-1].end == pytest.approx(max(mean, own), rel=1e-6)
    assert any(
        note == f"The server's times are longer than the client's in {longer} stages: no rest is drawn."
        for note in chart.notes
    )


def test_times_that_the_server_does_not_report_are_in_the_rest(record: RecordFactory) -> None:
    summary = summarise_records([record(run=run, load_ms=None, prompt_eval_ms=None) for run in (1, 2)])
    (chart,) = charts_in(stage_chart(summary))
    bars = rows_of(chart).rows[0].lanes[0].bars
    assert [bar.series for bar in bars] == [2, 3]
    assert bars[-1].end == 11.0
    assert chart.table.rows[0].cells[3:5] == ("–", "–")


def test_ttft_is_that_of_warm_calls_by_stage(summary: SweepSummary) -> None:
    chart = charts_in(distribution_charts(summary))[0]
    assert rows_of(chart).titles == ("analysis", "report")
    warm = [c for conf in summary.configurations for c in conf.calls if c.valid and c.cold is not True]
    assert sorted(dot.x for dot in dots(chart)) == sorted(present(c.ttft_ms) for c in warm)
    cold = sum(c.valid and c.cold is True for conf in summary.configurations for c in conf.calls)
    assert f"Not drawn: {cold} cold calls, whose TTFT holds the load of the model." in chart.notes


def test_energy_only_where_a_gpu_was_sampled(summary: SweepSummary) -> None:
    (chart,) = charts_in(energy_chart(summary))
    best = entries(summary)[0].configuration
    first = rows_of(chart).rows[0].lanes[0].dots[0]
    assert first.x == best.over_runs.joules_per_token.mean
    assert {dot.series for dot in dots(chart)} == {0, 1, 2}
    assert energy_chart(synthetic(runs=2).summary()) == ()


def test_main_effects_are_those_of_the_summary(summary: SweepSummary) -> None:
    charts = charts_in(main_effects_charts(summary))
    effects = summary.main_effects[0]
    assert [dot.x for dot in dots(charts[0])] == [
        level.mean for axis in effects.axes for level in axis.levels
    ]
    assert [dot.series for dot in dots(charts[0])] == [0, 0, 0, 0, 1, 1]
    shares = [bar.end for row in rows_of(charts[1]).rows for bar in row.lanes[0].bars]
    assert sum(shares) == pytest.approx(100)
    assert main_effects_charts(summary.model_copy(update={"main_effects": ()})) == ()


def test_nothing_is_drawn_of_nothing(record: RecordFactory, manifest: ManifestFactory) -> None:
    nothing = summarise_records([record(run=1, outcome="timeout")])
    assert pareto_chart(nothing) == ()
    assert stage_chart(nothing) == (Paragraph("No chart of the stages: no valid call has a duration."),)
    two = summarise_records([record(config=name, outcome="timeout", ttft_ms=None) for name in "ab"])
    (reason,) = pareto_chart(two)
    assert isinstance(reason, Paragraph) and reason.text.startswith("No chart of throughput against TTFT: ")
    assert charts_sections(summarise_records([], manifest()))[:1] == ()


def test_figures_that_are_not_finite_are_not_drawn(summary: SweepSummary) -> None:
    first = summary.configurations[0]
    broken = replace(first.over_runs.throughput_tok_s, mean=float("inf"))
    runs = tuple(replace(run, throughput_tok_s=float("nan")) for run in first.over_runs.runs)
    changed = first.model_copy(
        update={"over_runs": first.over_runs.model_copy(update={"throughput_tok_s": broken, "runs": runs})}
    )
    odd = summary.model_copy(update={"configurations": (changed, *summary.configurations[1:])})
    (chart,) = charts_in(pareto_chart(odd))
    assert len(scatter_of(chart).points) == len(summary.configurations) - 1
    assert "Not drawn, without both figures over complete runs: 1 configuration." in chart.notes
    for block in (chart, *charts_in(runs_chart(odd))):
        drawn = str(draw(block.drawing, block.title, block.text, "c"))
        assert "nan" not in drawn and "inf" not in drawn.replace("information", "")


def test_markdown_says_it_in_words(charts: Charts) -> None:
    text = render_markdown(Document("t", charts))
    for chart in charts:
        assert f"**{chart.title}.**" in text.replace("\\", "")
    assert "<svg" not in text
    assert "| Rank | Configuration | Runs |" in text


def test_short_names_need_one_pattern(summary: SweepSummary) -> None:
    assert short_names(summary) == "num_gpu · num_ctx · temperature"
    assert entries(summary)[0].short == "80 · 1024 · 0.8"
    other = summary.configurations[0].model_copy(update={"config": "baseline"})
    mixed = summary.model_copy(update={"configurations": (other, *summary.configurations[1:]), "ranking": ()})
    assert short_names(mixed) == ""
    assert entries(mixed)[0].short == "baseline"


finite = st.floats(-1e12, 1e12)


@given(st.lists(finite, max_size=20), st.booleans())
def test_scales_hold_their_values_and_round_ticks(values: list[float], zero: bool) -> None:
    made = scale(values, 10, 500, zero=zero)
    pixels = [made(v) for v in values]
    assert all(10 - 1e-6 <= p <= 500 + 1e-6 for p in pixels)
    ticks = made.ticks(6)
    assert len(ticks) <= 13
    assert all(10 - 1e-3 <= made(v) <= 500 + 1e-3 for v, _ in ticks)
    spread = made.high - made.low
    if spread > 1e-3 * max(abs(made.low), abs(made.high)):
        assert len({words for _, words in ticks}) == len(ticks) >= 2
        for value, words in ticks:
            assert float(words.replace(",", "")) == pytest.approx(value, rel=1e-3, abs=spread / 100)


@given(st.text(max_size=60), st.floats(20, 300))
def test_shortened_labels_fit_and_keep_both_ends(words: str, width: float) -> None:
    cut = shortened(words, width)
    assert width_of(cut) <= width + 14.5
    if "…" in cut and "…" not in words:
        head, end = cut.split("…")
        line = one_line(words)
        assert line.startswith(head) and line.endswith(end)
        assert len(head) >= len(end)


@given(st.lists(st.booleans(), max_size=300), st.integers(1, 50))
def test_thinning_keeps_what_it_must(flags: list[bool], most: int) -> None:
    items = list(enumerate(flags))
    kept = thinned(items, most, lambda item: item[1])
    assert len(kept) <= most
    assert list(kept) == sorted(kept)
    marked = [item for item in items if item[1]]
    assert set(marked[:most]) <= set(kept)


def test_a_sweep_of_many_runs_is_thinned() -> None:
    made = synthetic({"temperature": (0.2,)}, runs=120, shape=Shape(cold_first=False)).summary()
    chart = charts_in(distribution_charts(made))[0]
    assert max(len(lane.dots) for row in rows_of(chart).rows for lane in row.lanes) <= 100
    assert chart.table.rows[0].cells[2] == "120"
    assert any("an even part is drawn" in note for note in chart.notes)


def test_no_axis_goes_below_zero_where_no_point_does_and_the_first_series_lies_on_top() -> None:
    series = (Series("front", "circle", "main"), Series("other", "ring", "quiet"))
    points = (Point(1.0, 1.0, 0, "a", (-3.0, 5.0), (-9.0, 11.0)), Point(9.0, 20.0, 1, "b"))
    _, svg = draw_scatter(Scatter(Axis("x"), Axis("y"), series, points))
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert "0" in texts and not [t for t in texts if t.startswith(("-", "−"))]
    assert svg.rindex("t-quiet") < svg.rindex("t-main")
    assert min(float(y) for _, y in re.findall(r"M(-?[\d.]+) (-?[\d.]+)V", svg)) >= 0
