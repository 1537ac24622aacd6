"""One load of one run: known answers of a server that is simulated exactly, and what is not known stays unknown."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.judgement import in_order, judge
from analysis.load.quantiles import fewest, spread
from analysis.load.runs import load_run_figures
from analysis.models import ConfigurationSummary, RunFigures
from analysis.models.load import LoadStep, Spread
from analysis.rows import row_of
from analysis.statistics.quantiles import quantile
from analysis.summary import check_run, summarise_configuration
from analysis.table import Columns
from contracts.records import StageRecord
from contracts.telemetry import GpuTelemetry, StageTelemetry
from contracts.workloads import PromptsWorkload
from tests.support.synthetic_loads import WORKLOAD, Server, configuration, load_records

SERVER = Server()
SLO = {"slo": {"ttft_ms": 100}}


def workload(**fields: Any) -> PromptsWorkload:
    return PromptsWorkload.model_validate({**WORKLOAD, **fields})


def figures(
    records: list[StageRecord], asked: PromptsWorkload | None = None, complete: bool = True
) -> tuple[RunFigures, ...]:
    stages = Columns(in_order(map(row_of, records)))
    calls, _ = judge(stages)
    runs = frozenset(stages.run) if complete else frozenset[int]()
    return load_run_figures(stages, calls, runs, asked)


def step(records: list[StageRecord], asked: PromptsWorkload | None = None) -> LoadStep:
    (run,) = figures(records, asked)
    (one,) = run.steps
    return one


def summary(records: list[StageRecord], **options: Any) -> ConfigurationSummary:
    return summarise_configuration(records, **options)


def changed(which: Any, **columns: Any) -> Any:
    """Change the requests for whose number ``which`` is true."""

    def change(fields: dict[str, Any]) -> dict[str, Any]:
        if fields["stage"] == "request" and which(fields["request"]):
            return fields | columns
        return fields

    return change


def test_a_closed_loop_with_a_place_for_each() -> None:
    (run,) = figures(load_records(concurrency=4, requests=44))
    one = run.steps[0]
    assert (one.over, one.asked, one.requests) == ("concurrency", 4, 44)
    # The first four end after one service; the last four are sent together, ten services later.
    assert one.window_s == pytest.approx(9 * SERVER.service_ms / 1e3)
    assert one.counted == 40
    assert one.achieved_rate == pytest.approx(SERVER.capacity)
    assert one.output_tok_s == pytest.approx(SERVER.capacity * SERVER.tokens)
    assert one.achieved_concurrency == pytest.approx(4)
    assert (one.failed, one.suspect, one.degenerate, one.unplaced) == ({}, 0, 0, 0)
    assert run.throughput_tok_s == one.output_tok_s
    assert run.mean_of_rates_tok_s == pytest.approx(100)
    assert (run.ttft_ms, run.itl_ms) == pytest.approx((20, 10))
    assert run.duration_ms == pytest.approx(SERVER.service_ms)
    assert (run.tokens, run.calls, run.valid_calls) == (44 * 20, 44, 44)
    assert (run.slot, run.pool, run.host, run.block) == ("s0", "default", "node-1", 1)
    assert run.complete and run.started_at is not None


def test_an_open_loop_below_the_capacity() -> None:
    one = step(load_records(rate=10.0, requests=101), workload(**SLO))
    # From when those of the first tenth have ended (1 s and one service) to the last one's scheduled time.
    assert one.rate == 10.0 and one.window_s == pytest.approx(9 - SERVER.service_ms / 1e3)
    assert one.counted == 88
    assert one.offered_rate == pytest.approx(10)  # 87 distances between 88 requests
    assert one.achieved_rate == pytest.approx(10, rel=0.03)
    assert one.achieved_concurrency == pytest.approx(10 * SERVER.service_ms / 1e3, rel=0.03)  # Little's law
    assert one.ttft_due_ms == one.ttft_sent_ms == Spread(n=88, mean=one.ttft_due_ms.mean, p50=20, p90=20)
    assert one.ttft_due_ms.mean == pytest.approx(20)
    assert one.keeps_up is True
    assert one.good == 88 and one.good_share == 1


def test_beyond_the_capacity_the_wait_is_in_the_time_from_the_schedule_only() -> None:
    """With as many under way as there are places, the server itself has no queue: it is all at the client."""
    records = load_records(rate=2 * SERVER.capacity, requests=200, max_in_flight=4)
    one = step(records, workload(**SLO, max_in_flight=4))
    assert one.keeps_up is False
    assert one.achieved_rate == pytest.approx(SERVER.capacity, rel=0.05)
    assert one.ttft_sent_ms.p50 == pytest.approx(20)
    assert one.ttft_due_ms.p50 is not None and one.ttft_due_ms.p50 > 2000
    assert one.backlog_growth is not None and one.backlog_growth > 60
    assert one.good == 0 and one.goodput == 0  # counted, and none was good
    assert (
        one.own_late_ms == Spread()
    )  # the limit held back each of them: none tells of the client's own delay
    (run,) = figures(records)
    assert run.ttft_ms == pytest.approx(one.ttft_due_ms.mean)


def test_the_clients_own_delay() -> None:
    late = load_records(rate=10.0, requests=100, late_ms=7.0)
    one = step(late, workload())
    assert one.own_late_ms.mean == pytest.approx(7)
    assert one.ttft_due_ms.p50 == pytest.approx(27) and one.ttft_sent_ms.p50 == pytest.approx(20)
    assert step(late).own_late_ms == Spread()  # an open loop whose limit is not known


def test_without_an_slo_there_is_no_goodput() -> None:
    one = step(load_records(rate=10.0))
    assert (one.good, one.goodput, one.good_share) == (None, None, None)


def test_attainment_decides_whether_a_closed_loop_keeps_up() -> None:
    crowded = load_records(concurrency=8, requests=200)
    assert step(crowded).keeps_up is None  # its users wait: there is no queue that could grow
    assert step(crowded, workload(**SLO)).keeps_up is False


def test_failed_requests_are_named_and_in_no_latency() -> None:
    records = load_records(
        rate=10.0,
        requests=101,
        change=changed(lambda n: n % 10 == 0, outcome="timeout", tokens=0, ttft_ms=None),
    )
    one = step(records, workload(**SLO))
    assert one.failed == {"timeout": 9}
    assert one.ttft_due_ms.n == one.counted - 9
    assert one.good == one.counted - 9
    assert one.keeps_up is False
    (run,) = figures(records)
    assert (run.calls, run.valid_calls) == (101, 91)


def test_suspect_requests_are_load_and_in_no_latency() -> None:
    plain = step(load_records(rate=10.0))
    one = step(
        load_records(
            rate=10.0, change=changed(lambda n: n % 5 == 0, suspect=("late reading",), ttft_ms=900.0)
        )
    )
    assert one.suspect == 18  # of the requests 13 to 100
    assert one.ttft_due_ms.n == one.counted - one.suspect
    assert one.ttft_due_ms.mean == pytest.approx(20)
    assert one.failed == {}
    assert one.achieved_rate == plain.achieved_rate


def test_degenerate_answers_are_served_and_in_no_latency() -> None:
    one = step(load_records(rate=10.0, change=changed(lambda n: n % 2 == 0, outcome="degenerate")))
    assert one.failed == {} and one.keeps_up is True
    assert one.degenerate + one.ttft_due_ms.n == one.counted
    assert one.degenerate > 40


def test_cold_requests_of_the_window_are_counted_and_stay() -> None:
    (run,) = figures(load_records(rate=10.0, change=changed(lambda n: n in (1, 50), load_ms=4000.0)))
    assert run.steps[0].cold == 1  # the first one is in the ramp
    assert run.cold_calls == 1
    assert run.steps[0].ttft_due_ms.n == run.steps[0].counted


def test_unknown_tokens_make_the_rate_unknown_and_never_0() -> None:
    (run,) = figures(
        load_records(rate=10.0, change=changed(lambda n: n == 60, tokens=None, tokens_source=None))
    )
    assert run.throughput_tok_s is None
    one = run.steps[0]
    assert one.tokens_sources == {"server": one.counted - 1, "nobody": 1}
    assert one.output_tokens == 20


def test_all_failed() -> None:
    nothing = {"outcome": "connection", "ttft_ms": None, "tokens": None, "itl_mean_ms": None}
    (run,) = figures(
        load_records(rate=10.0, change=changed(lambda n: True, **nothing, throughput_tok_s=None)),
        workload(**SLO),
    )
    one = run.steps[0]
    assert one.failed == {"connection": one.counted} and one.counted
    assert one.keeps_up is False
    assert one.achieved_rate == 0  # a true zero: none ended well
    assert (run.ttft_ms, run.itl_ms, run.duration_ms, run.tokens) == (None, None, None, None)
    assert run.valid_calls == 0


@pytest.mark.parametrize("load", [{"concurrency": 4}, {"rate": 2.0}], ids=["closed", "open"])
def test_one_request_has_no_window_and_no_figure(load: dict[str, float] | dict[str, int]) -> None:
    (run,) = figures(load_records(requests=1, **load), workload(**SLO))
    one = run.steps[0]
    assert (one.requests, one.counted, one.window_s) == (1, 0, None)
    assert (one.keeps_up, one.achieved_rate, one.output_tok_s, one.goodput) == (None, None, None, None)
    assert (run.throughput_tok_s, run.ttft_ms, run.itl_ms, run.duration_ms) == (None, None, None, None)


def test_a_load_without_any_request() -> None:
    (run,) = figures([one for one in load_records(rate=2.0) if one.stage == "load"], complete=False)
    assert (run.calls, run.valid_calls, run.throughput_tok_s, run.tokens) == (0, 0, None, None)
    assert run.complete is False and run.steps[0].requests == 0


def test_requests_that_do_not_tell_when_are_counted() -> None:
    nowhere = {"due_ns": None, "sent_ns": None, "started_ns": None, "ended_ns": None}
    one = step(load_records(rate=10.0, change=changed(lambda n: n <= 3, **nowhere)))
    assert (one.unplaced, one.requests) == (3, 97)


def test_a_request_that_was_never_sent_is_backlog() -> None:
    never = {
        "sent_ns": None,
        "ttft_ms": None,
        "total_duration_ms": None,
        "outcome": "timeout",
        "tokens": None,
    }
    one = step(load_records(rate=10.0, change=changed(lambda n: n > 60, **never)))
    assert one.unplaced == 0
    assert one.failed["timeout"] == 40
    assert one.ttft_due_ms.n == one.counted - 40


def test_nothing_tells_the_load() -> None:
    records = [
        record.model_copy(update={"asked_rate": None, "parameters": {}}) for record in load_records(rate=10.0)
    ]
    one = step(records)
    assert (one.over, one.asked, one.window_s, one.keeps_up) == (None, None, None, None)


def test_the_parameters_tell_the_load_where_no_record_does() -> None:
    records = [record.model_copy(update={"asked_rate": None}) for record in load_records(rate=10.0)]
    assert step(records).rate == 10.0


@pytest.mark.parametrize(("rate", "kept"), [(10.0, None), (60.0, False)], ids=["served", "beyond"])
def test_a_load_that_was_cut_can_fail_and_not_pass(rate: float, kept: bool | None) -> None:
    why = "the job's deadline came before all was sent"
    one = step(
        load_records(rate=rate, change=lambda f: f | ({"reason": why} if f["stage"] == "load" else {}))
    )
    assert (one.keeps_up, one.cut) == (kept, why)
    assert one.achieved_rate is not None


def test_energy_is_that_of_the_load_over_all_its_tokens() -> None:
    gpu = GpuTelemetry(index=0, energy_j=4000.0, throttled=True)
    telemetry = StageTelemetry(samples=9, period_s=0.1, gpus=(gpu,))

    def change(fields: dict[str, Any]) -> dict[str, Any]:
        return fields | ({"telemetry": telemetry} if fields["stage"] == "load" else {})

    (run,) = figures(load_records(rate=10.0, change=change))
    assert run.joules_per_token == pytest.approx(4000 / (100 * 20))
    assert run.throttled is True
    (bare,) = figures(load_records(rate=10.0))
    assert (bare.joules_per_token, bare.throttled) == (None, None)


def test_a_search_is_told_by_the_highest_step_that_kept_up() -> None:
    asked = workload(search={"start": 5, "max": 64})
    steps = [5.0, 10.0, 40.0, 15.0]
    records = [
        record
        for number, rate in enumerate(steps, 1)
        for record in load_records(rate=rate, step=number, requests=200, parameters={})
    ]
    (run,) = figures(records, asked)
    assert [one.asked for one in run.steps] == steps
    assert [one.keeps_up for one in run.steps] == [True, True, False, True]
    assert run.throughput_tok_s == run.steps[3].output_tok_s
    assert run.calls == 800
    assert run.tokens == 200 * 20  # of that step
    (without,) = figures([r for r in records if r.step == 3], asked)
    assert (without.throughput_tok_s, without.ttft_ms, without.tokens) == (None, None, None)


def test_a_run_alone_is_checked_without_its_load() -> None:
    """The aggregator looks at a run ahead of the others, with its calls only."""
    calls, _ = judge(Columns(in_order(map(row_of, load_records(rate=10.0)))))
    (run,) = load_run_figures(Columns([]), calls, frozenset({1}), None)
    assert run.throughput_tok_s == pytest.approx(figures(load_records(rate=10.0))[0].throughput_tok_s)
    assert callable(check_run)


def test_the_summary_describes_the_runs_and_reads_back() -> None:
    records = [
        record
        for run in (1, 2, 3)
        for record in load_records("rate=10", run, rate=10.0, noise=0.02, poisson=True)
    ]
    made = summary(records, configuration=configuration("rate=10", rate=10.0), workload=workload(**SLO))
    assert made.over_runs.throughput_method == "output_over_window"
    assert made.over_runs.throughput_tok_s.n == 3
    assert made.over_runs.throughput_tok_s.mean == pytest.approx(200, rel=0.3)
    assert ConfigurationSummary.model_validate_json(made.model_dump_json()) == made


def test_incomplete_runs_are_in_no_estimate() -> None:
    whole = load_records("rate=10", 1, rate=10.0)
    broken = load_records(
        "rate=10",
        2,
        rate=10.0,
        change=lambda f: f | ({"outcome": "connection"} if f["stage"] == "load" else {}),
    )
    made = summary([*whole, *broken], configuration=configuration("rate=10", rate=10.0))
    assert [run.complete for run in made.over_runs.runs] == [True, False]
    assert made.over_runs.throughput_tok_s.n == 1


@given(
    st.integers(1, 60),
    st.sampled_from([("concurrency", 1), ("concurrency", 5), ("rate", 3.0), ("rate", 50.0)]),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_counts_add_up_and_no_order_matters(
    requests: int, load: tuple[str, float], broken: int, random: Random
) -> None:
    name, level = load
    given: dict[str, Any] = {name: level}
    records = load_records(
        requests=requests,
        noise=0.1,
        poisson=True,
        change=changed(lambda n: n % 4 == broken, outcome="server_error", suspect=()),
        **given,
    )
    one = step(records)
    answered = one.ttft_due_ms.n + one.suspect + one.degenerate
    assert one.counted == answered + sum(one.failed.values()) <= one.requests == requests
    assert sum(one.tokens_sources.values()) == answered
    assert (one.window_s is None) == (one.keeps_up is None and one.achieved_rate is None)
    for due, sent in (
        (one.ttft_due_ms.mean, one.ttft_sent_ms.mean),
        (one.latency_due_ms.mean, one.latency_sent_ms.mean),
    ):
        assert due is None or sent is None or due >= sent - 1e-9
    shuffled = list(records)
    random.shuffle(shuffled)
    assert step(shuffled) == one


@pytest.mark.parametrize(("percent", "n"), [(50, 6), (90, 29), (99, 299)])
def test_how_many_requests_a_quantile_takes(percent: int, n: int) -> None:
    p = percent / 100
    assert fewest(percent) == n
    assert 1 - p**n - (1 - p) ** n >= 0.95 > 1 - p ** (n - 1) - (1 - p) ** (n - 1)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e6)), max_size=400))
def test_a_spread_tells_what_its_values_can_carry(values: list[float | None]) -> None:
    found, told = spread(values), [value for value in values if value is not None]
    assert found.n == len(told)
    assert (found.mean is None) == (not told)
    for percent, value in ((50, found.p50), (90, found.p90), (99, found.p99)):
        assert (value is None) == (len(told) < fewest(percent))
        assert value is None or value == quantile(told, percent / 100)
    assert found == replace(spread(reversed(values)))
