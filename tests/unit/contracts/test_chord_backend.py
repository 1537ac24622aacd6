"""A job's part is counted into its chord until Redis takes it, and once, on a real Redis."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from contracts.celery_app import make_app
from contracts.chord_backend import PersistentChordBackend
from contracts.store import Store

AWAY = redis.ConnectionError("Redis restarts")


@pytest.fixture
def backend(redis_url: str) -> PersistentChordBackend:
    """One whose pauses take no time."""
    app = make_app(redis_url, max_deadline_s=60)
    at_once = {"interval_start": 0, "interval_step": 0, "interval_max": 0}
    app.conf.result_backend_transport_options["retry_policy"] = at_once
    made = app.backend
    assert isinstance(made, PersistentChordBackend)
    made.set_chord_size("c", 3)
    return made


@pytest.fixture
def fails(backend: PersistentChordBackend, monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """What the next scripts fail with."""
    errors: list[Exception] = []
    script: Callable[..., Any] = backend._chord_part_return_script  # type: ignore[attr-defined]  # Celery's

    def run(**given: Any) -> Any:
        if errors:
            raise errors.pop(0)
        return script(**given)

    monkeypatch.setattr(backend, "_chord_part_return_script", run)
    return errors


def ends(backend: PersistentChordBackend, task_id: str) -> None:
    chord = SimpleNamespace(id=task_id, group="c", group_index=1, chord={"task": "x", "options": {}})
    backend.on_chord_part_return(chord, "SUCCESS", {"job_id": task_id})


def counted(store: Store) -> int:
    return sum(store.client.zcard(key) for key in store.client.keys("*c.j*"))


def test_a_part_is_counted_though_redis_was_away(
    backend: PersistentChordBackend, fails: list[Exception], store: Store
) -> None:
    fails += [AWAY] * 5
    ends(backend, "a")
    assert fails == [] and counted(store) == 1


def test_what_is_wrong_for_good_is_not_tried_for_ever(
    backend: PersistentChordBackend, fails: list[Exception], store: Store
) -> None:
    fails += [redis.ResponseError("WRONGTYPE"), AWAY]
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        ends(backend, "a")
    assert fails == [AWAY] and counted(store) == 0


def test_a_part_counts_once(backend: PersistentChordBackend, store: Store) -> None:
    for task_id in ("a", "b", "a"):
        ends(backend, task_id)
    assert counted(store) == 2


@pytest.mark.parametrize(
    ("error", "again"),
    [(AWAY, True), (redis.OutOfMemoryError("maxmemory"), True), (redis.ResponseError("WRONGTYPE"), False)],
    ids=["away", "without memory", "wrong"],
)
def test_a_result_is_stored_as_soon_as_redis_takes_it(
    backend: PersistentChordBackend, error: Exception, again: bool
) -> None:
    assert backend.exception_safe_to_retry(error) is again
