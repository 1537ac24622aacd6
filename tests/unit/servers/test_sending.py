"""After which failures a call may be sent again, and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.call import Outcome
from worker.servers import send as module
from worker.servers.send import FIRST_PAUSE_S, MAX_PAUSE_S, Sending, nothing_generated
from worker.servers.stream import Exchange, Failure, retry_after_s


def refused(status: int, retry_after_s: float | None = None) -> Exchange:
    return Exchange(http_status=status, refusal=f"HTTP {status}", retry_after_s=retry_after_s)


def failed(outcome: Outcome, sent: bool) -> Exchange:
    result = Exchange(failure=Failure(outcome, "why"))
    if sent:
        result.clock.mark_sent()
    return result


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (refused(429), True),
        (refused(503), True),
        (refused(500), False),
        (refused(502), False),
        (refused(404), False),
        (refused(200), False),
        (failed(Outcome.CONNECTION, sent=False), True),
        (failed(Outcome.CONNECTION, sent=True), False),
        (failed(Outcome.TIMEOUT, sent=False), False),
        (failed(Outcome.SERVER_ERROR, sent=False), False),
        (Exchange(http_status=200), False),
    ],
)
def test_where_certainly_nothing_was_generated(result: Exchange, expected: bool) -> None:
    assert nothing_generated(result) == expected


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for; no time passes."""
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(module, "pause", pause)
    return waited


async def repeat(sending: Sending, make: Callable[[], Exchange]) -> tuple[Exchange, int]:
    calls = 0

    async def once() -> Exchange:
        nonlocal calls
        calls += 1
        return make()

    return await sending.repeat(once), calls


async def test_pauses_double_and_are_spread(pauses: list[float]) -> None:
    result, calls = await repeat(Sending(10_000.0, retries=10), lambda: refused(503))
    assert (calls, len(result.earlier)) == (11, 10)
    assert [attempt.waited_s for attempt in result.earlier] == pauses
    for number, pause in enumerate(pauses):
        due_s = min(FIRST_PAUSE_S * 2**number, MAX_PAUSE_S)
        assert 0.75 * due_s <= pause <= 1.25 * due_s
    _, _ = await repeat(Sending(10_000.0, retries=3), lambda: refused(503))
    assert pauses[10:] != pauses[:3], "slots that were refused together do not come back together"


async def test_what_the_server_asks_for_is_waited_for(pauses: list[float]) -> None:
    result, calls = await repeat(Sending(10_000.0, retries=2), lambda: refused(429, retry_after_s=7.0))
    assert (calls, pauses) == (3, [7.0, 7.0])
    assert [(a.outcome, a.http_status, a.reason) for a in result.earlier] == [
        (Outcome.SERVER_ERROR, 429, "HTTP 429")
    ] * 2


@pytest.mark.parametrize("retry_after", [5.0, 6.0, float("inf")])
async def test_no_pause_that_the_deadline_would_cut(pauses: list[float], retry_after: float) -> None:
    result, calls = await repeat(Sending(5.0, retries=2), lambda: refused(429, retry_after_s=retry_after))
    assert (calls, pauses, result.earlier) == (1, [], [])


NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("0", 0, 0),
        ("1", 1, 1),
        (" 120 ", 120, 120),
        pytest.param(format_datetime(NOW + timedelta(seconds=60), usegmt=True), 0, 60, id="in a minute"),
        pytest.param(format_datetime(NOW - timedelta(seconds=60), usegmt=True), 0, 0, id="a minute ago"),
        ("Sun Nov  6 08:49:37 1994", 0, 0),
    ],
)
def test_retry_after(header: str, low: float, high: float) -> None:
    found = retry_after_s(header)
    assert found is not None and low <= found <= high


@pytest.mark.parametrize(
    "header", [None, "", "soon", "-1", "1.5", "²", "Mon, 01 Jan 99999999999 00:00:00 GMT", "12 34"]
)
def test_no_retry_after(header: str | None) -> None:
    assert retry_after_s(header) is None


@given(
    st.text(max_size=60) | st.from_regex(r"\A[A-Z][a-z]{2}, [0-9]{1,12} [A-Z][a-z]{2} [0-9]{1,12} .{0,20}\Z")
)
@settings(deadline=None)
def test_no_header_makes_it_fail(header: str) -> None:
    found = retry_after_s(header)
    assert found is None or found >= 0
