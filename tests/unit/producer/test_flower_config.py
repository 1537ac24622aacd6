"""What Chimera's configuration changes in Flower: events, names of tasks, and what the list of workers shows.

It is read into Flower's own classes, as Flower reads it, and taken out again.
"""

from __future__ import annotations

import os
import runpy
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from flower.events import EventsState, PrometheusMetrics  # type: ignore[import-untyped]
from flower.views import BaseHandler  # type: ignore[import-untyped]
from flower.views.monitor import Metrics  # type: ignore[import-untyped]
from flower.views.workers import WorkersView  # type: ignore[import-untyped]

from contracts.breaker import Breaker
from contracts.settings import BROKER
from contracts.store import Store
from contracts.store.keys import breaker_key
from producer.flower import _CONFIGURATION

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PATCHED = [
    (EventsState, "event"),
    (PrometheusMetrics, "observe_task"),
    (BaseHandler, "get_active_queue_names"),
    (WorkersView, "_as_dict"),
    (Metrics, "get"),
]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Iterator[dict[str, Any]]:
    """Flower as configured; the names of the configuration."""
    for of, name in PATCHED:
        monkeypatch.setattr(of, name, of.__dict__[name])
    monkeypatch.setattr(
        WorkersView, "_as_dict", staticmethod(lambda worker: {"loadavg": [0.5], "hostname": worker.hostname})
    )
    monkeypatch.setenv(BROKER, redis_url)
    before = os.umask(0o022)
    try:
        yield runpy.run_path(str(_CONFIGURATION))
    finally:
        os.umask(before)


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {
        **{"type": f"task-{kind}", "uuid": "u1", "hostname": "s0@h", "clock": 1, "pid": 1},
        **{"timestamp": 1.0, "local_received": 1.0, "utcoffset": 0},
        **more,
    }


def told(*events: dict[str, Any]) -> tuple[str, Any]:
    """Return the state of the task after its events, and its exception."""
    state = EventsState()
    for one in events:
        state.event(one)
    task = state.tasks["u1"]
    return task.state, task.exception


@pytest.mark.parametrize(
    ("kind", "result", "expected"),
    [
        ("succeeded", "{'failed': True, 'why': 'timeout'}", ("FAILURE", "the measurement failed: timeout")),
        ("succeeded", "{'failed': True}", ("FAILURE", "the measurement failed: lost")),
        ("succeeded", "{'failed': False}", ("SUCCESS", None)),
        ("succeeded", "{'runs': 3}", ("SUCCESS", None)),
        ("succeeded", "{'failed': Tr…", ("SUCCESS", None)),
        ("succeeded", "['failed']", ("SUCCESS", None)),
        ("succeeded", None, ("SUCCESS", None)),
        ("rejected", None, ("RETRY", "given back to its queue")),
    ],
    ids=["timeout", "lost", "ok", "a summary's", "cut", "of something else", "none", "given back"],
)
def test_a_failed_measurement_is_a_failure_to_flower(
    configured: dict[str, Any], kind: str, result: str | None, expected: tuple[str, str | None]
) -> None:
    received = event("received", name="sweep / a / run 1")
    assert told(received, event(kind, result=result, runtime=1.0)) == expected


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("sweep / temperature=0.2 / run 3", "job"),
        ("sweep / temperature=0.2 / summary", "summary"),
        ("sweep / block 4", "decision"),
        ("sweep / report", "report"),
        ("sweep / num_ctx=1024", "ticket"),
        ("chimera.calibrate", "chimera.calibrate"),
        ("", "unknown"),
    ],
)
def test_metrics_have_a_label_for_each_kind_of_task_not_for_each_job(
    configured: dict[str, Any], name: str, label: str
) -> None:
    seen: list[str] = []
    counter = SimpleNamespace(labels=lambda *labels: SimpleNamespace(inc=lambda: seen.append(labels[-1])))
    metrics = SimpleNamespace(events=counter)
    task = SimpleNamespace(name=name, eta=None, received=None)
    for given in ({"name": name}, {}):
        PrometheusMetrics.observe_task(metrics, "s0@h", {"type": "task-sent", **given}, task)
    assert seen == [label, label]


@pytest.mark.parametrize(
    ("state", "said"), [("open", "taken out: timeout"), ("half-open", "on trial: timeout"), (None, [0.5])]
)
def test_the_list_of_workers_says_which_slot_is_out(
    configured: dict[str, Any], store: Store, state: Any, said: object
) -> None:
    if state is not None:
        fields = {"slot": "s0", "pool": "p", "state": state, "failures": 3, "reason": "timeout"}
        store.put_breaker(Breaker(**fields, since=NOW, probe_at=NOW))
    assert WorkersView._as_dict(SimpleNamespace(hostname="s0@h"))["loadavg"] == said


def test_a_breaker_that_can_not_be_read_hides_no_worker(
    configured: dict[str, Any], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.client.set(breaker_key("s0"), "of another version")
    worker = SimpleNamespace(hostname="s0@h")
    assert WorkersView._as_dict(worker) == {"loadavg": [0.5], "hostname": "s0@h"}
    store.client.lpush(breaker_key("s1"), "x")
    assert WorkersView._as_dict(SimpleNamespace(hostname="s1@h"))["loadavg"] == [0.5]


def test_queues_of_workers_that_came_later_are_asked_for(configured: dict[str, Any]) -> None:
    workers: dict[str, Any] = {}
    application = SimpleNamespace(
        workers=workers,
        update_workers=lambda: workers.update(s0={"active_queues": [{"name": "chimera.pool.p"}]}),
    )
    handler = SimpleNamespace(application=application)
    assert BaseHandler.get_active_queue_names(handler) == ["chimera.pool.p"]


def test_metrics_ask_for_the_password_and_files_are_private(configured: dict[str, Any]) -> None:
    assert Metrics.get.__wrapped__ is not None  # tornado's 'authenticated' wraps Flower's own
    mask = os.umask(0o077)
    assert mask == 0o077
    pool = configured["_client"].connection_pool.connection_kwargs
    assert pool["socket_timeout"] == pool["socket_connect_timeout"] == configured["ANSWER_S"]
