"""What a hostile reading of loads found: claims of other runs than those beside them, of what was not tested, and impossible loads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.findings import load as rules
from analysis.load.bounds import ANY, NOT_NEGATIVE, PART, within
from analysis.load.knee import knee_of
from analysis.load.words import knee_words, saturation_words
from analysis.models import SweepSummary
from analysis.models.load import Saturation
from analysis.rendering.document import Chart, Document, Section, Table
from analysis.rendering.layout.agent import agent_report
from analysis.rendering.layout.load import load_sections, number_text
from analysis.rendering.layout.load_runs import load_runs_sections
from analysis.rendering.markdown import render_document as markdown
from analysis.stages_io import read_stages, write_stages
from analysis.statistics.description import describe
from analysis.statistics.interval import Interval
from analysis.summary import summarise_records
from contracts.failures import InputError
from contracts.records import StageRecord
from tests.support.synthetic_loads import Server, configuration, grid, load_manifest, load_records


def of_levels(levels: list[float], over: str = "concurrency", **options: Any) -> SweepSummary:
    records, manifest = grid(levels, over=over, **{"requests": 200, "noise": 0.01, **options})
    return summarise_records(records, manifest)


def closed(requests: dict[int, int], **options: Any) -> SweepSummary:
    """Four users, and of each run so many requests."""
    records = [
        one
        for run, many in requests.items()
        for one in load_records("c", run, concurrency=4, requests=many, noise=0.01, **options)
    ]
    return summarise_records(records, load_manifest([configuration("c", concurrency=4)], len(requests)))


def table(summary: SweepSummary, title: str) -> Table:
    (load,) = load_sections(summary)
    (found,) = (one for one in load.blocks if isinstance(one, Section) and one.title == title)
    return next(block for block in found.blocks if isinstance(block, Table))


def written(summary: SweepSummary) -> str:
    return markdown(Document("Loads", load_sections(summary)))


def failing(fields: dict[str, Any]) -> dict[str, Any]:
    if fields["stage"] == "request" and fields["request"] % 5 == 0:
        return fields | {"outcome": "server_error"}
    return fields


# Keeping up (7)


def test_a_closed_loop_without_an_slo_breaks_none_though_requests_fail() -> None:
    summary = of_levels([4], change=failing)
    assert [(load.kept_up, load.can_tell) for load in summary.loads] == [(0, 0)]
    assert list(rules.beyond_capacity(summary)) == []
    assert [finding.rule for finding in rules.failed(summary)] == ["requests-failed-under-load"]
    assert "Keeps up in" not in table(summary, "Asked and Achieved").header
    assert "SLO" not in written(summary)


def test_an_open_loop_and_a_closed_one_with_an_slo_are_still_asked() -> None:
    assert of_levels([5], "rate", change=failing).loads[0].can_tell == 3
    assert of_levels([4], change=failing, workload={"slo": {"ttft_ms": 100}}).loads[0].can_tell == 3


# Quantiles of the same runs (2)


def test_a_p99_of_some_runs_is_not_printed_beside_a_p50_of_all() -> None:
    summary = closed({1: 400, 2: 400, 3: 120})
    (load,) = summary.loads
    assert (load.ttft_ms.p50.n, load.ttft_ms.p99.n) == (3, 2)
    latencies = table(summary, "Latency under Load")
    assert "TTFT p50 (ms)" in latencies.header and "TTFT p99 (ms)" not in latencies.header
    (finding,) = rules.few_requests(summary)
    assert finding.rule == "too-few-requests-for-p99"
    assert finding.evidence == (f"c: {load.counted} counted in 3 runs, of which 2 have one",)
    assert list(rules.few_requests(closed({1: 400, 2: 400, 3: 400}))) == []


def test_a_chart_leaves_out_a_p99_of_some_runs() -> None:
    records, manifest = grid([2, 4], requests=400, noise=0.01)
    short = load_records("concurrency=4", 3, concurrency=4, requests=120, noise=0.01)
    records = [one for one in records if (one.config, one.run) != ("concurrency=4", 3)]
    (load,) = load_sections(summarise_records([*records, *short], manifest))
    chart = next(block for block in load.blocks if isinstance(block, Chart) and "first token" in block.title)
    assert any("Not drawn" in note and "p99" in note and "at 4" in note for note in chart.notes)


def test_runs_without_a_window_are_not_among_those_of_the_figures() -> None:
    summary = closed({1: 40, 2: 40, 3: 4, 4: 4})
    achieved = table(summary, "Asked and Achieved")
    assert achieved.rows[0].cells[achieved.header.index("Runs")] == "2 of 4"
    assert "the others had too few requests" in written(summary)
    blind = next(f for f in rules.few_requests(summary) if f.rule == "load-without-a-window")
    assert blind.text.endswith("no figure, in some runs")
    assert blind.evidence[0].endswith("in 4 runs, of which 2 have figures")


def test_a_rate_of_fewer_runs_says_so() -> None:
    records, manifest = grid([4], requests=100, noise=0.01)
    untold = [
        one.model_copy(update={"tokens": None, "tokens_source": None})
        if (one.run, one.stage) == (2, "request")
        else one
        for one in records
    ]
    achieved = table(summarise_records(untold, manifest), "Asked and Achieved")
    assert achieved.rows[0].cells[achieved.header.index("Output (tok/s)")].endswith(" (2 of 3 runs)")
    assert "of 3" not in achieved.rows[0].cells[achieved.header.index("Requests served/s")]


# The knee (3)


def with_output(outputs: dict[float, list[float]]) -> SweepSummary:
    """Loads whose runs have these outputs, tok/s, as the summary would hold them."""
    summary = of_levels(list(outputs), requests=40, runs=len(next(iter(outputs.values()))))
    changed = []
    for c in summary.configurations:
        own = outputs[float((c.parameters or {})["concurrency"])]
        runs = tuple(
            replace(run, throughput_tok_s=value) for run, value in zip(c.over_runs.runs, own, strict=True)
        )
        changed.append(c.model_copy(update={"over_runs": c.over_runs.model_copy(update={"runs": runs})}))
    return summary.model_copy(update={"configurations": tuple(changed)})


def knee(outputs: dict[float, list[float]]) -> Any:
    made = with_output(outputs)
    return knee_of([(float((c.parameters or {})["concurrency"]), c) for c in made.configurations], None)


def test_an_estimate_above_5_percent_is_no_growth_shown_to_be_above_5() -> None:
    """6 % with a standard error of a per cent: more than nothing is shown, more than 5 % is not."""
    found = knee({1: [99, 100, 101, 98.5, 101.5], 2: [103, 109, 104, 110, 104]})
    assert found.comparisons[0].verdict == "better" and found.comparisons[0].percent > 5
    assert found.at == 1 and not found.highest
    assert found.beyond_p[0] > 0.05


def test_a_growth_that_is_clearly_above_5_percent_moves_the_knee() -> None:
    found = knee({1: [99, 100, 101, 98.5, 101.5], 2: [119, 121, 120, 118, 122]})
    assert found.at == 2 and found.highest
    assert found.beyond_p[0] < 0.05


def test_the_growth_that_would_have_been_shown_is_above_5_percent() -> None:
    summary = of_levels([1, 4, 8], noise=0.0005)
    (saturation,) = summary.saturations
    found = saturation.knee
    assert found is not None and found.at == 4
    assert found.detectable_percent is not None and 5 < found.detectable_percent < 7
    assert f"a true growth of {found.detectable_percent:.2g} %" in (knee_words(saturation) or "")


# Runs that can't tell (8)


def some_can_tell(rates: list[float], tell: int = 1, runs: int = 3) -> SweepSummary:
    records, points = [], [configuration(f"rate={rate:g}", rate=rate) for rate in rates]
    for point, rate in zip(points, rates, strict=True):
        for run in range(1, runs + 1):
            records += load_records(point.name, run, rate=rate, requests=200 if run <= tell else 1)
    return summarise_records(records, load_manifest(points, runs))


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        (
            [5.0, 10.0],
            "with at least 10 requests/s, the highest load asked for, in every run that tells (1 of 3).",
        ),
        ([5.0, 60.0], "with 5 requests/s in every run that tells (1 of 3), and with 60 requests/s not in"),
    ],
    ids=["no upper end", "both ends"],
)
def test_a_grid_does_not_speak_for_runs_that_can_not_tell(rates: list[float], said: str) -> None:
    summary = some_can_tell(rates)
    (saturation,) = summary.saturations
    assert (saturation.low_runs, saturation.complete) == (1, 3)
    assert said in (saturation_words(saturation) or "")
    achieved = table(summary, "Asked and Achieved")
    assert achieved.rows[0].cells[achieved.header.index("Keeps up in")] == "1 of 1 run (2 can't tell)"


@pytest.mark.parametrize(
    ("telling", "said"),
    [
        (3, "in the searches of the 3 of 5 runs that tell: "),
        (1, "in the only search that tells (of 5 runs): "),
    ],
    ids=["three", "one"],
)
def test_searches_do_not_speak_for_those_that_can_not_tell(telling: int, said: str) -> None:
    records: list[StageRecord] = []
    for run in range(1, 6):
        for step, rate in enumerate((5.0, 10.0, 40.0), 1):
            many = 200 if run <= telling else 1
            records += load_records("s", run, rate=rate, step=step, requests=many, parameters={})
    manifest = load_manifest([configuration("s")], 5, {"search": {"start": 5, "max": 64}})
    (saturation,) = summarise_records(records, manifest).saturations
    assert (saturation.runs, saturation.complete) == (telling, 5)
    assert said in (saturation_words(saturation) or "")


# One agent's report of a load (9)


def test_the_report_of_one_agent_has_the_loads_figures_and_no_list_of_requests() -> None:
    summary = of_levels([4, 8], requests=60)
    c = summary.configurations[0]
    report = agent_report(c, summary)
    text = markdown(report)
    assert "Execution time: " in text and "(load " in text and "| request" not in text
    (metrics,) = (one for one in report.blocks if isinstance(one, Section) and one.title == "Metrics")
    assert metrics.blocks == load_runs_sections(c)
    assert "Load of Each Run" in text and "Output of all requests (tok/s)" in text
    assert "calls valid: means of rate and TTFT" not in text and "Files analyzed" not in text


# Impossible loads (10)


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
@pytest.mark.parametrize(
    ("name", "value"), [("asked_concurrency", 0), ("asked_rate", 0.0)], ids=["concurrency", "rate"]
)
def test_an_impossible_load_is_refused_on_reading(
    tmp_path: Path, suffix: str, name: str, value: float
) -> None:
    path = tmp_path / f"stages.{suffix}"
    fields = {"config": "c", "agent": "a", "run": 1, "stage": "request", "outcome": "ok", name: value}
    if suffix == "jsonl":
        path.write_text(json.dumps(fields) + "\n")
    else:
        path.write_text(",".join(fields) + "\n" + ",".join(map(str, fields.values())) + "\n")
    with pytest.raises(InputError, match=rf"{name}.*is no load"):
        read_stages(path)


def test_the_smallest_possible_loads_are_read(tmp_path: Path) -> None:
    records = [*load_records(concurrency=1, requests=3), *load_records("r", rate=0.001, requests=2)]
    write_stages(tmp_path / "stages.jsonl", records)
    assert len(read_stages(tmp_path / "stages.jsonl")) == len(records)


@pytest.mark.parametrize(
    "parameters",
    [{"concurrency": 2.5}, {"concurrency": 0}, {"concurrency": -1}, {"rate": 0}, {"rate": -3.0}],
    ids=["half a user", "no user", "less than none", "no rate", "less than no rate"],
)
def test_parameters_that_can_be_no_load_tell_none(parameters: dict[str, float] | dict[str, int]) -> None:
    records = [
        one.model_copy(update={"asked_rate": None, "parameters": parameters})
        for one in load_records(rate=10.0)
    ]
    summary = summarise_records(records)
    (step,) = summary.configurations[0].over_runs.runs[0].steps
    assert (step.over, step.asked, step.window_s) == (None, None, None)
    assert load_sections(summary) == ()


# Intervals (13)


def test_an_interval_ends_where_the_figure_does() -> None:
    wide = describe([0.0, 0.2, 0.4])
    assert number_text(wide, 100) == "20 ± 50"
    assert number_text(wide, 100, PART) == "20 (0 to 70)"
    assert number_text(describe([0.6, 0.8, 1.0]), 100, PART) == "80 (30 to 100)"
    assert number_text(wide, 1, NOT_NEGATIVE) == "0.20 (0.00 to 0.70)"
    assert number_text(describe([-1.0, 0.0, 1.0]), 1, ANY) == "0.0 ± 2.5"


def test_within_changes_nothing_that_can_be() -> None:
    inside = Interval(low=0.2, high=0.4, method="t")
    assert within(inside, PART) is inside and within(None) is None
    assert within(Interval(low=-1.0, high=2.0, method="t"), PART) == Interval(low=0.0, high=1.0, method="t")


def test_charts_and_tables_hold_no_negative_rate() -> None:
    """Goodput of 0, 0 and some: the mean's interval would go below 0."""
    records, manifest = grid([4, 8], requests=100, workload={"slo": {"ttft_ms": 100}})
    swift = load_records("concurrency=8", 3, concurrency=8, requests=100, server=Server(places=8))
    records = [one for one in records if (one.config, one.run) != ("concurrency=8", 3)] + swift
    summary = summarise_records(records, manifest)
    interval = summary.loads[1].goodput.mean_interval
    assert interval is not None and interval.low < 0
    (load,) = load_sections(summary)
    achieved = table(summary, "Asked and Achieved")
    assert "(0 to " in achieved.rows[1].cells[achieved.header.index("Goodput (requests/s)")]
    assert achieved.rows[1].cells[achieved.header.index("Good (%)")].endswith("(0 to 100)")
    for chart in (block for block in load.blocks if isinstance(block, Chart)):
        assert all(p.y_interval is None or p.y_interval[0] >= 0 for p in chart.drawing.points)  # type: ignore[union-attr]
        assert not any("−" in cell for row in chart.table.rows for cell in row.cells)


def test_no_search_ends_below_0() -> None:
    middles = describe([1.0, 2.0, 9.0])
    s = Saturation(config="s", method="search", runs=3, complete=3, low=0.5, high=10.0, mid=middles)
    assert middles.mean_interval is not None and middles.mean_interval.low < 0
    assert "(95 % interval 0.0 to " in (saturation_words(s) or "")


# Who counted (15)


def test_a_count_of_which_nothing_tells_who_made_it_was_not_made_by_nobody() -> None:
    records = [one.model_copy(update={"tokens_source": None}) for one in load_records(rate=10.0)]
    summary = summarise_records(records)
    assert set(summary.loads[0].tokens_sources) == {"not recorded"}
    answered = table(summary, "What Was Sent and Answered")
    assert answered.rows[0].cells[answered.header.index("Output counted by")] == "not recorded"
