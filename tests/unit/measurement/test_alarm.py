"""The alarm: never early, in order, for many at a time."""

from __future__ import annotations

import asyncio

import pytest

from worker.measurement.clock import now_ns
from worker.measurement.load import Alarm, alarm

MS = 1_000_000


@pytest.fixture(params=["timerfd", "asyncio"])
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "asyncio":
        monkeypatch.setattr(alarm, "_timer_file", lambda: None)
    return str(request.param)


@pytest.mark.usefixtures("clock")
async def test_it_wakes_all_in_their_order_and_never_early() -> None:
    begin = now_ns()
    woken: list[int] = []

    async def wait(after_ms: int) -> None:
        at_ns = begin + after_ms * MS
        await waking.until(at_ns)
        assert now_ns() >= at_ns
        woken.append(after_ms)

    with Alarm() as waking:
        await asyncio.gather(*(wait(after_ms) for after_ms in (60, 20, 0, 40, 20, -10)))
    assert set(woken[:2]) == {0, -10}
    assert woken[2:] == [20, 20, 40, 60]


@pytest.mark.usefixtures("clock")
async def test_one_that_is_cancelled_keeps_no_other_waiting() -> None:
    with Alarm() as waking:
        begin = now_ns()
        tasks = [asyncio.create_task(waking.until(begin + after * MS)) for after in (20, 60)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        async with asyncio.timeout(10):
            await tasks[1]
        assert now_ns() >= begin + 60 * MS
        assert tasks[0].cancelled()


async def test_a_later_wish_does_not_put_off_an_earlier_one() -> None:
    with Alarm() as waking:
        begin = now_ns()
        early = asyncio.create_task(waking.until(begin + 30 * MS))
        late = asyncio.create_task(waking.until(begin + 3_600_000 * MS))
        async with asyncio.timeout(10):
            await early
        assert not late.done()
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
