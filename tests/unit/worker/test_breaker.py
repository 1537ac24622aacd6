"""The circuit breaker of a slot, on a real store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.breaker import TRIPS_AFTER
from contracts.call import CallResult, CallTiming, Outcome
from contracts.job import JobSpec
from contracts.jobs import JobMaker
from contracts.outcome import AskedLoad, JobOutcome, StageResult
from contracts.settings import WorkerSettings
from contracts.store import Store
from producer.manifest import make_manifest
from producer.plan import make_plan
from producer.sweep_file import load
from tests.support.present import present
from tests.support.sweeps import write_sweep
from worker import delivery
from worker.breaking import PAUSE_SCALE, PAUSES_S, SlotBreaker, fault_of, pause_s
from worker.delivery import SlotBusy, deliver
from worker.job import Started, unmeasured
from worker.probing import Prober

SETTINGS = WorkerSettings("s0", "test", "http://127.0.0.1:1", None, 60.0)
AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def jobs(tmp_path: Path, corpus: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> list[JobSpec]:
    monkeypatch.setattr(delivery, "OUT_S", 0.0)
    sweep = write_sweep(tmp_path, axes={"temperature": [0.5]}, runs=8)
    manifest = make_manifest(make_plan(load(sweep), sweep))
    store.begin(manifest)
    store.next_generation(manifest.execution)
    maker = JobMaker.of(manifest, str(tmp_path))
    return [maker.job(planned) for unit in maker.units() for planned in unit.jobs]


def outcome_of(job: JobSpec, word: Outcome | None, status: int | None = None) -> JobOutcome:
    """Return a job's outcome with one call; ``None``: with none."""
    whole = unmeasured(job, Started.now(SETTINGS, 1), "nothing was called")
    if word is None:
        return whole
    call = CallResult(
        outcome=word,
        reason=f"it was {word.value}",
        http_status=status,
        timing=CallTiming(wall_anchor=AT, sent_ns=1, end_ns=2),
    )
    stage = StageResult(stage="analysis", outcome=word, started_at=AT, started_ns=1, ended_ns=2, call=call)
    return whole.model_copy(update={"stages": (stage,), "problem": None})


def noted(breaker: SlotBreaker, store: Store, job: JobSpec, word: Outcome | None) -> None:
    outcome = outcome_of(job, word, 500 if word is Outcome.SERVER_ERROR else None)
    store.put_outcome(outcome)
    breaker.note(outcome)


def told(store: Store, job: JobSpec) -> list[str]:
    return [line for _, line in store.told(job.execution)[0]]


@pytest.mark.parametrize(
    ("word", "status", "is_fault"),
    [
        (Outcome.OK, 200, False),
        (Outcome.TRUNCATED, 200, False),
        (Outcome.DEGENERATE, 200, False),
        (Outcome.ABORTED, 200, False),
        (Outcome.CONNECTION, None, True),
        (Outcome.TIMEOUT, None, True),
        (Outcome.SERVER_ERROR, 500, True),
        (Outcome.SERVER_ERROR, 200, True),
        (Outcome.SERVER_ERROR, 429, True),
        (Outcome.SERVER_ERROR, 404, False),
        (Outcome.SERVER_ERROR, None, False),
        (None, None, False),
    ],
)
def test_what_is_the_servers_fault(
    jobs: list[JobSpec], word: Outcome | None, status: int | None, is_fault: bool
) -> None:
    assert (fault_of(outcome_of(jobs[0], word, status)) is not None) == is_fault


@pytest.mark.parametrize("carried_out", [True, False], ids=["some-failed", "all-failed"])
def test_failed_requests_of_a_load_that_was_carried_out_are_no_fault(
    jobs: list[JobSpec], carried_out: bool
) -> None:
    outcome = outcome_of(jobs[0], Outcome.TIMEOUT)
    (request,) = outcome.stages
    request = request.model_copy(update={"stage": "request", "asked": AskedLoad(request=1)})
    word = Outcome.OK if carried_out else Outcome.TIMEOUT
    whole = request.model_copy(update={"stage": "load", "asked": AskedLoad(), "outcome": word, "call": None})
    made = outcome.model_copy(update={"stages": (whole, request)})
    assert (fault_of(made) is None) == carried_out


def test_failures_in_a_row_open_it_and_are_taken_back(jobs: list[JobSpec], store: Store) -> None:
    breaker = SlotBreaker(SETTINGS, store)
    row = [Outcome.CONNECTION, Outcome.TIMEOUT, Outcome.SERVER_ERROR]
    noted(breaker, store, jobs[0], Outcome.CONNECTION)
    noted(breaker, store, jobs[1], Outcome.OK)  # the row begins anew
    for job, word in zip(jobs[2:5], row, strict=True):
        assert not breaker.is_open() and store.breaker("s0") is None
        noted(breaker, store, job, word)
    assert breaker.is_open()
    found = store.breaker("s0")
    assert found is not None
    assert (found.state, found.failures, found.reason) == ("open", TRIPS_AFTER, "it was server_error")
    assert store.jobs_done(jobs[0].execution) == {jobs[0].job_id, jobs[1].job_id}
    assert sorted(store.voided(jobs[0].execution)) == sorted(job.job_id for job in jobs[2:5])
    assert told(store, jobs[0]) == [
        "slot s0 is taken out: 3 jobs in a row failed by its server (it was server_error); "
        "3 of them will be measured again"
    ]


def test_a_job_that_never_asked_the_server_says_nothing_of_it(jobs: list[JobSpec], store: Store) -> None:
    breaker = SlotBreaker(SETTINGS, store)
    for job, word in zip(jobs, [Outcome.TIMEOUT, None, Outcome.TIMEOUT, None, Outcome.TIMEOUT], strict=False):
        assert not breaker.is_open()
        noted(breaker, store, job, word)
    assert breaker.is_open()


def opened(store: Store, jobs: list[JobSpec]) -> SlotBreaker:
    breaker = SlotBreaker(SETTINGS, store)
    for job in jobs[:TRIPS_AFTER]:
        noted(breaker, store, job, Outcome.CONNECTION)
    return breaker


def half_opened(store: Store, jobs: list[JobSpec]) -> SlotBreaker:
    breaker = opened(store, jobs)
    found = store.breaker("s0")
    assert found is not None
    store.put_breaker(found.model_copy(update={"state": "half-open"}))
    assert not breaker.is_open()
    return breaker


def test_half_open_a_good_job_closes_it(jobs: list[JobSpec], store: Store) -> None:
    breaker = half_opened(store, jobs)
    noted(breaker, store, jobs[3], Outcome.DEGENERATE)  # not the server's fault: it answered
    assert store.breaker("s0") is None and not breaker.is_open()
    assert told(store, jobs[0])[-1] == "slot s0 is back: its server answers again"
    noted(breaker, store, jobs[4], Outcome.CONNECTION)
    assert not breaker.is_open(), "it takes a row again"


def test_half_open_a_failing_job_opens_it_at_once_and_is_taken_back(
    jobs: list[JobSpec], store: Store
) -> None:
    breaker = half_opened(store, jobs)
    since = present(store.breaker("s0")).since
    noted(breaker, store, jobs[3], Outcome.CONNECTION)
    found = store.breaker("s0")
    assert found is not None and (found.state, found.failures, found.since) == ("open", 4, since)
    assert jobs[3].job_id in store.voided(jobs[0].execution)


def test_a_restarted_worker_goes_on_with_it(jobs: list[JobSpec], store: Store) -> None:
    opened(store, jobs)
    with pytest.raises(SlotBusy, match="slot s0 is out"):
        deliver(jobs[5], 1, settings=SETTINGS, store=store, beat=store.client)
    assert not store.has_outcome(jobs[5].execution, jobs[5].job_id)


def test_jobs_on_a_dead_server_open_it(jobs: list[JobSpec], store: Store) -> None:
    for job in jobs[:TRIPS_AFTER]:
        deliver(job, 1, settings=SETTINGS, store=store, beat=store.client)
    with pytest.raises(SlotBusy, match="slot s0 is out"):
        deliver(jobs[TRIPS_AFTER], 1, settings=SETTINGS, store=store, beat=store.client)
    assert "connection refused" in present(store.breaker("s0")).reason


class Asked:
    """A server that answers as told."""

    def __init__(self, *answers: str | None) -> None:
        self._answers = iter(answers)
        self.times = 0

    def __call__(self, _: str) -> str | None:
        self.times += 1
        return next(self._answers)


@pytest.fixture
def overdue(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No pause between probes."""
    monkeypatch.setenv(PAUSE_SCALE, "-1")
    yield


def test_the_prober_asks_until_the_server_answers(jobs: list[JobSpec], store: Store, overdue: None) -> None:
    asked = Asked("connection refused", "still refused", None)
    prober = Prober(SETTINGS, store, asked)
    prober.look()
    assert not prober.is_out and asked.times == 0, "a closed breaker asks nobody"
    opened(store, jobs)
    for reason in ("connection refused", "still refused"):
        prober.look()
        assert prober.is_out and present(store.breaker("s0")).reason == reason
    prober.look()
    assert not prober.is_out and present(store.breaker("s0")).state == "half-open"
    prober.look()
    assert asked.times == 3, "half-open, the next job decides"
    store.drop_breaker("s0")
    prober.look()
    assert not prober.is_out


def test_the_pauses_go_on_growing_where_an_answer_to_a_probe_meant_nothing(
    jobs: list[JobSpec], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaker = opened(store, jobs)
    found = store.breaker("s0")
    assert found is not None
    store.put_breaker(found.model_copy(update={"probe_at": AT}))
    prober, asked_at = Prober(SETTINGS, store, Asked(None)), datetime.now(UTC)
    prober.look()
    assert not breaker.is_open()
    noted(breaker, store, jobs[3], Outcome.CONNECTION)
    prober.look()
    found = store.breaker("s0")
    assert found is not None and found.state == "open" and prober.is_out
    assert found.probe_at - asked_at >= timedelta(seconds=PAUSES_S[1])


def test_the_pauses_between_probes_grow(
    jobs: list[JobSpec], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PAUSE_SCALE, "2")
    assert [pause_s(n) for n in range(6)] == [10, 20, 40, 80, 120, 120]
    monkeypatch.delenv(PAUSE_SCALE)
    assert [pause_s(n) for n in range(5)] == list(PAUSES_S)
    assert [pause_s(n, answered=True) for n in range(5)] == [5, 10, 10, 10, 10], "the jobs may be what fails"
    opened(store, jobs)
    prober = Prober(SETTINGS, store, Asked("refused"))
    prober.look()
    found = store.breaker("s0")
    assert found is not None and prober.is_out
    assert found.probe_at - found.since == timedelta(seconds=PAUSES_S[0]), "not due yet"
