"""The section on loads, and the section of a configuration that is one: in Markdown and HTML, without a zero for what is not known."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models import SweepSummary
from analysis.rendering.charts.curves import Curves, draw_curves
from analysis.rendering.charts.drawing import Axis, Point, Series
from analysis.rendering.charts.log_scale import log_scale, spans_decades
from analysis.rendering.document import Chart, Document, Section, Table
from analysis.rendering.html import render_document as html
from analysis.rendering.layout import report
from analysis.rendering.layout.configuration import configuration_blocks
from analysis.rendering.layout.load import load_sections, number_text
from analysis.rendering.markdown import render_document as markdown
from analysis.statistics.description import Description, describe
from analysis.summary import summarise_records
from tests.support.synthetic_loads import configuration, grid, load_manifest, load_records

SLO = {"slo": {"ttft_ms": 100}}


def loads(levels: list[float], over: str = "rate", **options: Any) -> SweepSummary:
    records, manifest = grid(levels, over=over, **{"requests": 400, "noise": 0.01, **options})
    return summarise_records(records, manifest)


@pytest.fixture(scope="module")
def opened() -> SweepSummary:
    return loads([5, 10, 60], requests=700, max_in_flight=16, workload={**SLO, "max_in_flight": 16})


@pytest.fixture(scope="module")
def closed() -> SweepSummary:
    return loads([1, 4, 8], "concurrency")


def section(summary: SweepSummary) -> Section:
    (found,) = load_sections(summary)
    return found


def tables(section_: Section) -> dict[str, Table]:
    return {
        one.title: block
        for one in section_.blocks
        if isinstance(one, Section)
        for block in one.blocks
        if isinstance(block, Table)
    }


def text(summary: SweepSummary) -> str:
    return markdown(Document("Loads", load_sections(summary)))


def column(table: Table, title: str) -> list[str]:
    return [row.cells[table.header.index(title)] for row in table.rows]


def test_the_answer_comes_first(opened: SweepSummary) -> None:
    written = text(opened)
    assert written.index(
        "The server keeps up within the SLO with 10 requests/s in every run"
    ) < written.index("|")
    assert "SLO: TTFT ≤ 100 ms." in written and "at least 90 % of them" in written


def test_open_loads_asked_and_achieved(opened: SweepSummary) -> None:
    table = tables(section(opened))["Asked and Achieved"]
    assert column(table, "Asked (requests/s)") == ["5", "10", "60"]
    assert column(table, "Keeps up in") == ["3 of 3 runs", "3 of 3 runs", "0 of 3 runs"]
    assert column(table, "Goodput (requests/s)")[2] == "0"
    assert all(" ± " in cell for cell in column(table, "Output (tok/s)"))
    assert [row.anchor for row in table.rows] == ["configuration-1", "configuration-2", "configuration-3"]


def test_coordinated_omission_is_shown(opened: SweepSummary) -> None:
    table = tables(section(opened))["Latency under Load"]
    due, sent = column(table, "TTFT p99, from schedule (ms)"), column(table, "TTFT p99, from sending (ms)")
    assert due[0] == sent[0]
    assert float(due[2].split()[0]) > 5 * float(sent[2].split()[0])
    assert "Coordinated omission: at 60 requests/s the mean TTFT is " in text(opened)
    assert "Coordinated omission: none to speak of." in text(loads([5, 10]))


def test_closed_loads_have_no_schedule(closed: SweepSummary) -> None:
    written = text(closed)
    assert "schedule" not in written and "Coordinated omission" not in written
    assert "are not shown to grow by more than 5 % beyond 4 requests at a time" in written
    table = tables(section(closed))["Asked and Achieved"]
    assert "Backlog grew by" not in table.header and "Goodput (requests/s)" not in table.header


def test_tokens_asked_and_counted(opened: SweepSummary) -> None:
    table = tables(section(opened))["What Was Sent and Answered"]
    assert column(table, "Prompt asked (tokens)") == ["100"] * 3
    assert column(table, "Prompt, median (tokens)") == ["104"] * 3
    assert column(table, "Output counted by") == ["server"] * 3


def test_one_run_has_no_intervals() -> None:
    table = tables(section(loads([5, 10], runs=1)))["Asked and Achieved"]
    assert not any("±" in cell for row in table.rows for cell in row.cells)


def test_charts_of_an_open_load(opened: SweepSummary) -> None:
    charts = [block for block in section(opened).blocks if isinstance(block, Chart)]
    assert [chart.title for chart in charts] == [
        "Time to first token against the load",
        "Output against the load",
        "Requests served against the load",
    ]
    latency, _, served = charts
    assert isinstance(latency.drawing, Curves) and isinstance(served.drawing, Curves)
    assert len(latency.drawing.points) == 9
    assert latency.drawing.x.label == "Achieved rate (requests/s)"
    assert served.drawing.steps and served.drawing.steps_name == "achieved = asked"
    assert all(point.y_interval for point in latency.drawing.points)


def test_a_search_shows_its_steps() -> None:
    records = [
        record
        for run in (1, 2)
        for number, rate in enumerate((5.0, 10.0, 40.0), 1)
        for record in load_records("s", run, rate=rate, step=number, parameters={})
    ]
    summary = summarise_records(
        records, load_manifest([configuration("s")], 2, {"search": {"start": 5, "max": 64}})
    )
    chart = next(b for b in section(summary).blocks if isinstance(b, Chart) and "Steps" in b.title)
    assert [(p.x, p.y, p.series) for p in chart.drawing.points[:3]] == [(1, 5, 0), (2, 10, 0), (3, 40, 1)]  # type: ignore[union-attr]
    written = markdown(report(summary))
    assert "Of a search these are the figures at the highest load that the run kept up with." in written


def test_the_section_of_a_load_has_its_runs_and_no_table_of_requests(opened: SweepSummary) -> None:
    titles = [
        b.title for b in configuration_blocks(opened.configurations[0], opened) if isinstance(b, Section)
    ]
    assert titles[:2] == ["Configuration", "Aggregate Metrics"]
    assert "Load of Each Run" in titles and "Statistics over Runs" in titles
    assert "LLM Call Metrics" not in titles and "Workflow Summary" not in titles
    written = markdown(Document("c", configuration_blocks(opened.configurations[0], opened)))
    assert "Output of all requests (tok/s)" in written and "Σ tokens / Σ eval time" not in written
    assert "each run: output tokens of all its requests / time at full load" in written


def failed(fields: dict[str, Any]) -> dict[str, Any]:
    nothing = {"ttft_ms": None, "tokens": None, "tokens_source": None, "itl_mean_ms": None}
    none_of_it = {**nothing, "throughput_tok_s": None, "throughput_source": None, "outcome": "connection"}
    return fields | (none_of_it if fields["stage"] == "request" else {})


@pytest.mark.parametrize(
    "summary",
    [
        pytest.param(lambda: loads([5, 10], requests=1), id="one request"),
        pytest.param(lambda: loads([4, 8], "concurrency", requests=4), id="no window"),
        pytest.param(lambda: loads([5, 10], change=failed), id="all failed"),
        pytest.param(
            lambda: loads([5, 10], change=lambda f: f if f["stage"] == "load" else None), id="no request"
        ),
        pytest.param(
            lambda: summarise_records([], load_manifest([configuration("rate=5", rate=5.0)])), id="nothing"
        ),
    ],
)
def test_what_is_not_known_is_no_number(summary: Callable[..., Any]) -> None:
    made = summary()
    assert html(report(made)).startswith("<!DOCTYPE html>")
    own = [*load_sections(made), *configuration_blocks(made.configurations[0], made)]
    assert re.search(r"\b(nan|inf|None)\b", markdown(Document("Own", tuple(own)))) is None
    for found in load_sections(made):
        for name, table in tables(found).items():
            for title in table.header:  # an output of 0 tok/s is true where all failed
                if any(word in title for word in ("TTFT", "ITL", "Latency", "tokens")):
                    assert "0" not in column(table, title), (name, title)


def test_without_a_load_there_is_no_section() -> None:
    assert load_sections(summarise_records([])) == ()


def test_both_formats_hold_the_section(opened: SweepSummary, closed: SweepSummary) -> None:
    for summary in (opened, closed):
        page, written = html(report(summary)), markdown(report(summary))
        assert 'id="load"' in page and "\n## Load\n" in written
        assert "Time to first token against the load" in page


def test_numbers_have_the_digits_of_their_interval() -> None:
    assert number_text(Description.none()) == "–"
    assert number_text(describe([12.3456])) == "12.35"
    assert number_text(describe([12345.6])) == "12,346"
    assert number_text(describe([0.9, 1.0, 1.1])) == "1.00 ± 0.25"
    assert number_text(describe([0.9, 1.0, 1.1]), 100) == "100 ± 25"
    assert number_text(describe([2.0, 2.0 + 1e-12, 2.0])) == "2"  # rounding is no spread


@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=20), st.integers(2, 12))
def test_a_logarithmic_axis_holds_its_values(values: list[float], wanted: int) -> None:
    made = log_scale(values, 0, 500)
    places = [made(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(-1e-6 <= place <= 500 + 1e-6 for place in places)
    ticks = made.ticks(wanted)
    assert all(-1e-6 <= made(value) <= 500 + 1e-6 for value, _ in ticks)
    assert len(ticks) <= 1.5 * wanted + 1
    assert len({words for _, words in ticks}) == len(ticks)
    assert spans_decades(values) == (max(values) >= 10 * min(values))


def test_zero_has_no_logarithm() -> None:
    assert not spans_decades([0.0, 100.0])
    assert not spans_decades([])


def test_curves_join_their_points_and_escape_their_words() -> None:
    points = tuple(Point(x, 10.0 * x, 0, f"<{x}>", y_interval=(9.0 * x, 11.0 * x)) for x in (1, 10, 100))
    drawing = Curves(
        Axis("x"),
        Axis("y"),
        (Series("s", "circle", "main"),),
        points,
        steps=((1, 1), (100, 100)),
        separate=(0,),
    )
    _, svg = draw_curves(drawing)
    assert svg.count("x, logarithmic") == svg.count("y, logarithmic") == 1
    (line,) = re.findall(r'class="iv faint" d="(M[^"]*)"', svg)
    assert line.count("L") == 2
    assert "<1>" not in svg and "&lt;1&gt;" in svg
    alone, _ = draw_curves(Curves(Axis("x"), Axis("y"), (), ()))
    assert alone > 0
