"""What the reconciler sends again of a sweep that runs until precise."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from contracts.publish import Dispatcher
from contracts.queues import pool_queue
from contracts.slots import SlotStatus
from contracts.store import Store
from producer.published import Published
from producer.reconcile import Reconciler
from tests.support.rounds import LOUD, QUIET, Sent, Sweep


class Follower:
    """A producer that follows the sweep, its looks made by the test."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.sent = Sent()
        self.said: list[str] = []
        maker = sweep.plan.maker(sweep.execution)
        self.published = Published(sweep.store, sweep.manifest, maker)
        self.reconciler = Reconciler(
            sweep.store, cast(Dispatcher, self.sent), self.published, self.said.append
        )

    def look(self) -> None:
        """Two looks: what is lost is sent again at the second."""
        for _ in range(2):
            self.published.news()
            self.reconciler.look(self.sweep.store.progress(self.sweep.execution))


@pytest.fixture
def sweep(tmp_path: Path, corpus: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    monkeypatch.setattr("producer.reconcile.EVERY_S", 0.0)
    store.put_aggregator("a", ttl_s=60)
    status = SlotStatus(
        slot="s0",
        pool="test",
        host="h",
        pid=1,
        server="http://127.0.0.1:1",
        max_deadline_s=60,
        models={},
        seen_at=datetime.now(UTC),
    )
    store.put_slot(status, ttl_s=60)
    return Sweep(tmp_path, store)


@pytest.fixture
def follower(sweep: Sweep) -> Follower:
    return Follower(sweep)


def test_a_lost_callback_is_sent_again(sweep: Sweep, follower: Follower) -> None:
    sweep.do(sweep.plan.jobs(sweep.execution))
    sweep.summarise(sweep.first, QUIET)
    follower.look()
    assert follower.sent.callbacks == [sweep.second]


def test_a_lost_decision_is_asked_for_again(sweep: Sweep, follower: Follower) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    follower.look()
    assert follower.sent.decisions == [4] and follower.sent.finalised == 0
    assert follower.said == ["block 4: the decision did not come; asking for it again"]


def test_a_decision_that_was_not_carried_out_is_carried_out(sweep: Sweep, follower: Follower) -> None:
    sweep.to_the_first_decision(LOUD, LOUD)
    sweep.decide(4)  # decided and recorded; what it published went nowhere
    follower.look()
    assert follower.sent.decisions == [4] and follower.sent.again == []
    assert follower.said == ["block 4: its jobs did not come; asking for it again"]


def test_one_lost_job_of_a_later_block_is_sent_again_in_its_own_chord(
    sweep: Sweep, follower: Follower
) -> None:
    sweep.to_the_first_decision(LOUD, LOUD)
    sweep.decide(4)
    ((_, (done, lost)),) = sweep.sent.jobs
    sweep.do([done])
    follower.look()
    assert follower.sent.again == [(4, lost)] and follower.sent.decisions == []


def test_a_resumed_producer_knows_the_blocks_that_were_decided(sweep: Sweep) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    sweep.decide(4)
    ((_, (job,)),) = sweep.sent.jobs
    follower = Follower(sweep)
    assert follower.published.jobs == [*sweep.plan.jobs(sweep.execution), job]
    assert (follower.published.next_block, follower.published.later) == (5, {})
    follower.look()
    assert follower.sent.again == [(None, job)]  # its own publishing was one of all that is missing


def test_a_lost_callback_of_a_later_block_is_sent_again(sweep: Sweep, follower: Follower) -> None:
    sweep.to_the_first_decision(QUIET, LOUD)
    sweep.decide(4)
    sweep.do(sweep.sent.jobs[0][1])
    follower.look()
    assert follower.sent.callbacks == [sweep.second] and follower.sent.again == []


def test_the_finaliser_comes_after_the_last_decision_only(sweep: Sweep, follower: Follower) -> None:
    sweep.to_the_first_decision(QUIET, QUIET)
    follower.look()
    assert (follower.sent.finalised, follower.sent.decisions) == (0, [4])
    sweep.decide(4)
    assert sweep.store.client.delete(f"chimera:x:{sweep.execution}:finaliser") == 1
    follower.look()
    assert follower.sent.finalised == 1
    assert follower.published.next_block is None


def test_what_is_queued_is_not_sent_again(sweep: Sweep, follower: Follower) -> None:
    sweep.to_the_first_decision(LOUD, LOUD)
    sweep.decide(4)
    sweep.store.client.rpush(pool_queue("test"), "a message")
    follower.look()
    assert follower.sent.decisions == follower.sent.again == [] and follower.said == []


def test_a_lost_job_of_a_fixed_sweep_is_sent_again(tmp_path: Path, corpus: Path, sweep: Sweep) -> None:
    fixed = Sweep(tmp_path, sweep.store, runs=2)
    follower = Follower(fixed)
    jobs = fixed.plan.jobs(fixed.execution)
    fixed.do(jobs[1:])
    follower.look()
    assert follower.sent.again == [(None, jobs[0])]
    fixed.do(jobs[:1])
    for configuration in (fixed.first, fixed.second):
        fixed.summarise(configuration, LOUD[:2])
    follower.look()
    assert follower.sent.finalised == 1 and follower.sent.decisions == []
