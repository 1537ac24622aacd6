"""The time left as the counters tell it, and what is shown of slots, problems and queues."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.eta import Eta, Work
from contracts.breaker import Breaker
from contracts.store import Counts, Store
from contracts.store.keys import execution_key
from producer import watch_eta
from producer.watch import Cluster, Watcher
from producer.watch_eta import Estimator, clock, in_words, running_ages
from producer.watch_view import MOST_SLOTS, NewLines, as_json, lines, tables
from tests.support.rounds import Execution
from tests.support.watched import NOW, begun, live_slot, outcome, runs_on


def on_a_terminal(cluster: Cluster) -> str:
    stream = io.StringIO()
    Console(file=stream, width=160, color_system=None).print(tables(cluster))
    return stream.getvalue()


def both(cluster: Cluster) -> list[str]:
    """Return the view as plain lines and as tables."""
    return ["\n".join(lines(cluster)), on_a_terminal(cluster)]


# --- the time left ------------------------------------------------------------------------------


class Clock:
    """Stands for the monotonic clock."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(watch_eta, "time", made)
    yield made


def test_between_two_readings_the_time_left_is_counted_down(store: Store, ticks: Clock) -> None:
    manifest = begun(store)
    live_slot(store)
    estimator = Estimator(store, manifest)
    assert estimator.left(store.progress("x1")) is None  # nothing is done yet
    store.client.hset(execution_key("x1", "state"), "spent_ms", 10_000)
    for at in range(3):
        store.put_outcome(outcome(manifest, at, 1, ms=60_000))
    progress = store.progress("x1")
    assert estimator.left(progress) is None  # it was read a moment ago
    ticks.now += watch_eta.EVERY_S
    first = estimator.left(progress)
    ticks.now += 1.5
    second = estimator.left(progress)
    assert first is not None and second is not None
    assert second.seconds == pytest.approx(first.seconds - 1.5)


def test_an_estimate_is_counted_down_to_nothing_and_not_below(store: Store, ticks: Clock) -> None:
    manifest = begun(store)
    live_slot(store)
    for at in range(3):
        store.put_outcome(outcome(manifest, at, 1, ms=1))
    estimator = Estimator(store, manifest)
    assert estimator.left(store.progress("x1")) is not None
    ticks.now += 1.999
    left = estimator.left(store.progress("x1"))
    assert left is not None and left.seconds >= 0 and (left.low is None or left.low >= 0)


def test_loads_that_are_still_to_come_are_in_the_estimate(tmp_path: Path, corpus: Path, store: Store) -> None:
    """Two plots, three runs of each, each a load: one is measured, so five loads are left."""
    begun_with = Execution(tmp_path, store, axes={"num_ctx": [1024, 2048]}, runs=3)
    store.next_generation(begun_with.execution)
    manifest, first = begun_with.manifest, begun_with.manifest.configurations[0].id

    def left(load_ms: float) -> float:
        counts = Counts(
            done={first: 1},
            job_ms={first: 90_000.0},
            job_ms2={first: 8.1e9},
            load_ms=load_ms,
            slot_busy_ms={"g0": 90_000.0},
        )
        progress = store.progress(begun_with.execution)
        made = watch_eta.estimate(manifest, progress, counts, {}, 90.0, {"g0"}, alone=True)
        assert made is not None and made.jobs_left == 5
        return made.seconds

    # What the load took of the job that was measured is no longer the job's, and each further job has it again.
    assert left(60_000.0) == pytest.approx(left(0.0), rel=0.2)
    assert watch_eta._loads(manifest, {}, {}, None) is None


def test_runs_beyond_the_start_are_loads_of_their_own(tmp_path: Path, corpus: Path, store: Store) -> None:
    until = {"min": 3, "max": 9, "until": {"ttft": "5%"}}
    manifest = Execution(tmp_path, store, axes={"num_ctx": [1024, 2048]}, runs=until).manifest
    work = {"a": Work(5, 4, 4000.0, 4e6, "p"), "b": Work(3, 1, 1000.0, 1e6, "q")}
    loads = watch_eta._loads(manifest, work, {"a": "p", "b": "q"}, None)
    assert loads is not None
    assert (dict(loads.done), loads.left, loads.ms) == ({"p": 4, "q": 1}, 3, 0.0)


def test_a_job_whose_worker_is_long_gone_tells_nothing_of_its_age(store: Store) -> None:
    manifest = begun(store)
    runs_on(store, manifest, 0, 1, "g0")
    runs_on(store, manifest, 1, 1, "g1")
    progress = store.progress("x1")
    ((_, of, age), _) = running_ages(manifest, progress, datetime.now(UTC))
    assert of in {c.id for c in manifest.configurations} and age < 60_000
    late = datetime.now(UTC) + timedelta(seconds=manifest.spec.deadline + watch_eta.LATE_S + 60)
    assert running_ages(manifest, progress, late) == []
    unknown = replace(progress, running={"j": {"title": "another / c / run 1", "slot": "g0"}})
    assert running_ages(manifest, unknown, datetime.now(UTC)) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.6, "1:00"), (200, "3:20"), (3599, "59:59"), (3800, "1:03:20")],
)
def test_a_clock_has_hours_where_there_are_any(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((203.0, 171.0, 254.0), "ETA 3:20 (2:50 … 4:10)"),
        ((61.4, None, None), "ETA 1:01 (interval not known yet)"),
        ((20_000.0, 14_399.0, 30_000.0), "ETA 5:30:00 (4:00:00 … 8:20:00)"),
    ],
    ids=["minutes", "no interval", "hours"],
)
def test_a_time_is_shown_as_precisely_as_it_is_known(
    ends: tuple[float, float | None, float | None], text: str
) -> None:
    seconds, low, high = ends
    assert in_words(Eta(seconds=seconds, low=low, high=high, jobs_left=1)) == text


# --- what is shown ------------------------------------------------------------------------------


def test_a_problem_and_a_note_are_shown(store: Store) -> None:
    begun(store)
    store.set_problem("x1", "no outcome\x1b[2J can be read")
    store.tell("x1", "run 1 was sent again")
    for text in both(Watcher(store).look(["x1"])):
        assert "problem: no outcome" in text and "run 1 was sent again" in text and "\x1b" not in text


def test_while_slots_are_calibrated_it_is_being_prepared(store: Store) -> None:
    begun(store)
    store.client.hset(execution_key("x1", "state"), mapping={"status": "paused", "generation": "0"})
    for text in both(Watcher(store).look(["x1"])):
        assert "test x1 · being prepared: its slots are calibrated first · jobs 0/9" in text


def test_an_execution_that_the_store_forgot_is_not_shown(store: Store) -> None:
    cluster = Watcher(store).look(["nobody"])
    assert cluster.executions == () and cluster.slots == ()
    assert "slot" not in on_a_terminal(cluster) and "queues: chimera.aggregate 0" in on_a_terminal(cluster)


def test_when_all_jobs_are_done_summaries_are_counted(store: Store) -> None:
    manifest = begun(store, runs=1)
    for at in range(3):
        store.put_outcome(outcome(manifest, at, 1))
    store.client.hset(execution_key("x1", "summaries"), "c", "{}")
    for text in both(Watcher(store).look(["x1"])):
        assert "jobs 3/3" in text and "summaries 1/3" in text


def test_of_many_slots_the_rest_is_counted_with_its_problems(store: Store) -> None:
    begun(store)
    for n in range(MOST_SLOTS + 3):
        live_slot(store, f"g{n:03}", problem="refused" if n > MOST_SLOTS else None)
    for text in both(Watcher(store).look(["x1"])):
        assert "… and 3 more slots, 2 with a problem" in text


def test_a_slot_says_what_it_does_and_what_is_wrong(store: Store) -> None:
    manifest = begun(store)
    store.put_aggregator("a", ttl_s=60)
    for name, problem in (("free", None), ("ill", "refused"), ("busy", None), ("out", None)):
        live_slot(store, name, problem=problem)
    runs_on(store, manifest, 0, 1, "busy")
    runs_on(store, manifest, 0, 1, "busy")  # its second attempt
    fields: dict[str, Any] = {
        "slot": "out",
        "pool": "test",
        "state": "open",
        "failures": 3,
        "reason": "timeout",
    }
    store.put_breaker(Breaker(**fields, since=NOW, probe_at=NOW))
    plain, table = both(Watcher(store).look(["x1"]))
    assert "slot busy (pool test): measuring test / temperature=0.0 / run 1 for 0:00, attempt 2" in plain
    assert "slot ill (pool test): no server: refused" in plain
    assert "slot out (pool test): taken out since 12:00:00 UTC, asked next 12:00:00 UTC: 3 jobs" in plain
    assert "no aggregator" not in plain and "no aggregator" not in table
    assert all(word in table for word in ("busy", "no server: refused", "taken out since"))


def test_a_job_whose_worker_is_gone_is_said_to_be_sent_again(store: Store) -> None:
    manifest = begun(store)
    store.start_job("x1", "j0-1", title=f"test / {manifest.configurations[0].name} / run 1", slot="gone")
    for text in both(Watcher(store).look(["x1"])):
        assert "no sign of life" in text and "the job is sent again" in text
    assert "slot gone (pool not known)" in both(Watcher(store).look(["x1"]))[0]


def test_what_is_piped_is_told_once_and_a_new_status_at_once(store: Store) -> None:
    begun(store)
    store.tell("x1", "first")
    watcher, new = Watcher(store), NewLines()
    said = list(new.of(watcher.look(["x1"]), 100.0))
    assert said[0].endswith(" first") and said[1].startswith("test x1 · running")
    assert list(new.of(watcher.look(["x1"]), 101.0)) == []
    store.tell("x1", "second")
    assert [line.partition(" ")[2] for line in new.of(watcher.look(["x1"]), 102.0)] == ["second"]
    store.set_status("x1", "paused", after=("running",))
    assert next(new.of(watcher.look(["x1"]), 103.0)).startswith("test x1 · paused")
    assert len(list(new.of(watcher.look(["x1"]), 114.0))) == 1


def test_json_has_breakers_and_times_as_text(store: Store, tmp_path: Path) -> None:
    begun(store)
    live_slot(store)
    fields: dict[str, Any] = {
        "slot": "g0",
        "pool": "test",
        "state": "half-open",
        "failures": 3,
        "reason": "t",
    }
    store.put_breaker(Breaker(**fields, since=NOW, probe_at=NOW))
    cluster = Watcher(store).look(["x1"])
    (slot,) = json.loads(as_json(cluster))["slots"]
    assert (slot["state"], slot["breaker"]["state"]) == ("half-open", "half-open")
    with pytest.raises(TypeError):
        as_json(replace(cluster, queues={"q": object()}))  # type: ignore[dict-item]
