"""Running a sweep on a broker, from the plan to the results: a real store, and a cluster that is a thread."""

from __future__ import annotations

import io
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from contracts.failures import SetupError, SweepIncomplete
from contracts.settings import BROKER, HOME
from contracts.store import Store, claim_key
from contracts.store.keys import follower_key, steward_key
from producer import execution as module
from producer.embedded_redis import free_port
from producer.execution import RunOptions, run, take_up
from producer.follow import following
from producer.progress import say_line
from tests.support.cluster_in_thread import ClusterInThread, a_floor, a_slot
from tests.support.rounds import Execution, outcome
from tests.support.sweeps import write_sweep


class Producer:
    """``chimera run`` of one sweep file, and what it says."""

    def __init__(self, folder: Path, url: str) -> None:
        self._said = io.StringIO()
        self._console = Console(file=self._said, width=200)
        self.options = RunOptions(folder / "sweep.yaml", url, results=folder / "results")

    def run(self, **changes: object) -> Path:
        return run(replace(self.options, **changes), self._console)  # type: ignore[arg-type]

    @property
    def said(self) -> str:
        return self._said.getvalue()


@pytest.fixture
def producer(tmp_path: Path, corpus: Path, redis_url: str) -> Producer:
    write_sweep(tmp_path, runs=2)
    return Producer(tmp_path, redis_url)


def test_a_sweep_ends_with_its_results_and_its_table(producer: Producer, redis_url: str) -> None:
    with ClusterInThread(redis_url) as cluster:
        folder = producer.run()
        execution = cluster.store.newest_named("test")
    assert execution is not None and execution[1] == "collected"
    written = {path.name for path in folder.iterdir()}
    assert {"manifest.json", "order.jsonl", "stages.jsonl", "summary.json", "report.html"} <= written
    assert "facts.json" in written and "other_attempts.jsonl" not in written
    assert len((folder / "order.jsonl").read_text().splitlines()) == 4
    assert "4 = 2 configurations × 2 runs" in producer.said and "on slot(s) s0" in producer.said
    assert "means over complete runs" in producer.said and "calibrating" not in producer.said


def test_who_ended_leaves_no_lease(producer: Producer, redis_url: str, store: Store) -> None:
    with ClusterInThread(redis_url):
        producer.run()
    left = [key for pattern in (steward_key("*"), follower_key("*")) for key in store.client.keys(pattern)]
    assert left == []


def test_an_ended_sweep_begins_anew_and_an_unfinished_one_is_collected(
    producer: Producer, redis_url: str
) -> None:
    with ClusterInThread(redis_url) as cluster:
        first, second = producer.run(), producer.run()
        assert first != second
        execution = cluster.store.newest_named("test")
        assert execution is not None and "resuming" not in producer.said
        x = execution[0].execution
        cluster.store.client.hset(f"chimera:x:{x}:state", "status", "finished")
        assert producer.run() == second
    assert f"collecting the finished execution {x}: 4 of 4 jobs are done" in producer.said


def test_what_is_missing_is_measured_and_fresh_begins_anew(
    producer: Producer, redis_url: str, store: Store, tmp_path: Path
) -> None:
    begun = Execution(tmp_path, store, runs=2)
    begun.do(begun.jobs()[:3])
    with ClusterInThread(redis_url):
        producer.run()
        assert f"resuming the unfinished execution {begun.execution}: 3 of 4 jobs are done, 1 run now" in (
            producer.said
        )
        assert store.resumed(begun.execution) == 1
        other = Execution(tmp_path, store, runs=2)
        folder = producer.run(fresh=True)
    assert store.status(other.execution) == "abandoned"
    assert other.execution not in (folder / "manifest.json").read_text()


def test_jobs_of_dead_workers_are_forgotten_and_those_that_run_are_not(
    store: Store, tmp_path: Path, corpus: Path
) -> None:
    begun = Execution(tmp_path, store, runs=2)
    dead, running = (job.job_id for job in begun.jobs()[:2])
    for job_id in (dead, running):
        store.start_job(begun.execution, job_id, title="t", slot="s0")
    store.client.set(claim_key(begun.execution, running), "token")
    take_up(store, begun.execution)
    assert set(store.progress(begun.execution).running) == {running}


def test_new_slots_are_calibrated_first(producer: Producer, redis_url: str) -> None:
    new = a_slot(floor=None)
    with ClusterInThread(redis_url, new, answer={"floor": a_floor().model_dump(mode="json")}):
        producer.run()
    assert "calibrating slot(s) s0: under 20 s each" in producer.said
    assert "measurement floor of s0: TTFT ± 0.50 ms, ITL ± 0.4 %" in producer.said


def test_a_slot_that_can_not_be_calibrated_measures_all_the_same(producer: Producer, redis_url: str) -> None:
    with ClusterInThread(redis_url, a_slot(floor=None), answer={"problem": "no kernel stamps"}):
        assert producer.run().is_dir()
    assert "slot s0 was not calibrated: no kernel stamps" in producer.said


def test_slots_that_are_ill_are_named_and_the_others_measure(producer: Producer, redis_url: str) -> None:
    with ClusterInThread(redis_url, a_slot(), a_slot("s1", problem="refuses", server="http://127.0.0.1:2")):
        producer.run()
    assert "slot s1 does not measure now: refuses" in producer.said and "on slot(s) s0\n" in producer.said


def test_a_sweep_until_precise_says_until_what(producer: Producer, redis_url: str, tmp_path: Path) -> None:
    write_sweep(tmp_path, runs={"min": 3, "max": 3, "until": {"ttft": "5%"}})
    with pytest.raises(SweepIncomplete, match="--fresh"), ClusterInThread(redis_url, most=1) as cluster:

        def say(console: Console, line: str) -> None:
            say_line(console, line)
            if line.startswith("until "):  # somebody begins it anew meanwhile
                x = cluster.store.newest_named("test")
                assert x is not None
                cluster.store.abandon(x[0].execution)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(module, "say_line", say)
            producer.run(calibrate=False)
    assert "until ttft ±5 %" in producer.said


def test_balanced_jobs_are_shared_out_over_the_slots_of_the_beginning(
    producer: Producer, redis_url: str, tmp_path: Path
) -> None:
    write_sweep(tmp_path, runs=2, order={"placement": "balanced"})
    slots = (a_slot("s1", server="http://127.0.0.1:2"), a_slot())
    with ClusterInThread(redis_url, *slots) as cluster:
        producer.run()
        found = cluster.store.newest_named("test")
    assert found is not None and found[0].fixed_slots == ("s0", "s1")


def test_without_a_broker_it_runs_on_this_machine_s_parts_and_remembers_them(
    producer: Producer, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME, str(tmp_path / "home"))
    monkeypatch.delenv(BROKER, raising=False)
    ended: list[str] = []

    class Parts:
        """Stands for the embedded parts."""

        url = redis_url
        begun_with = (1, ("http://127.0.0.1:1",))

        def __init__(self, *_: object, **__: object) -> None: ...

        def __enter__(self) -> Parts:
            return self

        def __exit__(self, *_: object) -> None:
            ended.append("stopped")

        def watch(self) -> None:
            assert not ended

    monkeypatch.setattr(module, "Embedded", Parts)
    with ClusterInThread(redis_url) as cluster:
        producer.run(broker=None)
        found = cluster.store.newest_named("test")
        assert found is not None and cluster.store.embedded(found[0].execution) == Parts.begun_with
    assert ended == ["stopped"]


def test_metrics_are_served_while_it_runs_and_no_longer(
    producer: Producer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, seen = free_port(), []
    real = module.carry_out

    def carries_out(*arguments: object, **more: object) -> Path:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            seen.append(answer.read().decode())
        return real(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "carry_out", carries_out)
    with ClusterInThread(redis_url):
        producer.run(metrics_port=port)
    assert len(seen) == 1 and "chimera_" in seen[0]
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10)


def test_of_many_jobs_it_is_said_that_they_are_written(
    producer: Producer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MANY_JOBS", 4)
    with ClusterInThread(redis_url):
        producer.run()
    assert "writing the results of 4 jobs" in producer.said


def test_without_a_slot_nothing_is_sent(producer: Producer, store: Store) -> None:
    with pytest.raises(SetupError, match="no live slot; no worker is live at all"):
        producer.run()
    assert store.running_executions() == [] and store.newest_named("test") is None


def test_attempts_that_do_not_count_are_kept_apart(
    producer: Producer, redis_url: str, store: Store, tmp_path: Path
) -> None:
    begun = Execution(tmp_path, store, runs=2)
    first = begun.jobs()[0]
    for attempt in (1, 2):
        store.put_outcome(outcome(first, attempt=attempt))
    with ClusterInThread(redis_url):
        folder = producer.run()
    assert len((folder / "other_attempts.jsonl").read_text().splitlines()) == 1


def test_what_watches_is_called_while_it_is_followed(store: Store, tmp_path: Path, corpus: Path) -> None:
    begun, calls = Execution(tmp_path, store, runs=1), []
    with following(store, begun.execution, lambda: calls.append(1)) as watch:
        watch()
        assert store.following_ms(begun.execution) > 0
    assert len(calls) == 2 and store.following_ms(begun.execution) == 0
