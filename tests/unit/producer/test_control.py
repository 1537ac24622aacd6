"""Pausing, resuming and cancelling what no worker measures: a real store, and nobody else."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from rich.console import Console

from contracts.failures import SetupError, SweepIncomplete
from contracts.settings import BROKER, HOME
from contracts.store import Store
from producer import follow
from producer.control import ControlOptions, cancel, pause, resume
from producer.execution import begin_generation, take_up
from producer.follow import following, is_followed
from tests.support.care import Care
from tests.support.cluster import wait_for
from tests.support.rounds import Execution
from tests.support.sweeps import write_sweep


class Steered:
    """Executions of one sweep file, and what the commands say of them."""

    def __init__(self, folder: Path, store: Store, url: str) -> None:
        self.folder, self.store, self.url = folder, store, url
        self.sweep = folder / "sweep.yaml"
        self.options = ControlOptions(str(self.sweep), url, folder / "results")
        self._said = io.StringIO()
        self.console = Console(file=self._said, width=200)

    def begin(self, **changes: Any) -> Execution:
        return Execution(self.folder, self.store, **changes)

    @property
    def said(self) -> str:
        return self._said.getvalue()


@pytest.fixture
def steered(tmp_path: Path, corpus: Path, store: Store, redis_url: str) -> Steered:
    return Steered(tmp_path, store, redis_url)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead follower is known to be dead soon."""
    monkeypatch.setattr(follow, "FOLLOWER_S", 1.0)
    monkeypatch.setattr(follow, "RENEW_S", 0.1)


def in_background(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


@contextmanager
def followed(store: Store, execution: str) -> Iterator[None]:
    """Have another one follow the execution."""
    stop = threading.Event()

    def follows() -> None:
        with following(store, execution, lambda: None) as watch:
            while not stop.wait(0.02):
                watch()

    thread = in_background(follows)
    try:
        wait_for(lambda: store.following_ms(execution), seconds=10, what="it is followed")
        yield
    finally:
        stop.set()
        thread.join(10)


# --- who follows --------------------------------------------------------------------------------


def test_who_renews_its_lease_follows_and_who_is_dead_does_not(steered: Steered, quick: None) -> None:
    store, x = steered.store, steered.begin(runs=1).execution
    assert not is_followed(store, x)
    store.hold_following(x, "dead", ttl_s=0.5)
    assert not is_followed(store, x)

    with followed(store, x):
        assert is_followed(store, x)
    assert store.following_ms(x) == 0


def test_a_second_follower_takes_the_lease_when_the_first_is_gone(steered: Steered, quick: None) -> None:
    store, x = steered.store, steered.begin(runs=1).execution
    store.hold_following(x, "first", ttl_s=0.5)
    with following(store, x, lambda: None) as watch:
        assert not store.hold_following(x, "third", ttl_s=0.5)

        def taken() -> bool:
            watch()
            return store.following_ms(x) > 500

        wait_for(taken, seconds=10, what="the lease is taken")
    assert store.following_ms(x) == 0


def test_a_paused_sweep_that_only_an_aggregator_cares_for_is_collected(steered: Steered, quick: None) -> None:
    execution = steered.begin(runs=1)
    store, x = steered.store, execution.execution
    Care(steered.url, execution).start()
    pause(steered.options, steered.console)
    store.hold_stewardship(x, "the aggregator", ttl_s=60)

    found: list[Path | None] = []
    thread = in_background(lambda: found.append(resume(steered.options, steered.console).folder))
    wait_for(lambda: store.status(x) == "running", seconds=20, what="it goes on")
    store.set_finished(x)
    thread.join(20)
    assert found and found[0] is not None and (found[0] / "manifest.json").is_file()
    assert store.status(x) == "collected"


# --- pause --------------------------------------------------------------------------------------


def test_a_pause_before_the_first_generation_holds(steered: Steered) -> None:
    execution = steered.begin(runs=1)
    care, store, x = Care(steered.url, execution), steered.store, execution.execution
    store.client.hset(f"chimera:x:{x}:state", "status", "paused")  # its slots are calibrated
    pause(steered.options, steered.console)
    begin_generation(store, care.dispatcher, execution.manifest)
    assert (store.status(x), store.generation(x)) == ("paused", 1)

    take_up(store, x)
    begin_generation(store, care.dispatcher, execution.manifest)
    assert (store.status(x), store.generation(x)) == ("running", 2)


def test_a_pause_that_is_taken_back_while_slots_are_calibrated_begins_nothing_early(
    steered: Steered, quick: None
) -> None:
    execution = steered.begin(runs=1)
    store, x = steered.store, execution.execution
    store.client.hset(f"chimera:x:{x}:state", "status", "paused")
    pause(steered.options, steered.console)
    with followed(store, x):  # its slots are calibrated
        resuming = in_background(lambda: resume(steered.options, steered.console))
        wait_for(lambda: not resuming.is_alive(), seconds=20, what="resume ends")
        assert "it is followed elsewhere" in steered.said
    assert store.generation(x) == 0
    begin_generation(store, Care(steered.url, execution).dispatcher, execution.manifest)
    assert store.status(x) == "running"


# --- resume -------------------------------------------------------------------------------------


def test_the_unfinished_execution_of_exactly_this_file_is_resumed(steered: Steered) -> None:
    first = steered.begin(runs=2)
    other = steered.begin(runs=4)
    steered.store.set_collected(other.execution)
    steered.store.set_finished(first.execution)
    write_sweep(steered.folder, runs=2)  # put back
    folder = resume(steered.options, steered.console).folder
    assert folder is not None
    assert json.loads((folder / "manifest.json").read_text())["execution"] == first.execution


def test_what_was_measured_before_a_cancellation_is_counted_not_what_was_planned(steered: Steered) -> None:
    execution = steered.begin(runs=6)
    store, x = steered.store, execution.execution
    Care(steered.url, execution).start()
    execution.do(execution.jobs()[:3])
    store.cancel(x, "asked for")
    store.set_finished(x)
    resume(steered.options, steered.console)
    assert f"collecting the finished execution {x}: 3 of 12 jobs are done" in steered.said
    assert "jobs 3/12 · 0 running" in steered.said
    assert "resuming" not in steered.said and "run now" not in steered.said


def test_no_producer_changes_the_manifest(steered: Steered) -> None:
    """A finaliser may write it between the reading of it and the taking up."""
    execution = steered.begin(runs=1)
    store, x = steered.store, execution.execution
    before = store.client.get(f"chimera:x:{x}:manifest")
    take_up(store, x)
    take_up(store, x)
    assert store.resumed(x) == 2
    store.set_finished(x)
    take_up(store, x)
    assert store.resumed(x) == 2
    assert store.client.get(f"chimera:x:{x}:manifest") == before


# --- cancel -------------------------------------------------------------------------------------


def test_waiting_for_a_report_says_what_it_waits_for_and_outlasts_an_outage(
    steered: Steered, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = steered.begin(runs=1)
    store, x = steered.store, execution.execution
    Care(steered.url, execution).start()
    real, away = Store.progress, threading.Event()

    def progress(self: Store, asked: str) -> Any:
        if away.is_set():
            raise redis.ConnectionError("refused")
        return real(self, asked)

    monkeypatch.setattr(Store, "progress", progress)
    found: list[Path | None] = []

    def cancels() -> None:
        found.append(cancel(steered.options, steered.console, now=False, wait=True).folder)

    thread = in_background(cancels)
    wait_for(lambda: "no aggregator is live" in steered.said, seconds=20, what="that is said")
    away.set()
    wait_for(lambda: "Redis is away" in steered.said, seconds=20, what="that is said")
    away.clear()
    wait_for(lambda: "Redis is back" in steered.said, seconds=20, what="that is said")
    store.set_finished(x)
    thread.join(20)
    assert found and found[0] is not None and (found[0] / "manifest.json").is_file()
    assert steered.said.count("no aggregator is live") == 1
    assert f"collecting the cancelled execution {x}: 0 of 2 jobs are done" in steered.said


# --- the embedded Redis of another command ------------------------------------------------------


@pytest.fixture
def found(steered: Steered, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The note by which the embedded Redis of a 'chimera run' is found."""
    monkeypatch.setenv(HOME, str(steered.folder))
    monkeypatch.delenv(BROKER, raising=False)
    steered.options = replace(steered.options, broker=None)
    note = steered.folder / "broker"
    note.write_text(steered.url)
    return note


def test_nothing_is_measured_by_the_slots_of_another_sweeps_run(steered: Steered, found: Path) -> None:
    execution = steered.begin(runs=1)
    Care(steered.url, execution).start()
    pause(steered.options, steered.console)
    with pytest.raises(SetupError, match="another sweep runs with the embedded Redis"):
        resume(steered.options, steered.console)
    assert steered.store.status(execution.execution) == "paused"


def test_what_waits_for_a_report_ends_with_the_run_whose_redis_it_is(steered: Steered, found: Path) -> None:
    execution = steered.begin(runs=1)
    Care(steered.url, execution).start()
    said: list[str] = []

    def cancels() -> None:
        try:
            cancel(steered.options, steered.console, now=False, wait=True)
        except SweepIncomplete as error:
            said.append(str(error))

    thread = in_background(cancels)
    wait_for(lambda: "no aggregator is live" in steered.said, seconds=20, what="it waits")
    found.unlink()
    thread.join(20)
    assert said and "has ended" in said[0]
