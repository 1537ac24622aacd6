"""How long each part of a call may take: the shortest limit counts, and is named."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.sweep import Timeouts
from worker.measurement.timing import CallClock
from worker.servers import limits as module
from worker.servers.limits import Limits, TooSlow, seconds

NS = 10**9


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time, s; may be set."""
    time = [0.0]
    monkeypatch.setattr(module, "now_ns", lambda: round(time[0] * NS))
    return time  # type: ignore[return-value]


def sent_at(second: float) -> CallClock:
    clock = CallClock()
    clock.marked_ns = round(second * NS)
    return clock


def limits(timeout_s: float = 100.0, left_s: float = 90.0, **timeouts: Any) -> Limits:
    return Limits(Timeouts(**timeouts), timeout_s, left_s)


def exceeded(made: Limits, began: bool = False, last: float | None = None) -> str | None:
    try:
        made.check(sent_at(10.0), began, None if last is None else round(last * NS))
    except TooSlow as error:
        return str(error)
    return None


def test_the_deadline_runs_from_the_beginning(now: list[float]) -> None:
    made = limits()
    now[0] = 89.9
    assert exceeded(made) is None and made.left_s(sent_at(10.0), False, None) == pytest.approx(0.1)
    now[0] = 90.0
    assert exceeded(made) == "no end of the answer within 100 s"


def test_the_whole_call_runs_from_sending(now: list[float]) -> None:
    made = limits(call=5.0)
    now[0] = 14.9
    assert exceeded(made) is None
    now[0] = 15.0
    assert exceeded(made) == exceeded(made, True, 14.9) == "no end of the answer within 5 s"


def test_the_first_token_runs_from_sending_until_it_comes(now: list[float]) -> None:
    made = limits(first_token=2.5)
    now[0] = 12.5
    assert exceeded(made) == "no first token within 2.5 s"
    assert exceeded(made, began=True, last=12.4) is None


def test_between_tokens_runs_from_the_last_frame_once_the_first_token_has_come(now: list[float]) -> None:
    made = limits(between_tokens=0.25)
    now[0] = 40.0
    assert exceeded(made, began=False, last=20.0) is None
    assert exceeded(made, began=True, last=39.76) is None
    assert exceeded(made, began=True, last=39.75) == "no further token within 0.25 s"


def test_the_shortest_counts(now: list[float]) -> None:
    made = limits(first_token=2.0, call=3.0)
    assert made.of_the_head(CallClock()) == (2.0, "no first token within 2 s")
    assert limits(first_token=4.0, call=3.0).of_the_head(CallClock())[0] == 3.0
    assert limits(left_s=1.0, first_token=4.0).of_the_head(CallClock())[0] == 1.0


def test_connecting_has_its_own_limit_unless_the_deadline_comes_first(now: list[float]) -> None:
    assert limits(connect=5.0, left_s=5.1).connect_s == 5.0
    assert limits(connect=5.0, left_s=4.9).connect_s is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (600.0, "600 s"),
        (0.19998, "0.2 s"),
        (0.1994, "0.2 s"),
        (0.0123, "0.012 s"),
        (0.25, "0.25 s"),
        (86_400.0, "86400 s"),
    ],
)
def test_limits_in_words(value: float, shown: str) -> None:
    assert seconds(value) == shown
