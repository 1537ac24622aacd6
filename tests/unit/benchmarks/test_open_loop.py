"""The theory that open loops are checked against, and loads against it: below, near and beyond what the server can do."""

from __future__ import annotations

import pytest

from benchmarks.open_loop import simulate
from contracts.load import step_figures
from tests.support.loads import job, requests, run
from worker.workloads.prompts.stages import served

MS = 1_000_000
PARALLEL, TTFT_MS, SERVICE_MS = 2, 20, 26
CAPACITY = PARALLEL * 1e3 / SERVICE_MS
CLOCK_ERROR_NS = 50_000
"""Of the conversion of the kernel's stamps, on both sides."""


def test_an_answer_begins_when_it_is_due_or_when_a_place_is_free() -> None:
    made = simulate([0, 10, 20, 500], 2, 40, 100)
    assert [one.end_ns for one in made] == [100, 110, 200, 600]
    assert [one.first_ns for one in made] == [40, 50, 140, 540]


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
@pytest.mark.parametrize("share", [0.3, 0.9, 1.8])
async def test_no_load_is_faster_than_theory_and_beyond_capacity_it_shows(
    share: float, arrivals: str
) -> None:
    rate = round(share * CAPACITY, 2)
    spec = job({"requests": 60, "arrivals": arrivals}, rate=rate)
    each = requests(await run(spec, ttft_ms=TTFT_MS, itl_ms=2, parallel=PARALLEL))
    loads = [served(stage) for stage in each]
    expected = simulate([one.due_ns for one in loads], PARALLEL, TTFT_MS * MS, SERVICE_MS * MS)
    assert all(one.ok for one in loads)
    # Where requests come later than they are due, answers end later than in theory, in their order.
    for end_ns, theory in zip(sorted(one.end_ns for one in loads), expected, strict=True):
        assert end_ns >= theory.end_ns - CLOCK_ERROR_NS
    figures = step_figures(loads, concurrency=None, slo=None)
    assert figures.achieved_rate is not None and figures.achieved_rate <= CAPACITY * 1.1
    if share > 1 and arrivals == "constant":
        assert figures.keeps_up is False
        last = loads[-1]
        # The schedule's last request waited for all that were before it: it was due at 59 / rate, and served after 60.
        assert last.end_ns - last.due_ns >= (60 / CAPACITY - 59 / rate) * 1e9 - CLOCK_ERROR_NS
