from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.call import CallResult, CallTiming, Outcome
from contracts.failures import SetupError
from worker import calibration
from worker.calibration import Errors, errors_of, timer_resolution_ns

MS = 1_000_000


def call(*text_ms: float, sent_ms: float = 0, outcome: Outcome = Outcome.OK) -> CallResult:
    timing = CallTiming(
        wall_anchor=datetime.now(UTC),
        sent_ns=round(sent_ms * MS),
        text_ns=tuple(round(at * MS) for at in text_ms),
        end_ns=10**12,
    )
    return CallResult(outcome=outcome, timing=timing)


def entry(*sent_ms: float, begin_ms: float = 0, late_ms: float = 0) -> dict[str, Any]:
    frames = [[round((at - late_ms) * MS), round(at * MS), None, 1, "text"] for at in sent_ms]
    return {"begin_ns": round(begin_ms * MS), "frames": [[0, 0, None, 0, "opening"], *frames]}


def test_errors_are_client_minus_server() -> None:
    found = errors_of(call(30.5, 40.5, 51, sent_ms=0.25), entry(30, 40, 50, begin_ms=0.5, late_ms=2))
    assert found is not None
    assert found.ttft_ms == pytest.approx(30.25 - 29.5)
    assert found.itl_percent == pytest.approx(100 * (20.5 / 20 - 1))
    assert found.gaps_ms == pytest.approx((0.0, 0.5))
    assert found.server_late_ms == pytest.approx(2)


def test_a_perfect_client_has_no_error() -> None:
    assert errors_of(call(10, 20), entry(10, 20)) == Errors(0, 0, (0,), 0)


@pytest.mark.parametrize(
    "result",
    [call(10, 20, outcome=Outcome.ABORTED), call(10), call(10, 20, 30)],
    ids=["not ok", "one frame", "another call"],
)
def test_what_does_not_fit_is_no_figure(result: CallResult) -> None:
    assert errors_of(result, entry(10, 20)) is None


def test_the_clock_is_finer_than_a_microsecond_step_of_a_frame() -> None:
    resolution = timer_resolution_ns()
    assert resolution is not None and 0 < resolution < MS


def test_the_floor_of_this_machine_is_measured_against_a_server_that_knows_when_it_sent() -> None:
    floor = calibration.calibrate("s0", calls=4)
    assert (floor.slot, floor.calls, floor.concurrency) == ("s0", 4, 1)
    assert floor.host == platform.node() and floor.python == platform.python_version()
    assert 0 <= floor.ttft_error_p99_ms <= floor.ttft_error_max_ms
    assert floor.clock in ("kernel", "user")


def test_too_little_time_is_no_floor() -> None:
    with pytest.raises(SetupError, match="came to no figures: too little time"):
        calibration.calibrate("s0", calls=4, budget_s=0.0)


def test_a_reference_server_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    with pytest.raises(SetupError, match="reference server for the calibration does not start"):
        calibration.calibrate("s0")
