"""Rows, table, targets and plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.fidelity.checks import checks
from benchmarks.fidelity.errors import Errors, Spread
from benchmarks.fidelity.options import read_options, repeats_of
from benchmarks.fidelity.plan import plan
from benchmarks.fidelity.process import Usage
from benchmarks.fidelity.run import Run
from benchmarks.fidelity.summary import Row, row
from benchmarks.fidelity.table import table
from benchmarks.fidelity.workload import Workload

PEERS = ["inference-perf", "guidellm", "aiperf"]


def run(errors: list[float], cpu_s: float, peak_mb: float, late_ms: float = 0.1) -> Run:
    usage = Usage(0, wall_s=14.0, cpu_s=cpu_s, peak_mb=peak_mb, code=0, timed_out=False, output="")
    work = Workload(concurrency=32, requests=len(errors))
    return Run(
        "chimera", work, usage=usage, errors=Errors(ttft_ms=errors), matched=len(errors), late_p99_ms=late_ms
    )


def made(name: str, median: float, p99: float, **more: float) -> Row:
    figures: dict[str, Any] = {"cpu_s": 1.0, "peak_mb": 20.0, **more}
    return Row(
        contestant=name,
        concurrency=32,
        runs=3,
        problem=None,
        requests=1920,
        matched=1920,
        ttft_error_ms=Spread(median, p99, p99 + 1),
        itl_error_percent=Spread(0.01, figures.pop("itl_p99", 0.5), 2.0),
        **figures,
    )


def test_a_row_pools_errors_and_leaves_failed_runs_out() -> None:
    failed = Run("chimera", Workload(32, 640), problem="exit code 1: no")
    found = row([run([1.0, 2.0], 4.0, 50), failed, run([3.0], 2.0, 70, late_ms=9.0)])
    assert found.runs == 2
    assert found.ttft_error_ms == Spread(2.0, 3.0, 3.0)
    assert (found.cpu_s, found.peak_mb, found.requests, found.matched) == (3.0, 70, 3, 3)
    assert found.server_was_late
    assert found.itl_error_percent is None


def test_a_client_without_a_good_run_is_a_row_with_its_reason() -> None:
    found = row([Run("aiperf", Workload(32, 640), problem="killed after 90 s")])
    assert found.problem == "killed after 90 s"
    assert found.ttft_error_ms is None
    assert "| aiperf | killed after 90 s |" in table([found], "minimal")


def test_the_table_has_as_many_cells_in_each_row_and_ratios_to_the_reference() -> None:
    late = made("chimera", 1.2, 4.0, server_late_ms=7.5)
    text = table([made("minimal", 0.5, 2.0), late, Row("aiperf", 32, 0, "not installed")], "minimal")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") - line.count("\\|") for line in rows}) == 1
    assert "| chimera | +1.20 | 4.00 | 5.00 | 2.4 |" in text
    assert r"7.5 \*" in text
    assert "None" not in text


def targets(*rows: Row) -> list[bool | None]:
    return [check.reached for check in checks(rows, PEERS)]


def test_targets_reached_and_missed() -> None:
    others = [made("minimal", 0.5, 3.0), made("guidellm", 12.0, 48.0), made("aiperf", 18.0, 75.0)]
    good = made("chimera", 0.9, 5.0, cpu_s=4.0, peak_mb=60.0)
    assert targets(good, made("inference-perf", 1.8, 16.0), *others) == [True] * 7
    poor = made("chimera", 1.9, 17.0, cpu_s=5.1, peak_mb=151.0, itl_p99=1.2)
    assert targets(poor, made("inference-perf", 1.8, 16.0), *others) == [True] + [False] * 6


def test_a_target_is_not_called_reached_without_what_it_needs() -> None:
    ours = made("chimera", 0.9, 5.0)
    assert targets(ours, made("guidellm", 12.0, 48.0)) == [True, None, None, None, True, True, True]
    assert targets(ours, made("guidellm", 12.0, 4.0))[3] is False
    assert targets(made("guidellm", 12.0, 4.0)) == [None]


def test_a_request_that_got_lost_is_a_target_missed() -> None:
    assert targets(replace(made("chimera", 0.9, 5.0), matched=1919))[0] is False


def test_cpu_and_memory_of_other_work_are_no_target() -> None:
    assert targets(replace(made("chimera", 0.9, 5.0), requests=90, matched=90))[-2:] == [None, None]


def test_repeats_for_all_and_for_one_concurrency() -> None:
    assert repeats_of("1,32=3", (1, 32)) == {1: 1, 32: 3}
    assert repeats_of("2", (8,)) == {8: 2}


def test_the_plan_runs_everybody_once_a_round_in_orders_that_the_seed_decides() -> None:
    options = read_options(["--concurrency", "1,32", "--repeats", "1,32=3", "--seed", "5"])
    rounds = plan(options, options.contestants)
    assert [(r.workload.concurrency, r.number, r.of) for r in rounds] == [
        (1, 1, 1),
        (32, 1, 3),
        (32, 2, 3),
        (32, 3, 3),
    ]
    names = sorted(c.name for c in options.contestants)
    assert all(sorted(c.name for c in r.order) == names for r in rounds)
    assert plan(options, options.contestants) == rounds
    assert len({tuple(c.name for c in r.order) for r in rounds}) > 1
    assert rounds[1].workload.requests == 640


def test_quick_takes_no_peers_and_telemetry_is_an_extra() -> None:
    quick = read_options(["--quick", "--telemetry"])
    assert [c.name for c in quick.contestants] == ["chimera", "minimal", "httpx-plain", "chimera+telemetry"]
    assert quick.repeats == {1: 1, 8: 1}
    assert "chimera+telemetry" not in [c.name for c in read_options([]).contestants]
