"""How a worker's processes are watched: what their lines are about, and what their metrics and probes tell."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from celery import signals

from contracts import logs
from contracts.job import JobSpec
from contracts.settings import BROKER, WorkerSettings
from contracts.store import Store
from tests.support.cluster import wait_for
from tests.support.rounds import Execution, outcome
from tests.support.watched import Samples, read, sample
from worker import watched as module
from worker.consuming import health
from worker.watched import log_by, serve, watched

SETTINGS = WorkerSettings("s0", "rtx", "http://u:hunter2@127.0.0.1:1", None, 60.0)
USED: tuple[Any, ...] = (signals.setup_logging, signals.worker_process_init)
HERE = {"slot": "s0", "pool": "rtx"}


@pytest.fixture(autouse=True)
def _put_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "_told", None)
    connected = [(used, list(used.receivers)) for used in USED]
    yield
    for used, receivers in connected:
        used.receivers = receivers
        used.sender_receivers_cache.clear()


@pytest.fixture
def job(tmp_path: Path, corpus: Path, store: Store) -> JobSpec:
    return Execution(tmp_path, store).jobs()[0]


@pytest.fixture
def scraped() -> Iterator[Any]:
    """Serve a slot's metrics; return what reads them."""
    with serve(SETTINGS, 0, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.port}"

        def ask(path: str = "/metrics") -> httpx.Response:
            return httpx.get(url + path, trust_env=False)

        yield ask


def samples(scraped: Any) -> Samples:
    return read(scraped().text)


def test_a_job_is_counted_when_its_outcome_is_stored(scraped: Any, job: JobSpec) -> None:
    with watched(job, 1) as stored:
        wait_for(
            lambda: sample(samples(scraped), "chimera_lease_age_seconds", **HERE) is not None,
            what="it holds the slot",
        )
        stored(outcome(job))
    wait_for(
        lambda: sample(samples(scraped), "chimera_jobs_total", **HERE, outcome="ok") == 1,
        what="it is counted",
    )
    assert sample(samples(scraped), "chimera_lease_age_seconds", **HERE) is None


def test_a_job_that_raised_holds_the_slot_no_longer_and_is_not_counted(scraped: Any, job: JobSpec) -> None:
    with pytest.raises(ZeroDivisionError), watched(job, 1):
        raise ZeroDivisionError
    wait_for(
        lambda: (sample(samples(scraped), "chimera_slot_busy_seconds_total", **HERE) or 0) > 0,
        what="it is over",
    )
    assert sample(samples(scraped), "chimera_jobs_total", **HERE, outcome="ok") is None


def test_the_job_of_a_killed_process_is_over_when_the_next_one_begins(scraped: Any, job: JobSpec) -> None:
    assert module._told is not None
    module._told.began()
    age = "chimera_lease_age_seconds"
    wait_for(lambda: sample(samples(scraped), age, **HERE) is not None, what="it holds the slot")
    signals.worker_process_init.send(sender=None)
    wait_for(lambda: sample(samples(scraped), age, **HERE) is None, what="it is over")


def test_without_metrics_a_job_and_a_new_process_tell_nobody(job: JobSpec) -> None:
    module._nothing_runs()
    with watched(job, 1) as stored:
        stored(outcome(job))


def test_a_slots_probes_are_answered(scraped: Any) -> None:
    assert scraped("/livez").status_code == (200 if health.not_live() is None else 503)
    assert scraped("/readyz").status_code == (200 if health.not_ready() is None else 503)


def test_an_aggregator_tells_of_the_cluster(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BROKER, redis_url)
    with serve(None, 0, "127.0.0.1") as server:
        found = read(httpx.get(f"http://127.0.0.1:{server.port}/metrics", trust_env=False).text)
    assert any(name.startswith("chimera_") for name, _ in found)
    assert sample(found, "chimera_jobs_total", **HERE, outcome="ok") is None


def test_lines_are_about_the_job(job: JobSpec, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="worker.watched"), watched(job, 2) as stored:
        stored(outcome(job))
    assert caplog.messages == [f"begins: {job.title}", "stored: ok"]


@pytest.mark.parametrize(("settings", "known"), [(SETTINGS, HERE), (None, {})], ids=["slot", "aggregator"])
def test_celery_logs_as_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
    redis_url: str,
    settings: WorkerSettings | None,
    known: dict[str, str],
) -> None:
    set_up: list[tuple[Any, ...]] = []
    hidden: list[str] = []
    monkeypatch.setenv(BROKER, redis_url)
    monkeypatch.setenv(logs.LOG_FORMAT, "json")
    monkeypatch.setattr(
        logs, "setup", lambda form, level, *, url, **more: set_up.append((form, level, url, more))
    )
    monkeypatch.setattr(logs, "hide", hidden.append)
    log_by(settings)
    signals.setup_logging.send(sender=None, loglevel="info")
    signals.setup_logging.send(sender=None, loglevel=None)
    assert set_up == [("json", "info", redis_url, known), ("json", "warning", redis_url, known)]
    assert set(hidden) == ({SETTINGS.server} if settings else set()), "it may hold a password"
