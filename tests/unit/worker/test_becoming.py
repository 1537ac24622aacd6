"""``python -m worker`` becomes Celery's worker: with which arguments, and what is served before its processes are forked."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest

from contracts.settings import WorkerSettings, worker_settings
from worker import __main__ as starting
from worker import watched

SETTINGS = WorkerSettings("s0", "p", "http://127.0.0.1:1", None, 90.0)


@pytest.fixture
def did(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was done, in order; stands in for the application, which would run until it is stopped."""
    done: list[tuple[Any, ...]] = []

    class App:
        @staticmethod
        def worker_main(arguments: list[str]) -> None:
            done.append(("celery", worker_settings(), arguments))

    module = ModuleType("worker.app")
    module.app = App  # type: ignore[attr-defined]
    for name in SETTINGS.environment():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setitem(sys.modules, "worker.app", module)
    monkeypatch.setattr(watched, "serve", lambda *given: done.append(("serve", *given)))
    return done


def options(arguments: list[str]) -> dict[str, str]:
    return {name: value for name, value in pairwise(arguments) if name.startswith("--")}


def test_a_slots_worker_measures_one_job_at_a_time(did: list[tuple[Any, ...]]) -> None:
    environment = os.environ
    starting._become_celery(
        "s0", "a,b", "info", SETTINGS, {"CHIMERA_SLOT": "s0", "CHIMERA_SERVER": "u"}, None
    )
    ((what, settings, arguments),) = did
    assert what == "celery" and arguments[0] == "worker"
    assert environment is os.environ and (settings.slot, settings.server) == ("s0", "u")
    given = options(arguments)
    assert given["--pool"] == "prefork" and given["--concurrency"] == "1"
    assert (given["--hostname"], given["--queues"], given["--loglevel"]) == ("s0@%h", "a,b", "info")
    assert "--events" in arguments, "Flower shows them"


def test_metrics_are_served_before_the_pools_processes_are_forked(did: list[tuple[Any, ...]]) -> None:
    starting._become_celery("aggregator", "q", "warning", None, {}, (9100, "127.0.0.1"), processes=3)
    assert [what for what, *_ in did] == ["serve", "celery"]
    assert did[0][1:] == (None, 9100, "127.0.0.1")
    assert options(did[1][2])["--concurrency"] == "3"
