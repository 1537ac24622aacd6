"""The formulas of a load: windows, backlog, goodput, and what keeps up."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from contracts.call import Outcome
from contracts.load import (
    BACKLOG_SHARE,
    Served,
    is_good,
    is_served,
    latency_ms,
    step_figures,
    ttft_ms,
    window,
)
from contracts.workloads import Slo

MS = 1_000_000
SEEDS = range(20)


def request(due_ms: float, sent_ms: float, end_ms: float, ok: bool = True, tokens: int | None = 10) -> Served:
    """A request whose first token comes in the middle."""
    first_ms = (sent_ms + end_ms) / 2
    return Served(
        due_ns=round(due_ms * MS),
        sent_ns=round(sent_ms * MS),
        first_ns=round(first_ms * MS),
        end_ns=round(end_ms * MS),
        tokens=tokens,
        itl_ms=5.0,
        ok=ok,
    )


def regular(count: int, gap_ms: float, takes_ms: float) -> list[Served]:
    """An open loop at a constant rate, whose requests all take as long."""
    return [request(n * gap_ms, n * gap_ms, n * gap_ms + takes_ms) for n in range(count)]


def at_random(seed: int) -> list[Served]:
    draw = random.Random(seed)
    made = []
    for _ in range(draw.randint(1, 60)):
        due = draw.uniform(0, 1000)
        sent = due + draw.choice([0.0, draw.uniform(0, 50)])
        made.append(request(due, sent, sent + draw.uniform(0.1, 300), ok=draw.random() < 0.9))
    return made


@pytest.mark.parametrize(
    ("takes_ms", "begin_ms"),
    [
        (30, 130),
        (300, 400),
        (5000, 500),
    ],  # when the two of the first tenth have ended; half of it at the latest
)
def test_the_window_of_an_open_loop(takes_ms: float, begin_ms: int) -> None:
    assert window(regular(11, 100, takes_ms), None) == (begin_ms * MS, 1000 * MS)


def test_the_window_of_a_closed_loop_begins_when_each_first_request_has_ended() -> None:
    users = [
        request(0, 0, 40),
        request(0, 0, 70),
        request(40, 41, 90),
        request(70, 70, 130),
        request(90, 91, 150),
    ]
    assert window(users, 2) == (70 * MS, 91 * MS)


@pytest.mark.parametrize("concurrency", [None, 2])
def test_too_few_requests_have_no_window_and_no_figure(concurrency: int | None) -> None:
    few = [request(0, 0, 10), request(0, 0, 20)] if concurrency else [request(5, 5, 9)]
    assert window([], concurrency) is None
    assert window(few, concurrency) is None
    figures = step_figures(few, concurrency=concurrency, slo=None)
    assert figures.requests == len(few)
    assert (figures.window_s, figures.achieved_rate, figures.keeps_up) == (None, None, None)


@pytest.mark.parametrize("concurrency", [None, 1, 4])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_holds_for_any_load(seed: int, concurrency: int | None) -> None:
    requests = at_random(seed)
    figures = step_figures(requests, concurrency=concurrency, slo=Slo(latency_ms=200), attainment=0.5)
    if figures.window_s is None:
        return
    assert 0 < figures.window_s <= 1.4
    assert 0 <= figures.failed <= len(figures.counted) <= figures.requests
    assert figures.good is not None and figures.good <= len(figures.counted) - figures.failed
    assert figures.goodput is not None and figures.achieved_rate is not None
    assert 0 <= figures.goodput <= figures.achieved_rate
    assert figures.achieved_concurrency is not None and 0 <= figures.achieved_concurrency <= len(requests)
    for place in figures.counted:
        from_due = latency_ms(requests[place], from_due=True)
        from_sent = latency_ms(requests[place], from_due=False)
        assert from_due is not None and from_sent is not None
        assert from_due >= from_sent
    if figures.keeps_up:
        assert figures.failed <= 0.01 * len(figures.counted)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_the_requests_changes_no_figure(seed: int) -> None:
    requests = at_random(seed)
    shuffled = random.Random(seed + 1).sample(requests, len(requests))
    one, other = (step_figures(some, concurrency=None, slo=None) for some in (requests, shuffled))
    assert replace(one, counted=(), output_tok_s=None) == replace(other, counted=(), output_tok_s=None)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_later_clock_changes_no_figure(seed: int) -> None:
    requests, later = at_random(seed), 10**15
    moved = [
        replace(
            one,
            due_ns=one.due_ns + later,
            sent_ns=(one.sent_ns or 0) + later,
            first_ns=(one.first_ns or 0) + later,
            end_ns=one.end_ns + later,
        )
        for one in requests
    ]
    assert step_figures(requests, concurrency=None, slo=None) == step_figures(
        moved, concurrency=None, slo=None
    )


@pytest.mark.parametrize("count", [11, 21, 101])
def test_a_constant_rate_is_offered_as_asked(count: int) -> None:
    figures = step_figures(regular(count, 10, 5), concurrency=None, slo=None)
    assert figures.offered_rate == pytest.approx(100)


def test_a_failed_request_adds_no_output_and_makes_none_unknown() -> None:
    whole = regular(101, 50, 200)
    some = [replace(one, ok=False, tokens=None) if n % 2 else one for n, one in enumerate(whole)]
    one, other = (step_figures(each, concurrency=None, slo=None).output_tok_s for each in (whole, some))
    assert one is not None and other == pytest.approx(one / 2, rel=0.03)


def test_a_schedule_that_is_over_before_its_answers_tells_nothing() -> None:
    assert step_figures(regular(20, 50, 1000), concurrency=None, slo=None).keeps_up is None


def test_but_answers_that_take_ever_longer_tell_that_it_is_too_much() -> None:
    queued = [request(n * 5, n * 5, 1000 + n * 100) for n in range(30)]
    assert step_figures(queued, concurrency=None, slo=None).keeps_up is False


def test_a_server_that_keeps_up() -> None:
    figures = step_figures(regular(101, 50, 200), concurrency=None, slo=None)
    assert figures.keeps_up is True
    assert figures.offered_rate == pytest.approx(20, rel=0.02)
    assert figures.achieved_rate == pytest.approx(20, rel=0.02)
    assert figures.achieved_concurrency == pytest.approx(4, rel=0.05)
    assert figures.output_tok_s == pytest.approx(200, rel=0.05)
    assert figures.backlog_growth == 0


@pytest.mark.parametrize("requests", [100, 1000])
@pytest.mark.parametrize("beyond", [1.25, 2.0])
def test_a_server_that_falls_behind(beyond: float, requests: int) -> None:
    # One place of 50 ms, asked for more than 20 requests a second.
    gap = 50 / beyond
    served = [request(n * gap, n * gap, (n + 1) * 50) for n in range(requests)]
    figures = step_figures(served, concurrency=None, slo=None)
    assert figures.keeps_up is False
    assert figures.achieved_rate == pytest.approx(20, rel=0.03)
    assert figures.backlog_growth is not None
    assert figures.backlog_growth > BACKLOG_SHARE * len(figures.counted)


def test_many_at_a_time_are_no_backlog_that_grows() -> None:
    # 100 at a time in the mean, by luck 10 more at the end.
    steady = regular(500, 10, 1000) + [request(4989, 4989, 5990) for _ in range(10)]
    assert step_figures(steady, concurrency=None, slo=None).keeps_up is True


def test_failures_are_no_keeping_up_and_no_achieved_rate() -> None:
    served = [replace(one, ok=n % 10 != 0) for n, one in enumerate(regular(101, 50, 20))]
    figures = step_figures(served, concurrency=None, slo=Slo(latency_ms=1000))
    assert figures.keeps_up is False
    assert figures.failed == sum(not served[place].ok for place in figures.counted) > 0
    assert figures.good == len(figures.counted) - figures.failed
    assert figures.achieved_rate is not None and figures.offered_rate is not None
    assert figures.achieved_rate < figures.offered_rate


def test_a_request_that_was_never_sent_is_backlog() -> None:
    served = regular(101, 50, 20)
    end_ns = 5_100 * MS
    waiting = [Served(one.due_ns, None, None, end_ns, None, None, ok=False) for one in served[80:]]
    figures = step_figures([*served[:80], *waiting], concurrency=None, slo=Slo(ttft_ms=1000))
    assert figures.keeps_up is False
    assert figures.backlog_growth == 21
    assert figures.good == len(figures.counted) - 21


def test_the_slo_takes_part_only_where_an_attainment_is_asked_for() -> None:
    served, slo = regular(101, 50, 100), Slo(latency_ms=99)
    assert step_figures(served, concurrency=None, slo=slo).keeps_up is True
    assert step_figures(served, concurrency=None, slo=slo, attainment=0.9).keeps_up is False
    assert step_figures(served, concurrency=None, slo=Slo(latency_ms=101), attainment=0.9).keeps_up is True


@pytest.mark.parametrize(
    ("slo", "open_loop", "closed_loop"),
    [
        (Slo(ttft_ms=35), False, True),  # 25 ms from the sending, 50 more from the scheduled time
        (Slo(ttft_ms=75), True, True),
        (Slo(latency_ms=60), False, True),
        (Slo(itl_ms=5), True, True),
        (Slo(itl_ms=4.9), False, False),
        (Slo(ttft_ms=75, itl_ms=4.9), False, False),
    ],
)
def test_a_good_request_keeps_every_limit(slo: Slo, open_loop: bool, closed_loop: bool) -> None:
    late = request(0, 50, 100)
    assert (ttft_ms(late, from_due=True), ttft_ms(late, from_due=False)) == (75, 25)
    assert is_good(late, slo, from_due=True) is open_loop
    assert is_good(late, slo, from_due=False) is closed_loop


def test_what_is_not_told_is_not_good() -> None:
    one = replace(request(0, 0, 10), itl_ms=None)
    assert not is_good(one, Slo(itl_ms=100), from_due=True)
    assert is_good(one, Slo(latency_ms=100), from_due=True)


def test_tokens_that_nobody_counted_give_no_rate() -> None:
    served = regular(20, 50, 20)
    served[10] = replace(served[10], tokens=None)
    assert step_figures(served, concurrency=None, slo=None).output_tok_s is None


def test_degenerate_answers_were_served() -> None:
    assert {outcome for outcome in Outcome if is_served(outcome)} == {
        Outcome.OK,
        Outcome.TRUNCATED,
        Outcome.DEGENERATE,
    }
