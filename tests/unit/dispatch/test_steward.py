"""Stewards: one at a time cares for an execution, and another goes on where it died."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.celery_app import make_app
from contracts.failures import ChimeraError
from contracts.queues import AGGREGATE_QUEUE
from contracts.store import Store, claim_key
from dispatch.generation import start_generation
from dispatch.steward import Steward
from tests.support.care import Care, empty, take, waiting
from tests.support.cluster import wait_for
from tests.unit.dispatch.conftest import MakeCare

RUNS = 12
"""Of two configurations: more than one look publishes."""


@pytest.fixture
def steward_of(redis_url: str) -> Callable[[Care], Steward]:
    return lambda care: Steward(care.store, make_app(redis_url, max_deadline_s=60), care.x)


def taken(care: Care) -> list[str]:
    """Take all that waits, and do it."""
    jobs = {job.job_id: job for job in care.execution.jobs()}
    found = []
    while (message := take(care.store, care.pool)) is not None:
        found.append(message.job_id)
        care.execution.do([jobs[message.job_id]])
    return found


def test_one_of_two_cares_and_the_other_goes_on_with_the_rest(
    care_of: MakeCare, steward_of: Callable[[Care], Steward]
) -> None:
    care = care_of(runs=RUNS)
    first, second = steward_of(care), steward_of(care)
    assert first.look() and not second.look()
    done = taken(care)
    assert not second.look() and waiting(care.store, care.pool) == []
    first.release()
    assert second.look() and not first.look()
    for _ in range(100):
        if len(done) == 2 * RUNS:
            break
        done += taken(care)
        second.look()
    assert done == [job.job_id for job in care.execution.jobs()]


def test_another_one_takes_over_when_the_steward_died(
    care_of: MakeCare, steward_of: Callable[[Care], Steward], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.steward.TTL_S", 0.2)
    care = care_of(runs=RUNS)
    dead, second = steward_of(care), steward_of(care)
    assert dead.look()
    wait_for(second.look, seconds=20, what="the lease expires")
    assert taken(care) == [job.job_id for job in care.execution.jobs()][: care.store.feeding(care.x).units]


def test_an_execution_that_is_still_prepared_is_left_alone(
    care_of: MakeCare, steward_of: Callable[[Care], Steward]
) -> None:
    care = care_of(begin=False, runs=RUNS)
    eager = steward_of(care)  # an aggregator's, while the producer calibrates the slots
    assert not eager.look()
    assert waiting(care.store, care.pool) == []
    assert steward_of(care).hold()


def test_a_paused_execution_is_not_fed_and_goes_on_in_a_new_generation(
    care_of: MakeCare, steward_of: Callable[[Care], Steward]
) -> None:
    care = care_of(runs=RUNS)
    steward = steward_of(care)
    steward.look()
    done = taken(care)
    care.store.set_status(care.x, "paused", after=("running",))
    for _ in range(5):
        assert steward.look()
    assert waiting(care.store, care.pool) == []
    assert start_generation(care.store, steward.dispatcher, care.execution.manifest) == 2 * RUNS - len(done)
    for _ in range(100):
        if len(done) == 2 * RUNS:
            break
        steward.look()
        messages = waiting(care.store, care.pool)
        assert {message.arguments[2] for message in messages} <= {2}
        done += taken(care)
    assert done == [job.job_id for job in care.execution.jobs()]


def test_a_cancelled_execution_is_wound_up_once_its_jobs_have_ended(
    care_of: MakeCare, steward_of: Callable[[Care], Steward], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.steward.WIND_UP_S", 0.0)
    care = care_of(runs=RUNS)
    steward = steward_of(care)
    steward.look()
    job = care.execution.jobs()[0]
    care.store.start_job(care.x, job.job_id, title="t", slot="s0")
    care.store.client.set(claim_key(care.x, job.job_id), "a worker")
    care.store.cancel(care.x, "asked for")
    steward.look()
    assert waiting(care.store, AGGREGATE_QUEUE) == []
    care.execution.do([job])
    care.store.client.delete(claim_key(care.x, job.job_id))
    for _ in range(3):
        steward.look()
    found = waiting(care.store, AGGREGATE_QUEUE)
    # No aggregator takes them yet: each is there once.
    assert sorted(m.arguments[-1] for m in found) == sorted(c.id for c in care.execution.plan.configurations)
    empty(care.store, AGGREGATE_QUEUE)
    for configuration in care.execution.plan.configurations:
        care.store.put_summary(care.x, configuration.id, "{}", runs=RUNS)
    for _ in range(3):
        steward.look()
    (finaliser,) = waiting(care.store, AGGREGATE_QUEUE)
    assert finaliser.task == "chimera.finalise"


@pytest.mark.parametrize("status", ["finished", "collected", "abandoned"])
def test_what_is_over_is_left_alone(
    care_of: MakeCare, steward_of: Callable[[Care], Steward], status: str
) -> None:
    care = care_of(runs=RUNS)
    care.store.client.hset(f"chimera:x:{care.x}:state", "status", status)
    steward = steward_of(care)
    steward.look()
    assert waiting(care.store, care.pool) == waiting(care.store, AGGREGATE_QUEUE) == []


def test_an_unknown_execution_is_said_so(store: Store, redis_url: str) -> None:
    with pytest.raises(ChimeraError, match="knows no execution x"):
        Steward(store, make_app(redis_url, max_deadline_s=60), "x")
