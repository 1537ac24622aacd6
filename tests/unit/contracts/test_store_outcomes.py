"""Which outcome of a job counts, and the counters beside it: against a model in plain Python."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.call import Outcome
from contracts.job import JobSpec
from contracts.outcome import JobOutcome
from contracts.store import Store
from contracts.store.jobs import pack
from tests.support.rounds import Execution, outcome

FAILURES = (Outcome.TIMEOUT, Outcome.SERVER_ERROR, Outcome.LOST)


@pytest.fixture
def execution(tmp_path: Path, corpus: Path, store: Store) -> Execution:
    """Two configurations of two runs; the first of each order is of another configuration than the second."""
    return Execution(tmp_path, store, runs=2)


def others(execution: Execution) -> list[int]:
    """Return the attempts of the outcomes that do not count."""
    return sorted(one.attempt for one in execution.store.other_outcomes(execution.execution))


def counted(execution: Execution, job: JobSpec) -> int | None:
    """Return which attempt's outcome counts."""
    found = list(execution.store.outcomes(execution.execution, [job.job_id]))
    return found[0].attempt if found else None


def test_the_first_valid_outcome_counts_and_the_others_are_kept(execution: Execution) -> None:
    job, put = execution.jobs()[0], execution.store.put_outcome
    assert put(outcome(job, result=Outcome.TIMEOUT, attempt=1))
    assert not put(outcome(job, result=Outcome.LOST, attempt=2))
    assert counted(execution, job) == 1
    assert put(outcome(job, attempt=3))
    assert not put(outcome(job, attempt=4))
    assert not put(outcome(job, result=Outcome.TIMEOUT, attempt=5))
    assert counted(execution, job) == 3 and others(execution) == [1, 2, 4, 5]


@pytest.mark.parametrize("result", [Outcome.OK, Outcome.TIMEOUT, None])
def test_nothing_changes_after_the_summary(execution: Execution, result: Outcome | None) -> None:
    job, store, x = execution.jobs()[0], execution.store, execution.execution
    if result is not None:
        store.put_outcome(outcome(job, result=result, attempt=1))
    store.put_summary(x, job.configuration.id, "{}", runs=2)
    before = (counted(execution, job), store.counts(x).done, store.counts(x).failed, store.jobs_done(x))
    assert not store.put_outcome(outcome(job, attempt=2))
    assert store.void(x, {job.job_id: job.configuration.id}, slot="s0", why="w") == []
    assert (
        counted(execution, job),
        store.counts(x).done,
        store.counts(x).failed,
        store.jobs_done(x),
    ) == before
    assert others(execution) == [2]
    assert store.counts(x).slot_jobs["s0"] == (1 if result is None else 2)


def test_an_outcome_sent_again_as_its_answer_was_lost_is_counted_once(execution: Execution) -> None:
    job, store, x = execution.jobs()[0], execution.store, execution.execution
    made = outcome(job, result=Outcome.TIMEOUT, ms=5)
    assert store.put_outcome(made) and store.put_outcome(made)
    counts = store.counts(x)
    assert (counts.done, counts.slot_jobs, counts.slot_busy_ms) == (
        {job.configuration.id: 1},
        {"s0": 1},
        {"s0": 5},
    )
    assert others(execution) == []


def test_a_job_that_has_an_outcome_runs_no_more(execution: Execution) -> None:
    job, store, x = execution.jobs()[0], execution.store, execution.execution
    store.start_job(x, job.job_id, title="t", slot="s0")
    store.put_outcome(outcome(job))
    assert store.progress(x).running == {} and store.progress(x).done == 1


def test_a_failed_outcome_is_taken_back_once(execution: Execution) -> None:
    job, other, *_ = execution.jobs()
    store, x = execution.store, execution.execution
    ids = {one.job_id: one.configuration.id for one in (job, other)}
    store.put_outcome(outcome(job, result=Outcome.TIMEOUT, attempt=1))
    store.put_outcome(outcome(other, attempt=1))
    store.start_job(x, job.job_id, title="t", slot="s0")
    assert store.void(x, ids, slot="s0", why="refused") == [job.job_id]  # the other is valid
    assert store.voided(x) == [job.job_id]
    assert store.taken_back(x) == {"s0": (1, "refused")}
    assert counted(execution, job) is None and others(execution) == [1]
    assert store.without_outcome(x, ids) == [job.job_id]
    store.set_sent_again(x, [job.job_id])
    assert store.voided(x) == []
    assert store.start_job(x, job.job_id, title="t", slot="s1") == 1  # attempts are counted anew
    store.put_outcome(outcome(job, result=Outcome.TIMEOUT, attempt=2))
    assert store.void(x, ids, slot="s1", why="refused") == []
    assert counted(execution, job) == 2


def test_the_longest_load_is_kept(execution: Execution) -> None:
    assert execution.store.counts(execution.execution).load_ms is None
    job = execution.jobs()[0]
    script = execution.store._put_outcome
    for place, (load, longest) in enumerate((("", None), ("40.5", 40.5), ("7", 40.5), ("100", 100.0))):
        keys = [f"chimera:x:{execution.execution}:{kind}" for kind in (*"abc", "counts", *"efg")]
        script(keys=keys, args=[job.job_id, f"text {place}", "", "c", "s0", "1", load])
        assert execution.store.counts(execution.execution).load_ms == longest


def test_a_summary_of_outcomes_that_were_taken_back_since_is_not_stored(execution: Execution) -> None:
    store, x, jobs = execution.store, execution.execution, execution.jobs()
    configuration = jobs[0].configuration.id
    mine = [job for job in jobs if job.configuration.id == configuration]
    for job in mine:
        store.put_outcome(outcome(job, result=Outcome.CONNECTION))
    voids = store.voids(x, configuration)  # the aggregator reads the outcomes now
    assert store.void(x, {mine[-1].job_id: configuration}, slot="s0", why="refused") == [mine[-1].job_id]
    due = store.due(x)
    assert store.put_summary(x, configuration, "{}", runs=len(mine), voids=voids) == len(due)
    assert store.due(x) == due and store.summaries(x) == {}
    assert store.put_outcome(outcome(mine[-1], attempt=2)), "it can still be measured again"
    again = store.voids(x, configuration)
    assert store.put_summary(x, configuration, "{}", runs=len(mine), voids=again) == len(due) - 1


# --- the counters, against a model ----------------------------------------------------------


@dataclass
class Model:
    """What the store is to hold."""

    jobs: dict[str, JobSpec]
    counts: dict[str, JobOutcome] = field(default_factory=dict)
    others: list[JobOutcome] = field(default_factory=list)
    seen: list[JobOutcome] = field(default_factory=list)
    summarised: set[str] = field(default_factory=set)
    voided: set[str] = field(default_factory=set)

    def put(self, made: JobOutcome) -> bool:
        self.seen.append(made)
        held = self.counts.get(made.job_id)
        if made.configuration.id in self.summarised or (held and (made.failed or not held.failed)):
            self.others.append(made)
            return False
        if held:
            self.others.append(held)
        self.counts[made.job_id] = made
        return True

    def void(self, job_ids: list[str]) -> list[str]:
        taken = []
        for job_id in job_ids:
            held = self.counts.get(job_id)
            open_ = self.jobs[job_id].configuration.id not in self.summarised
            if held and held.failed and open_ and job_id not in self.voided:
                self.others.append(self.counts.pop(job_id))
                self.voided.add(job_id)
                taken.append(job_id)
        return taken

    def check(self, store: Store, x: str) -> None:
        counts = store.counts(x)
        held = list(self.counts.values())
        assert {o.job_id: o for o in store.outcomes(x, list(self.jobs))} == self.counts
        assert sorted(map(pack, store.other_outcomes(x))) == sorted(map(pack, self.others))
        assert counts.done == Counter(o.configuration.id for o in held)
        assert counts.failed == Counter(o.configuration.id for o in held if o.failed)
        assert counts.why == Counter(o.why for o in held if o.why)
        assert counts.slot_jobs == Counter(o.slot for o in self.seen)
        assert counts.slot_busy_ms == summed(self.seen, lambda o: o.slot, 1)
        assert counts.job_ms == summed(held, lambda o: o.configuration.id, 1)
        assert counts.job_ms2 == summed(held, lambda o: o.configuration.id, 2)
        progress = store.progress(x)
        assert (progress.done, progress.failed) == (len(held), sum(o.failed for o in held))
        assert set(store.without_outcome(x, self.jobs)) == set(self.jobs) - set(self.counts)


def summed(outcomes: list[JobOutcome], by: Callable[[JobOutcome], str], power: int) -> dict[str, float]:
    sums: Counter[str] = Counter()
    for one in outcomes:
        sums[by(one)] += round(((one.ended_ns - one.started_ns) / 1e6) ** power)
    return dict(sums)


STEPS = st.one_of(
    st.tuples(
        st.just("put"),
        st.integers(0, 3),
        st.sampled_from((Outcome.OK, *FAILURES)),
        st.sampled_from(("s0", "s1")),
        st.integers(1, 5000),
    ),
    st.tuples(st.just("void"), st.sets(st.integers(0, 3), min_size=1)),
    st.tuples(st.just("summarise"), st.integers(0, 1)),
)


@given(steps=st.lists(STEPS, max_size=25))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_store_and_model_agree(execution: Execution, steps: list[tuple[object, ...]]) -> None:
    store = execution.store
    store.client.flushall()
    store.begin(execution.manifest)
    x, jobs = execution.execution, execution.jobs()
    model = Model({job.job_id: job for job in jobs})
    for number, (kind, *given_) in enumerate(steps):
        if kind == "put":
            place, result, slot, ms = given_
            made = outcome(jobs[place], result=result, slot=slot, ms=float(ms), attempt=number)  # type: ignore[call-overload, arg-type]
            assert store.put_outcome(made) == model.put(made)
        elif kind == "void":
            ids = [jobs[place].job_id for place in sorted(given_[0])]  # type: ignore[call-overload]
            chosen = {i: model.jobs[i].configuration.id for i in ids}
            assert store.void(x, chosen, slot="s0", why="w") == model.void(ids)
        else:
            configuration = execution.plan.configurations[given_[0]].id  # type: ignore[call-overload]
            store.put_summary(x, configuration, "{}", runs=2, voids=store.voids(x, configuration))
            model.summarised.add(configuration)
    model.check(store, x)


def test_counters_that_are_zero_are_left_out(execution: Execution) -> None:
    store, x = execution.store, execution.execution
    empty = store.counts(x)
    assert all(not value for value in dataclasses.asdict(empty).values())
    job = execution.jobs()[0]
    store.put_outcome(outcome(job, result=Outcome.TIMEOUT, ms=7))
    store.void(x, {job.job_id: job.configuration.id}, slot="s0", why="w")
    counts = store.counts(x)
    assert counts.done == counts.failed == counts.why == counts.job_ms == counts.job_ms2 == {}
    assert counts.slot_jobs == {"s0": 1}
