"""Runs of the workload ``prompts`` against a reference server with so many places."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks.reference_server import ReferenceServer
from contracts.call import Outcome
from contracts.load import step_figures
from contracts.outcome import StageResult
from contracts.prompts_file import read_prompts
from tests.support.loads import ENOUGH_S, job, left, loads, requests, run, serving
from worker.servers import open_server
from worker.workloads.prompts import carrier, loops, run_prompts
from worker.workloads.prompts import run as run_module
from worker.workloads.prompts.stages import served

MS = 1_000_000
KINDS = ("ollama", "openai", "llama.cpp")


def due(stage: StageResult) -> int:
    assert stage.asked is not None and stage.asked.due_ns is not None
    return stage.asked.due_ns


def sent(stage: StageResult) -> int:
    assert stage.call is not None
    return stage.call.timing.sent_ns


def end(stage: StageResult) -> int:
    assert stage.call is not None
    return stage.call.timing.end_ns


def most_at_a_time(stages: list[StageResult]) -> int:
    """Requests that were sent and not over, at most."""
    changes = sorted([(sent(s), 1) for s in stages] + [(end(s), -1) for s in stages])
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


@pytest.mark.parametrize("kind", KINDS)
async def test_a_closed_loop(kind: str) -> None:
    done = await run(job({"requests": 20}, kind=kind, concurrency=4), parallel=2)
    (load,), each = loads(done), requests(done)
    assert load.outcome is Outcome.OK and load.reason is None and load.call is None
    assert load.asked is not None and (load.asked.step, load.asked.request, load.asked.concurrency) == (
        1,
        None,
        4,
    )
    assert len(each) == 20
    assert [s.asked.request for s in each if s.asked] == list(range(1, 21))
    assert [due(s) for s in each] == sorted(due(s) for s in each)
    assert {s.outcome for s in each} == {Outcome.TRUNCATED}
    assert most_at_a_time(each) == 4
    assert all(s.asked and s.asked.input_tokens == 20 and s.asked.output_tokens == 4 for s in each)
    assert all(s.call and s.call.counters.tokens == 4 and s.call.earlier_sendings == () for s in each)
    # The load spans its requests.
    assert load.started_ns <= min(due(s) for s in each)
    assert load.ended_ns == max(end(s) for s in each)
    assert done.wall_s == pytest.approx((load.ended_ns - load.started_ns) / 1e9)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_open_loop(kind: str) -> None:
    done = await run(job({"requests": 20, "arrivals": "constant"}, kind=kind, rate=100.0))
    (load,), each = loads(done), requests(done)
    assert load.asked is not None and (load.asked.rate, load.asked.concurrency) == (100.0, None)
    assert [b - a for a, b in pairwise(due(s) for s in each)] == [10 * MS] * 19
    # Sent when they are due, and not before, whatever those before them do.
    assert all(sent(s) >= due(s) for s in each)
    assert all(s.call and s.call.timing.due_ns == due(s) for s in each)


async def test_texts_are_not_kept_but_their_facts() -> None:
    done = await run(job({"requests": 3}, concurrency=1))
    for stage in requests(done):
        assert stage.call is not None
        assert (stage.call.text, stage.call.text_chars) == ("", len("the quick brown fox"))
        assert stage.call.text_hash


@pytest.mark.parametrize("load", [{"concurrency": 2}, {"rate": 50.0}])
async def test_a_duration_ends_a_load(load: dict[str, Any]) -> None:
    done = await run(job({"duration": 0.5}, **load))
    each = requests(done)
    assert 10 <= len(each) <= 60
    assert all(due(s) - loads(done)[0].started_ns < 0.5e9 for s in each)
    assert loads(done)[0].reason is None


async def test_no_more_than_max_in_flight_and_the_others_wait_from_their_scheduled_time() -> None:
    workload = {"requests": 20, "arrivals": "constant", "max_in_flight": 2}
    each = requests(await run(job(workload, rate=200.0), ttft_ms=40))
    assert most_at_a_time(each) <= 2
    assert [b - a for a, b in pairwise(due(s) for s in each)] == [5 * MS] * 19
    assert sent(each[-1]) - due(each[-1]) > 100 * MS  # nine pairs before it, 46 ms each


async def test_a_stall_shows_in_all_requests_that_were_due_in_it(tmp_path: Path) -> None:
    # One answer of 500 ms among short ones, and a client that has one connection: coordinated omission.
    file = tmp_path / "prompts.jsonl"
    lines = [{"prompt": f"p{n}", "output_tokens": 250 if n == 0 else 2} for n in range(40)]
    file.write_text("\n".join(map(json.dumps, lines)))
    workload = {"file": str(file), "requests": 40, "arrivals": "constant", "max_in_flight": 1}
    spec = job(workload, digest=read_prompts(file).digest, rate=20.0)
    each = requests(await run(spec, file, ttft_ms=5, tokens=250))
    stalling = next(s for s in each if s.asked and s.asked.output_tokens == 250)
    begun, over = sent(stalling), end(stalling)
    within = [s for s in each if begun < due(s) < over]
    assert len(within) >= 8
    for one in within:
        assert end(one) - due(one) >= over - due(one)  # not before the stall was over
        assert sent(one) >= over - 1 * MS
    slo_free = step_figures([served(s) for s in each], concurrency=None, slo=None)
    assert slo_free.requests == 40
    # From the sending the stall is one slow request, from the schedule it is ten.
    slow_from_sent = [s for s in each if end(s) - sent(s) > 200 * MS]
    slow_from_due = [s for s in each if end(s) - due(s) > 200 * MS]
    assert len(slow_from_sent) < len(slow_from_due)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_conversation_carries_what_was_said(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(
        '{"turns": ["one two", "three", "four five six"], "system": "be brief", "output_tokens": 4}'
    )
    spec = job({"file": str(file), "requests": 4}, kind=kind, digest=read_prompts(file).digest, concurrency=1)
    each = requests(await run(spec, file))
    assert [s.asked.turn for s in each if s.asked] == [1, 2, 3, 1]
    # The server counts words: system 2, then the prompts' and answers' (4 each) before.
    told = [s.call.counters.prompt_tokens for s in each if s.call]
    if kind == "llama.cpp":  # an answer stands right behind its prompt: their touching words are one
        assert told == [4, 4 + 3 + 1, 4 + 3 + 1 + 3 + 3, 4]
    else:
        assert told == [4, 4 + 4 + 1, 4 + 4 + 1 + 4 + 3, 4]


async def test_under_an_open_loop_a_scheduled_time_is_the_next_turn_of_whoever_waits_longest() -> None:
    synthetic = {"input_tokens": 10, "output_tokens": 2, "turns": 3}
    done = await run(job({"synthetic": synthetic, "requests": 30, "arrivals": "constant"}, rate=100.0))
    each = requests(done)
    assert len(each) == 30
    assert [b - a for a, b in pairwise(due(s) for s in each)] == [10 * MS] * 29
    turns = [s.asked.turn for s in each if s.asked]
    assert turns[:2] == [1, 1] and {1, 2, 3} == set(turns)


async def test_the_deadline_ends_what_is_open_and_what_was_not_sent_is_told() -> None:
    workload = {"requests": 50, "arrivals": "constant", "max_in_flight": 2}
    done = await run(job(workload, rate=50.0), left_s=0.6, ttft_ms=10_000)
    (load,), each = loads(done), requests(done)
    assert load.outcome is Outcome.TIMEOUT and load.reason is not None
    assert {s.outcome for s in each} == {Outcome.TIMEOUT}
    assert [s.call is not None for s in each] == [True] * 2 + [False] * (len(each) - 2)
    assert 20 <= len(each) <= 31  # those that were due in 0.6 s
    assert f"{len(each) - 2} due and not sent" in load.reason
    assert f"{50 - len(each)} not due yet" in load.reason
    assert {s.reason for s in each[2:]} == {"not sent: the job's deadline came first"}


async def test_the_deadline_ends_a_closed_loop() -> None:
    done = await run(job({"duration": 60}, concurrency=3), left_s=0.4)
    (load,), each = loads(done), requests(done)
    assert load.outcome is Outcome.OK
    assert load.reason is not None and load.reason.endswith("the job's deadline came before all was sent")
    assert len(each) > 3


async def test_requests_that_the_deadline_ends_are_told_where_all_were_sent() -> None:
    done = await run(job({"requests": 8}, rate=100.0), left_s=0.3, ttft_ms=2000)
    (load,), each = loads(done), requests(done)
    assert {s.outcome for s in each} == {Outcome.TIMEOUT}
    assert "the job's deadline ended 8 requests" in (load.reason or "")


async def test_a_refused_user_waits_before_it_asks_again() -> None:
    done = await run(job({"requests": 3}, concurrency=1), scenario="http-500")
    each = requests(done)
    assert [s.outcome for s in each] == [Outcome.SERVER_ERROR] * 3
    pauses = [(b.started_ns - a.ended_ns) / 1e9 for a, b in pairwise(each)]
    assert min(pauses) >= loops.REFUSED_S * 0.9


async def test_beyond_the_bound_only_the_first_and_last_arrival_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_module, "MAX_FRAMES", 8)
    done = await run(job({"requests": 4}, concurrency=1), tokens=4)
    calls = [s.call for s in requests(done) if s.call is not None]
    assert [len(call.timing.text_ns) for call in calls] == [4, 4, 2, 2]
    assert all(call.counters.tokens == 4 for call in calls)


async def test_a_search_lengthens_a_step_that_is_over_before_its_answers() -> None:
    search = {"over": "rate", "start": 20.0, "max": 40.0, "precision": 0.4}
    done = await run(job({"requests": 20, "search": search}), ttft_ms=700)
    steps = [(s.asked.rate, s.asked.step) for s in loads(done) if s.asked is not None]
    # The first says nothing and is done again, longer; the server has no limit.
    assert [rate for rate, _ in steps] == [20.0, 20.0, 40.0]
    counts = [sum(s.asked is not None and s.asked.step == step for s in requests(done)) for _, step in steps]
    assert counts[0] == 20 and counts[1] >= 50 and counts[2] >= 100
    verdicts = [
        step_figures(
            [served(s) for s in requests(done) if s.asked and s.asked.step == step],
            concurrency=None,
            slo=None,
        ).keeps_up
        for _, step in steps
    ]
    assert verdicts == [None, True, True]


async def test_a_deadline_that_has_passed() -> None:
    for parameters in ({"rate": 10.0}, {"concurrency": 2}):
        done = await run(job({"requests": 5}, **parameters), left_s=0.0)
        assert [s.outcome for s in loads(done)] == [Outcome.TIMEOUT]
        assert "deadline" in (loads(done)[0].reason or "")
        assert all(s.call is None for s in requests(done))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refused_request_is_data_and_not_sent_again(kind: str) -> None:
    done = await run(job({"requests": 6}, kind=kind, concurrency=2), scenario="http-503")
    (load,), each = loads(done), requests(done)
    assert load.outcome is Outcome.OK
    refused = [s for s in each if s.outcome is Outcome.SERVER_ERROR]
    assert len(each) == 6
    assert [(s.reason or "").startswith("HTTP 503") for s in refused] == [True]
    assert all(s.call and s.call.earlier_sendings == () for s in each)


async def test_nobody_answers() -> None:
    spec = job({"requests": 6}, concurrency=2)
    async with ReferenceServer() as reference:
        client = open_server(spec.server, reference.url)
    done = await run_prompts(spec, client, file=None, left_s=left())
    await client.aclose()
    (load,) = loads(done)
    assert load.outcome is Outcome.CONNECTION
    assert load.reason is not None and load.reason.startswith("6 of 6 requests: connection refused")
    assert len(requests(done)) == 6


async def test_other_prompts_than_planned_are_lost(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("one\n")
    spec = job({"file": str(file), "requests": 5}, digest="0123456789abcdef", rate=5.0)
    for path, said in (
        (file, "planned 0123456789abcdef"),
        (tmp_path / "gone", "can't be read"),
        (None, "not known"),
    ):
        done = await run(spec, path)
        (load,) = done.stages
        assert load.outcome is Outcome.LOST
        assert load.reason is not None and said in load.reason
        assert load.asked is not None and load.asked.rate == 5.0


async def test_a_search_finds_what_the_server_can_do() -> None:
    # 2 places of 25 ms: 80 a second.
    workload = {
        "synthetic": {"input_tokens": 10, "output_tokens": 4},
        "requests": 60,
        "arrivals": "constant",
        "search": {"over": "rate", "start": 30, "max": 1000, "precision": 0.3},
    }
    done = await run(job(workload), ttft_ms=19, parallel=2)
    steps = loads(done)
    assert [s.asked.step for s in steps if s.asked] == list(range(1, len(steps) + 1))
    assert [s.asked.rate for s in steps if s.asked][:3] == [30, 60, 120]
    verdicts = {}
    for step in steps:
        assert step.asked is not None
        each = [s for s in requests(done) if s.asked and s.asked.step == step.asked.step]
        assert len(each) == 60
        assert step.started_ns <= min(due(s) for s in each)
        assert step.ended_ns == max(end(s) for s in each)
        figures = step_figures([served(s) for s in each], concurrency=None, slo=None)
        verdicts[step.asked.rate] = figures.keeps_up
    # One step is over, to its last answer, before the next begins.
    assert all(a.ended_ns < b.started_ns for a, b in pairwise(steps))
    assert verdicts[30] is True and verdicts[120] is False


async def test_a_search_over_users_by_an_slo() -> None:
    workload = {
        "requests": 40,
        "slo": {"latency_ms": 140},
        "search": {"over": "concurrency", "start": 1, "max": 64, "precision": 0.1},
    }
    # 2 places of 46 ms: with 4 users a request takes 92 ms, with 8 it takes 184.
    steps = [s.asked.concurrency for s in loads(await run(job(workload), ttft_ms=40, parallel=2)) if s.asked]
    assert steps[:4] == [1, 2, 4, 8]
    assert steps[4] == 6


async def test_the_number_of_requests_is_bounded_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "MAX_REQUESTS", 12)
    for parameters in ({"concurrency": 4}, {"rate": 200.0}):
        done = await run(job({"duration": 30}, **parameters))
        assert len(requests(done)) == 12
        assert loads(done)[0].reason == "ended at the bound of 12 requests a run"


async def test_unread_answers_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "MAX_UNREAD", 3)
    done = await run(job({"requests": 30}, concurrency=5))
    assert {s.outcome for s in requests(done)} == {Outcome.TRUNCATED}
    assert len(requests(done)) == 30


async def test_connections_stand_before_the_load_where_the_server_keeps_them() -> None:
    spec = job({"requests": 8}, concurrency=4)
    async with serving(spec) as (reference, client):
        done = await run_prompts(spec, client, file=None, left_s=left())
        assert reference.log.connections == 4
    assert len(requests(done)) == 8


async def test_a_cancelled_run_leaves_nothing_behind() -> None:
    spec = job({"requests": 100}, rate=100.0)
    async with serving(spec, ttft_ms=5_000) as (reference, client):
        task = asyncio.create_task(run_prompts(spec, client, file=None, left_s=left(ENOUGH_S)))
        async with asyncio.timeout(ENOUGH_S):
            while len(reference.log.requests) < 3:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
