"""Jobs that wait for a slot that does not come go to others; each waits in one queue, in its order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.breaker import Breaker
from contracts.call import Outcome
from contracts.queues import slot_queue
from tests.support.care import Care, empty, show_slot, take, waiting
from tests.support.rounds import outcome
from tests.unit.dispatch.conftest import MakeCare

PLOTS: dict[str, Any] = {
    "axes": {"num_ctx": [512, 1024], "temperature": [0.1, 0.2, 0.3, 0.4]},
    "runs": 4,
    "order": {"kind": "plots", "loads": 2},
}
"""Four units of eight jobs."""


def open_breaker(care: Care, slot: str, *, since: datetime | None = None, **changes: Any) -> None:
    now = datetime.now(UTC)
    care.store.put_breaker(
        Breaker(
            slot=slot,
            pool="test",
            state=changes.pop("state", "open"),
            failures=3,
            reason="connection refused",
            since=since or now,
            probe_at=now,
            **changes,
        )
    )


def ids(care: Care, queue: str) -> list[str]:
    return [message.job_id for message in waiting(care.store, queue)]


def taken(care: Care, slot: str) -> list[str]:
    """Have a slot take the next ticket; return the ids of the jobs that wait for it."""
    ticket = take(care.store, care.pool)
    assert ticket is not None
    care.store.take_unit(care.x, ticket.arguments[-1], slot)
    return ids(care, slot_queue(slot))


def measured(care: Care, slot: str, jobs: int, *, ms: float) -> None:
    """Have a slot do the first of the jobs that wait for it."""
    by_id = {job.job_id: job for job in care.execution.jobs()}
    for _ in range(jobs):
        message = take(care.store, slot_queue(slot))
        assert message is not None
        care.store.put_outcome(outcome(by_id[message.job_id], slot=slot, ms=ms))


@pytest.mark.parametrize("broken", [False, True], ids=["dead", "broken"])
def test_what_waits_for_a_slot_that_does_not_measure_goes_to_another(
    care_of: MakeCare, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    care = care_of(**PLOTS)
    care.feed_all()
    if broken:
        show_slot(care.store, "bad")
        open_breaker(care, "bad")
    jobs = taken(care, "bad")
    assert len(jobs) == 8
    care.rescuer.look()
    if not broken:  # after an outage of Redis no slot shows a sign of life
        assert ids(care, slot_queue("bad")) == jobs and care.said == []
        monkeypatch.setattr("dispatch.rescue.GONE_PATIENCE_S", 0.0)
        care.rescuer.look()
    assert ids(care, slot_queue("bad")) == []
    *_, ticket = waiting(care.store, care.pool)
    assert ids(care, ticket.arguments[-1]) == jobs
    assert care.said[-1] == "slot bad does not measure: its 8 waiting job(s) go to other slots"
    care.rescuer.look()
    care.reconcile()
    assert len(care.said) == 1 and care.dispatcher.again == []
    assert care.dispatcher.tickets == [ticket.arguments[-1]]
    assert care.store.take_unit(care.x, ticket.arguments[-1], "s0") == 8
    assert ids(care, slot_queue("s0")) == jobs


def test_what_waits_for_a_slot_that_lives_stays(care_of: MakeCare) -> None:
    care = care_of(**PLOTS)
    care.feed_all()
    jobs = taken(care, "s0")
    care.rescuer.look()
    assert ids(care, slot_queue("s0")) == jobs and care.said == []


def test_rescued_jobs_whose_ticket_was_never_sent_are_found(
    care_of: MakeCare, monkeypatch: pytest.MonkeyPatch
) -> None:
    care = care_of(**PLOTS)
    care.feed_all()
    jobs = taken(care, "gone")
    monkeypatch.setattr("dispatch.rescue.GONE_PATIENCE_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(care.dispatcher, "ticket", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            care.rescuer.look()
    care.reconcile()
    (unit,) = care.dispatcher.tickets
    assert ids(care, unit) == jobs and care.dispatcher.again == []


def test_jobs_with_slots_of_their_own_wait_for_a_while(
    care_of: MakeCare, monkeypatch: pytest.MonkeyPatch
) -> None:
    care = care_of(fixed_slots=("s0", "gone"), runs=2)
    care.feed_all()
    jobs = ids(care, slot_queue("gone"))
    assert len(jobs) == 2
    care.rescuer.look()
    assert ids(care, slot_queue("gone")) == jobs
    monkeypatch.setattr("dispatch.rescue.FIXED_PATIENCE_S", 0.0)
    care.rescuer.look()
    assert ids(care, slot_queue("gone")) == []
    (ticket,) = waiting(care.store, care.pool)
    assert ids(care, ticket.arguments[-1]) == jobs


def test_the_tail_of_a_slow_slots_unit_goes_to_an_idle_one(care_of: MakeCare) -> None:
    care = care_of(**PLOTS)
    show_slot(care.store, "s1")
    care.feed_all()
    first = taken(care, "s0")
    jobs = taken(care, "s0")
    empty(care.store, care.pool)
    measured(care, "s0", 2, ms=10_000)
    care.store.client.hset(f"chimera:x:{care.x}:counts", "load_ms", "1000")
    jobs = jobs[2:]
    care.rescuer.look()
    (ticket,) = waiting(care.store, care.pool)
    stolen = ids(care, ticket.arguments[-1])
    assert len(jobs) == 14 and 6 <= len(stolen) <= 8
    assert ids(care, slot_queue("s0")) + stolen == jobs  # its end
    assert first[:2] != stolen[:2]
    care.rescuer.look()
    assert len(care.dispatcher.tickets) == 1  # who waits for a ticket is not idle


def test_nothing_is_split_while_there_is_more_to_publish_or_a_load_takes_longer(care_of: MakeCare) -> None:
    care = care_of(**PLOTS)
    show_slot(care.store, "s1")
    care.feed(slots=1)
    taken(care, "s0")
    measured(care, "s0", 2, ms=10_000)
    empty(care.store, care.pool)
    care.store.client.hset(f"chimera:x:{care.x}:counts", "load_ms", "1000")
    assert not care.feeder.finished
    care.rescuer.look()
    assert care.dispatcher.tickets == []
    care.store.client.hset(f"chimera:x:{care.x}:counts", "load_ms", "600000")
    care.feed_all()
    empty(care.store, care.pool)
    care.rescuer.look()
    assert care.dispatcher.tickets == []


@pytest.mark.parametrize("fixed_slots", [(), ("s0", "s1")], ids=["pulled", "balanced"])
def test_what_was_taken_back_is_sent_again_once_and_to_any_slot(
    care_of: MakeCare, fixed_slots: tuple[str, ...]
) -> None:
    care = care_of(runs=2, fixed_slots=fixed_slots)
    care.feed_all()
    empty(care.store, care.pool, slot_queue("s0"), slot_queue("s1"))
    job = care.execution.jobs()[1]
    care.execution.do(other for other in care.execution.jobs() if other != job)
    care.store.put_outcome(outcome(job, result=Outcome.CONNECTION))
    care.feed()
    assert list(care.feeder.outstanding) == []
    assert care.store.void(care.x, {job.job_id: job.configuration.id}, slot="s0", why="refused")
    care.rescuer.look()
    care.rescuer.look()
    (message,) = waiting(care.store, care.pool)
    assert message.job_id == job.job_id and list(care.feeder.outstanding) == [job.job_id]
    empty(care.store, care.pool)
    care.reconcile()  # it is looked after like any other
    assert len(care.dispatcher.again) == 2


def test_a_sweep_whose_servers_all_fail_is_given_up_in_time(
    care_of: MakeCare, monkeypatch: pytest.MonkeyPatch
) -> None:
    care = care_of(runs=1)
    show_slot(care.store, "s1")
    show_slot(care.store, "other", pool="other")
    long_ago = datetime.now(UTC) - timedelta(seconds=100)
    monkeypatch.setattr("dispatch.rescue.GIVE_UP_S", 90.0)
    open_breaker(care, "s0", since=long_ago)
    care.rescuer.look()
    assert care.store.status(care.x) == "running"  # s1 works
    open_breaker(care, "s1")
    care.rescuer.look()
    assert care.store.status(care.x) == "running"  # not for long
    open_breaker(care, "s1", since=long_ago, answered_at=datetime.now(UTC))
    care.rescuer.look()
    assert care.store.status(care.x) == "running"  # its server answers: it may be the jobs that fail
    open_breaker(care, "s1", since=long_ago)
    care.rescuer.look()
    assert care.store.status(care.x) == "running"  # the execution is young, its servers may be repaired
    monkeypatch.setattr(care.rescuer, "_began", care.rescuer._began - 100)
    care.rescuer.look()
    assert care.store.status(care.x) == "cancelled"
    why = care.store.cancelled(care.x)
    assert why is not None and why.startswith(
        "given up: no slot of pool test has had a working model server for 90 s"
    )
    assert "connection refused" in why


def test_a_slot_that_is_half_open_is_left_its_jobs_and_ends_no_sweep(
    care_of: MakeCare, monkeypatch: pytest.MonkeyPatch
) -> None:
    care = care_of(**PLOTS)
    care.feed_all()
    jobs = taken(care, "s0")
    open_breaker(care, "s0", since=datetime.now(UTC) - timedelta(hours=8), state="half-open")
    monkeypatch.setattr("dispatch.rescue.GIVE_UP_S", 0.0)
    care.rescuer.look()
    assert ids(care, slot_queue("s0")) == jobs
    assert care.store.status(care.x) == "running"


def test_absence_is_said_once_each_time(care_of: MakeCare) -> None:
    care = care_of(runs=1)
    care.store.drop_slot("s0")
    care.store.drop_aggregator("a")
    for _ in range(3):
        care.rescuer.look()
    assert [line.partition(";")[0] for line in care.said] == [
        "no aggregator is live",
        "no slot of pool test is live",
    ]
    show_slot(care.store, "s0")
    care.rescuer.look()
    care.store.drop_slot("s0")
    care.rescuer.look()
    assert len(care.said) == 3
