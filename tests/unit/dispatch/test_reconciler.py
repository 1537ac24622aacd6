"""What the reconciler sends again: what is lost, once; and nothing that waits or runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts.queues import AGGREGATE_QUEUE, slot_queue
from contracts.store import Store, claim_key
from tests.support.care import Care, empty, show_slot, take, waiting
from tests.support.rounds import LOUD, QUIET, Sweep
from tests.unit.dispatch.conftest import MakeCare

PLOTS: dict[str, Any] = {"axes": {"num_ctx": [1024, 2048], "temperature": [0.2, 0.8]}, "runs": 2}


@pytest.fixture
def sweep(tmp_path: Path, corpus: Path, store: Store, looks: None) -> Sweep:
    store.put_aggregator("a", ttl_s=60)
    show_slot(store, "s0")
    return Sweep(tmp_path, store)


@pytest.fixture
def care(redis_url: str, sweep: Sweep) -> Care:
    made = Care(redis_url, sweep)
    made.start()
    return made


def look(care: Care) -> None:
    """Feed and reconcile; what waits for an aggregator is taken, as one does."""
    empty(care.store, AGGREGATE_QUEUE)
    care.feed()
    care.reconcile()


# --- rounds ---------------------------------------------------------------------------------


def test_a_lost_callback_is_sent_again(sweep: Sweep, care: Care) -> None:
    sweep.do(sweep.jobs())
    sweep.summarise(sweep.first, QUIET)
    look(care)
    assert care.dispatcher.callbacks == [sweep.second]


def test_a_lost_decision_is_asked_for_again(sweep: Sweep, care: Care) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    look(care)
    assert care.dispatcher.sent_after_jobs == ([], [4], 0)
    assert care.said == ["block 4: the decision did not come; asking for it again"]


def test_a_decision_that_was_not_carried_out_is_carried_out(sweep: Sweep, care: Care) -> None:
    sweep.to_the_first_decision(LOUD, LOUD)
    sweep.decide(4)  # decided and recorded; what it published went nowhere
    look(care)
    assert care.dispatcher.decisions == [4] and care.dispatcher.again == []
    assert care.said == ["block 4: its jobs did not come; asking for it again"]


def test_one_lost_job_of_a_later_block_is_sent_again_in_its_own_chord(sweep: Sweep, care: Care) -> None:
    sweep.to_the_first_decision(LOUD, LOUD)
    sweep.decide(4)
    ((_, units),) = sweep.sent.blocks
    done, lost = (job for unit in units for job in unit.jobs)
    sweep.do([sweep.maker.job(done)])
    look(care)
    assert care.dispatcher.again == [(lost, 3)] and care.dispatcher.decisions == []
    (message,) = waiting(care.store, care.pool)
    assert message.headers["group"].endswith(f".{lost.configuration.id}.4")


def test_a_new_generation_publishes_the_blocks_that_were_decided(
    sweep: Sweep, care: Care, redis_url: str
) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    sweep.decide(4)
    ((_, (unit,)),) = sweep.sent.blocks
    again = Care(redis_url, sweep)
    assert again.start() == 1
    again.feed()
    assert [published for _, published in again.dispatcher.units] == [unit]
    assert (again.rounds.next_block, again.store.feeding(again.x).known_block) == (5, 4)
    empty(again.store, again.pool)
    again.reconcile()
    assert again.dispatcher.again == [(unit.jobs[0], 4)]  # its chord is that of all that is missing
    (message,) = waiting(again.store, again.pool)
    assert message.headers["group"].endswith(f".{sweep.second}")


def test_a_feeder_that_takes_over_knows_blocks_decided_meanwhile(
    sweep: Sweep, care: Care, redis_url: str
) -> None:
    idle = Care(redis_url, sweep)  # of a steward that waits for the execution's
    sweep.to_the_first_decision(QUIET, LOUD)
    sweep.decide(4)
    ((_, (unit,)),) = sweep.sent.blocks
    care.start()  # its producer resumes it, and dies
    idle.feed()
    assert [published for _, published in idle.dispatcher.units] == [unit]


def test_a_lost_callback_of_a_later_block_is_sent_again(sweep: Sweep, care: Care) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    sweep.decide(4)
    sweep.do(sweep.jobs(sweep.sent.blocks[0][1]))
    look(care)
    assert care.dispatcher.callbacks == [sweep.second] and care.dispatcher.again == []


def test_the_finaliser_comes_after_the_last_decision_only(sweep: Sweep, care: Care) -> None:
    sweep.to_the_first_decision(QUIET, QUIET)
    look(care)
    assert care.dispatcher.sent_after_jobs == ([], [4], 0)
    sweep.decide(4)
    assert sweep.store.client.delete(f"chimera:x:{sweep.execution}:finaliser") == 1
    look(care)
    assert care.dispatcher.finalised == 1
    assert care.rounds.next_block is None


def test_what_is_queued_of_a_block_is_not_sent_again(sweep: Sweep, care: Care) -> None:
    sweep.to_the_first_decision(LOUD, LOUD)
    sweep.decide(4)
    care.feed()
    care.dispatcher.publish_block(*sweep.sent.blocks[0])
    care.reconcile()
    assert (care.dispatcher.decisions, care.dispatcher.again, care.said) == ([], [], [])


# --- jobs -----------------------------------------------------------------------------------


def test_a_lost_message_is_sent_again_at_the_second_look(care_of: MakeCare) -> None:
    care = care_of(runs=2)
    care.feed_all()
    lost = take(care.store, care.pool)
    assert lost is not None
    care.reconciler.look(care.store.progress(care.x))
    assert care.dispatcher.again == []
    care.reconciler.look(care.store.progress(care.x))
    ((job, _),) = care.dispatcher.again
    assert care.execution.maker.job_id(job) == lost.job_id
    (line,) = care.said
    assert (
        line
        == f"test / {job.configuration.name} / run {job.run}: its message got lost; sending the job again"
    )
    *_, sent = waiting(care.store, care.pool)
    assert (sent.id, sent.chord, sent.headers["group"]) == (lost.id, lost.chord, lost.headers["group"])
    care.reconcile()  # it waits now
    assert len(care.dispatcher.again) == 1


def test_a_job_that_runs_is_not_sent_again_and_one_whose_worker_died_is(care_of: MakeCare) -> None:
    care = care_of(runs=2)
    care.feed_all()
    message = take(care.store, care.pool)
    assert message is not None
    job_id = message.job_id
    care.store.client.set(claim_key(care.x, job_id), "a worker")
    care.store.start_job(care.x, job_id, title="t", slot="s0")
    care.reconcile()
    care.reconcile()
    assert care.dispatcher.again == []
    care.store.client.delete(claim_key(care.x, job_id))
    care.reconcile()
    ((job, _),) = care.dispatcher.again
    assert care.execution.maker.job_id(job) == job_id
    assert care.said[-1].endswith(": its worker died; sending the job again")
    assert care.store.progress(care.x).running == {}


def test_a_job_of_a_dead_worker_that_waits_again_is_not_sent_twice(care_of: MakeCare) -> None:
    care = care_of(runs=2)
    care.feed_all()
    first = waiting(care.store, care.pool)[0]  # Celery gave it back to the queue
    care.store.start_job(care.x, first.job_id, title="t", slot="s0")
    care.reconcile()
    assert care.dispatcher.again == []


def test_many_lost_messages_are_sent_at_once_and_a_few_of_them_named(care_of: MakeCare) -> None:
    care = care_of(runs=6)
    care.feed_all()
    before = {message.id for message in waiting(care.store, care.pool)}
    empty(care.store, care.pool)
    care.reconcile()
    after = [message.id for message in waiting(care.store, care.pool)]
    assert len(after) == len(before) == 12 and set(after) == before
    assert len(care.said) == 6 and care.said[-1] == "… and 7 more jobs of dead workers or lost messages"


def test_a_lost_job_with_a_slot_of_its_own_goes_to_that_slot(care_of: MakeCare) -> None:
    care = care_of(runs=2, fixed_slots=("s0", "s1"))
    care.feed_all()
    lost = take(care.store, slot_queue("s1"))
    assert lost is not None
    care.reconcile()
    assert waiting(care.store, slot_queue("s1"))[-1].id == lost.id
    assert waiting(care.store, care.pool) == []


def test_jobs_that_wait_in_a_slots_queue_or_in_a_units_are_not_lost(care_of: MakeCare) -> None:
    care = care_of(**PLOTS)
    care.feed_all()
    names = [name for name, _ in care.dispatcher.units]
    care.store.take_unit(care.x, names[0], "gone")  # a slot that is no longer live
    take(care.store, care.pool)
    care.reconcile()
    assert (care.dispatcher.again, care.dispatcher.tickets, care.said) == ([], [], [])


def test_a_lost_ticket_is_sent_again(care_of: MakeCare) -> None:
    care = care_of(**PLOTS)
    care.feed_all()
    lost = take(care.store, care.pool)
    assert lost is not None
    care.reconcile()
    care.reconcile()
    (unit,) = care.dispatcher.tickets
    assert lost.arguments[-1] == unit and care.dispatcher.again == []
    assert waiting(care.store, care.pool)[-1].id == lost.id


def test_a_lost_unit_queue_costs_only_the_order(care_of: MakeCare) -> None:
    care = care_of(**PLOTS)
    care.feed_all()
    name, unit = care.dispatcher.units[0]
    empty(care.store, name)
    care.reconcile()
    assert {job for job, _ in care.dispatcher.again} == set(unit.jobs)


def test_an_outcome_that_came_meanwhile_ends_the_suspicion(care_of: MakeCare) -> None:
    care = care_of(runs=1)
    care.feed_all()
    empty(care.store, care.pool)
    care.reconciler.look(care.store.progress(care.x))
    care.execution.do(care.execution.jobs())
    care.reconciler.look(care.store.progress(care.x))
    assert care.dispatcher.again == []


# --- what comes after jobs ------------------------------------------------------------------


def test_a_callback_that_waits_for_an_aggregator_is_not_sent_again(care_of: MakeCare) -> None:
    care = care_of(runs=1)
    care.execution.do(care.execution.jobs())
    care.feed_all()
    care.reconcile()
    first = sorted(care.aggregations())
    assert len(first) == 2
    for _ in range(3):
        care.reconcile()
    assert sorted(care.aggregations()) == first
    empty(care.store, AGGREGATE_QUEUE)
    care.reconcile()
    assert sorted(care.aggregations()) == first


def test_a_lost_finaliser_is_sent_again(care_of: MakeCare) -> None:
    care = care_of(runs=1)
    care.execution.do(care.execution.jobs())
    care.feed_all()
    for configuration in care.execution.plan.configurations:
        care.store.put_summary(care.x, configuration.id, "{}", runs=1)
    care.reconcile()
    assert care.dispatcher.finalised == 1
    care.store.client.delete(f"chimera:x:{care.x}:finaliser")
    care.reconcile()
    assert care.dispatcher.finalised == 1  # it waits
    empty(care.store, AGGREGATE_QUEUE)
    care.reconcile()
    assert care.dispatcher.finalised == 2


def test_a_decision_that_waits_is_not_asked_for_twice(sweep: Sweep, care: Care) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    care.feed()
    for _ in range(3):
        care.reconcile()
    assert care.dispatcher.decisions == [4]


def test_callbacks_wait_for_an_aggregator(care_of: MakeCare) -> None:
    care = care_of(runs=1)
    care.store.drop_aggregator("a")
    care.execution.do(care.execution.jobs())
    care.feed_all()
    care.reconcile()
    assert care.aggregations() == []
    care.store.put_aggregator("b", ttl_s=60)
    care.reconcile()
    assert len(care.aggregations()) == 2
