from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.call import CallTiming, ServerCounters
from contracts.formulas import (
    client_throughput_tok_s,
    duration_ms,
    gaps_ms,
    itl_mean_ms,
    server_throughput_tok_s,
    throughput_tok_s,
    ttft_ms,
)


def timing(*text_ns: int, sent_ns: int = 0, end_ns: int = 10**9) -> CallTiming:
    return CallTiming(wall_anchor=datetime.now(UTC), sent_ns=sent_ns, text_ns=text_ns, end_ns=end_ns)


def test_the_metrics_of_a_call() -> None:
    call = timing(60_000_000, 70_000_000, 90_000_000, sent_ns=10_000_000, end_ns=110_000_000)
    assert ttft_ms(call) == 50.0
    assert duration_ms(call) == 100.0
    assert gaps_ms(call) == (10.0, 20.0)
    assert itl_mean_ms(call, 5) == pytest.approx(7.5)
    assert client_throughput_tok_s(call, 5) == pytest.approx(400 / 3)


def test_what_never_happened_has_no_figure() -> None:
    assert ttft_ms(timing()) is None
    assert gaps_ms(timing(5)) == ()
    assert itl_mean_ms(timing(5), 1) is None
    assert client_throughput_tok_s(timing(5, 6), None) is None
    assert client_throughput_tok_s(timing(5, 5), 2) is None
    assert throughput_tok_s(timing(), ServerCounters()) == (None, None)


def test_the_servers_rate_goes_before_the_clients() -> None:
    call = timing(0, 10**9)
    counters = ServerCounters(tokens=11, eval_tokens=11, eval_ns=500_000_000)
    assert throughput_tok_s(call, counters) == (22.0, "server")
    assert throughput_tok_s(call, ServerCounters(tokens=11)) == (10.0, "client")


def test_a_zero_eval_time_is_no_rate() -> None:
    assert server_throughput_tok_s(ServerCounters(tokens=5, eval_tokens=5, eval_ns=0)) is None


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=50).map(sorted), st.integers(2, 10**6))
def test_the_mean_itl_is_the_rates_reciprocal(times: list[int], tokens: int) -> None:
    call = timing(*times)
    rate, itl = client_throughput_tok_s(call, tokens), itl_mean_ms(call, tokens)
    assert (rate is None) == (itl is None) == (times[0] == times[-1])
    if rate is not None and itl is not None:
        assert rate * itl == pytest.approx(1000.0)
    assert sum(gaps_ms(call)) == pytest.approx((times[-1] - times[0]) / 1e6)


@pytest.mark.parametrize(
    ("frames", "told", "tokens", "itl_ms"),
    [
        (10, None, 10, 10.0),
        (10, None, 11, 10.0),  # the end-of-sequence token has no frame
        (4, (1, 4, 4, 3), 12, 30 / 11),
        (4, (4, 4, 4, 4), 16, 30 / 12),
        (4, None, 16, 30 / 15),
    ],
)
def test_itl_counts_what_came_after_the_first_frame(
    frames: int, told: tuple[int, ...] | None, tokens: int, itl_ms: float
) -> None:
    timing = CallTiming(
        wall_anchor=datetime.now(UTC),
        sent_ns=0,
        text_ns=tuple(place * 10_000_000 for place in range(1, frames + 1)),
        text_tokens=told,
        end_ns=10**12,
    )
    assert itl_mean_ms(timing, tokens) == pytest.approx(itl_ms)
    assert client_throughput_tok_s(timing, tokens) == pytest.approx(1e3 / itl_ms)
