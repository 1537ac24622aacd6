"""The feeder: a bounded window, in order, each unit once, wherever it is cut off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from contracts.failures import BrokerError
from contracts.job import JobSpec
from contracts.jobs import JobMaker
from contracts.plots import Unit
from contracts.queues import TAKE_PLOT, slot_queue
from contracts.store import Store
from dispatch.dispatcher import Dispatcher, NamedUnit
from dispatch.window import first_window
from tests.support.care import Care, take, waiting
from tests.unit.dispatch.conftest import MakeCare

BIG: dict[str, Any] = {"axes": {"temperature": [0.1, 0.2, 0.3, 0.4, 0.5]}, "runs": 16}
PLOTS: dict[str, Any] = {"axes": {"num_ctx": [512, 1024, 2048], "temperature": [0.2, 0.8]}, "runs": 4}


def ids(care: Care, units: Iterable[Unit]) -> list[str]:
    return [care.execution.maker.job_id(job) for unit in units for job in unit.jobs]


def all_ids(care: Care) -> list[str]:
    return ids(care, care.execution.maker.units())


def queued_jobs(care: Care) -> list[str]:
    return [message.job_id for message in waiting(care.store, care.pool)]


def jobs_by_id(care: Care) -> dict[str, JobSpec]:
    return {job.job_id: job for job in care.execution.jobs()}


def drain(care: Care, *, slots: int, at_once: int) -> list[str]:
    """Do all jobs in the order in which they are taken; return their ids."""
    jobs, taken = jobs_by_id(care), list[str]()
    for _ in range(10_000):
        care.feed(slots)
        messages = [message for _ in range(at_once) if (message := take(care.store, care.pool))]
        if not messages:
            return taken
        for message in messages:
            taken.append(message.job_id)
            care.execution.do([jobs[message.job_id]])
    raise AssertionError("it does not end")


@pytest.mark.parametrize("slots", [0, 1, 4])
def test_what_waits_is_bounded_while_nothing_is_done(care_of: MakeCare, slots: int) -> None:
    care = care_of(**BIG)
    for _ in range(20):
        care.feed(slots)
    assert len(queued_jobs(care)) == first_window(slots) + slots
    assert not care.feeder.finished


def test_the_units_come_in_their_order_and_each_once(care_of: MakeCare) -> None:
    care = care_of(**BIG)
    assert drain(care, slots=2, at_once=3) == all_ids(care)
    assert care.feeder.finished and list(care.feeder.outstanding) != all_ids(care)
    care.feed(2)
    assert list(care.feeder.outstanding) == [] and queued_jobs(care) == []
    assert care.store.feeding(care.x).units == 80


def test_with_plots_a_unit_waits_in_a_queue_of_its_own(care_of: MakeCare) -> None:
    care = care_of(**PLOTS)
    care.feed(slots=2)
    tickets = waiting(care.store, care.pool)
    assert [ticket.task for ticket in tickets] == [TAKE_PLOT] * 3  # one for each slot, and one that waits
    units = list(care.execution.maker.units())[:3]
    for ticket, unit in zip(tickets, units, strict=True):
        assert [m.job_id for m in waiting(care.store, ticket.arguments[-1])] == ids(care, [unit])
    care.feed(slots=2)
    assert len(waiting(care.store, care.pool)) == 3


def test_a_sweep_with_plots_leaves_the_other_its_part_of_the_slots(care_of: MakeCare) -> None:
    care = care_of(**PLOTS)
    care.feed(slots=4, sweeps=2)
    assert len(waiting(care.store, care.pool)) == 2


def test_jobs_that_are_done_are_not_published_in_a_new_generation(care_of: MakeCare) -> None:
    care = care_of(begin=False, **PLOTS)
    jobs = care.execution.jobs()
    done = [job for place, job in enumerate(jobs) if place % 3 or place < 4]  # the whole first unit, too
    care.execution.do(done)
    assert care.start() == len(jobs) - len(done)
    care.feed_all()
    left = ids(care, [unit for _, unit in care.dispatcher.units])
    assert left == [job.job_id for job in jobs if job not in done]
    assert {message.arguments[2] for message in waiting(care.store, care.pool)} == {1}
    assert care.store.feeding(care.x).units == len(list(care.execution.maker.units()))


def test_the_successor_publishes_the_rest_and_only_that(care_of: MakeCare, redis_url: str) -> None:
    care = care_of(**BIG)
    jobs = jobs_by_id(care)
    for _ in range(3):
        care.feed(slots=5)
        for _ in range(4):
            message = take(care.store, care.pool)
            assert message is not None
            care.execution.do([jobs[message.job_id]])
    published = ids(care, [unit for _, unit in care.dispatcher.units])
    successor = Care(redis_url, care.execution)
    successor.feed(slots=5)
    assert set(successor.feeder.outstanding) >= set(published[12:])
    drain(successor, slots=5, at_once=7)
    assert ids(successor, [unit for _, unit in successor.dispatcher.units]) == all_ids(care)[len(published) :]


class CutOff(Exception):
    pass


@pytest.mark.parametrize("error", [BrokerError("Redis went away"), KeyboardInterrupt(), CutOff()])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("plots", [False, True], ids=["jobs", "plots"])
def test_it_goes_on_where_publishing_was_cut_off(
    care_of: MakeCare, monkeypatch: pytest.MonkeyPatch, error: BaseException, after: bool, plots: bool
) -> None:
    care = care_of(**(PLOTS if plots else BIG))
    publish, calls = Dispatcher.publish, 0

    def cut(self: Dispatcher, units: Iterable[NamedUnit], **options: Any) -> None:
        nonlocal calls
        calls += 1
        chosen = list(units)
        if calls % 2 == 0:
            if after:
                publish(self, chosen, **options)
            raise error
        publish(self, chosen, **options)

    monkeypatch.setattr(Dispatcher, "publish", cut)
    jobs, failed = jobs_by_id(care), 0
    for _ in range(1000):
        try:
            care.feed(slots=2 if plots else 7)
            care.execution.do(jobs[i] for i in list(care.feeder.outstanding)[:5])
        except (BrokerError, KeyboardInterrupt, CutOff):
            failed += 1
        if care.feeder.finished and not list(care.feeder.outstanding):
            break
    else:
        raise AssertionError("it does not end")
    assert failed > 0
    queues = [care.pool] if not plots else [name for name, _ in care.dispatcher.units]
    arrived = [message.job_id for queue in dict.fromkeys(queues) for message in waiting(care.store, queue)]
    assert list(dict.fromkeys(arrived)) == all_ids(care)  # in their order; some twice
    if not after:
        assert len(arrived) == len(set(arrived))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_it_goes_on_where_its_place_could_not_be_recorded(
    care_of: MakeCare, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    care = care_of(**BIG)
    put, calls = Store.put_feeding, 0

    def cut(self: Store, *arguments: Any, **options: Any) -> bool:
        nonlocal calls
        calls += 1
        recorded = put(self, *arguments, **options) if calls % 2 or after else False
        if not calls % 2:
            raise CutOff
        return recorded

    monkeypatch.setattr(Store, "put_feeding", cut)
    jobs = jobs_by_id(care)
    for _ in range(1000):
        try:
            care.feed(slots=7)
            care.execution.do(jobs[i] for i in list(care.feeder.outstanding)[:5])
        except CutOff:
            continue
        if care.feeder.finished and not list(care.feeder.outstanding):
            break
    else:
        raise AssertionError("it does not end")
    assert list(dict.fromkeys(queued_jobs(care))) == all_ids(care)


def test_a_feeder_of_an_older_generation_does_not_say_how_far_the_new_one_is(
    care_of: MakeCare, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    care = care_of(**BIG)
    publish = Dispatcher.publish

    def overtaken(self: Dispatcher, units: Iterable[NamedUnit], **options: Any) -> None:
        monkeypatch.setattr(Dispatcher, "publish", publish)
        publish(self, units, **options)
        care.start()  # a resume, in the very moment

    monkeypatch.setattr(Dispatcher, "publish", overtaken)
    care.feed(slots=3)
    assert care.store.feeding(care.x).units == 0
    successor = Care(redis_url, care.execution)
    assert drain(successor, slots=3, at_once=5)[-80:] == all_ids(care)


def test_with_fixed_slots_the_window_follows_the_slot_that_is_next_to_idle(care_of: MakeCare) -> None:
    care = care_of(fixed_slots=("s0", "s1"), **BIG)
    for _ in range(20):
        care.feed(slots=2)
    queues = [waiting(care.store, slot_queue(slot)) for slot in ("s0", "s1")]
    assert sum(map(len, queues)) == first_window(2) + 2
    assert abs(len(queues[0]) - len(queues[1])) <= 1


def test_the_units_of_a_plan_are_those_of_its_manifest(care_of: MakeCare) -> None:
    care = care_of(**PLOTS)
    stored = care.store.manifest(care.x)
    assert stored is not None and stored.order == ()
    assert list(JobMaker.of(stored, "elsewhere").units()) == list(care.execution.plan.units())
