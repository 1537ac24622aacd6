"""What ``chimera status`` shows, from a store that was filled as producer and workers fill it."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from contracts.breaker import Breaker
from contracts.failures import InputError
from contracts.queues import pool_queue, slot_queue
from contracts.store import Store, claim_key
from contracts.store.keys import execution_key
from producer.status import EXIT_NOTHING_RUNS, StatusOptions, status
from producer.watch import Watcher
from producer.watch_view import MOST_CONFIGURATIONS, NewLines, as_json, headline, lines, tables
from tests.support.sweeps import write_sweep
from tests.support.watched import NOW, begun, live_slot, outcome, runs_on

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\r\nb"


def shown(store: Store, *executions: str) -> str:
    return "\n".join(lines(Watcher(store).look(executions)))


def asked(url: str, which: str | None = None, *, terminal: bool = False, **options: bool) -> tuple[int, str]:
    stream = io.StringIO()
    console = Console(
        file=stream, width=120, force_terminal=terminal, force_interactive=terminal, color_system=None
    )
    code = status(StatusOptions(which, url, **options), console)
    return code, stream.getvalue()


def test_progress_by_configuration_and_slot_with_the_time_left(store: Store) -> None:
    manifest = begun(store)
    live_slot(store, "g0")
    live_slot(store, "g1")
    live_slot(store, "elsewhere", pool="other")
    for at, ms in ((0, 2000), (1, 2200), (2, 1800)):
        store.put_outcome(outcome(manifest, at, 1, ms=ms))
    store.put_outcome(outcome(manifest, 0, 2, ms=2100, why="timeout"))
    runs_on(store, manifest, 1, 2, "g0")
    store.client.rpush(pool_queue("test"), "m", "m")
    store.client.rpush(f"{pool_queue('test')}\x06\x164", "m")
    store.client.rpush(slot_queue("g1"), "m")

    text = shown(store, "x1")
    first, *rest = text.splitlines()
    assert first.startswith("test x1 · running · jobs 4/9 · 1 running · 1 failed (1 timeout) · ETA 0:")
    assert "  temperature=0.0: 2/3 · 1 failed · 2.05 s a job" in rest
    assert "  temperature=0.1: 1/3 · 1 running · 2.20 s a job" in rest
    measures = r"slot g0 \(pool test\): measuring test / temperature=0.1 / run 2 for 0:\d\d · 4 jobs measured"
    assert [line for line in rest if re.fullmatch(measures, line)]
    assert "slot g1 (pool test): free · 0 jobs measured · 1 waiting for it" in rest
    assert "queues: chimera.pool.test 3, chimera.aggregate 0" in rest
    assert "elsewhere" not in text
    assert "no aggregator is live" in text


def test_json_holds_all_and_nothing_that_is_not_known_is_zero(store: Store) -> None:
    manifest = begun(store)
    live_slot(store)
    store.put_outcome(outcome(manifest, 0, 1))
    store.tell("x1", "run 1 was sent again")
    tree = json.loads(as_json(Watcher(store).look(["x1"])))
    (execution,) = tree["executions"]
    assert execution["configurations"][0]["job_s"] == 1.0
    assert execution["configurations"][1]["job_s"] is None
    assert (execution["done"], execution["planned"], execution["why"]) == (1, 9, {})
    assert execution["notes"][0][1] == "run 1 was sent again"
    assert tree["slots"][0]["job"] is None and tree["slots"][0]["breaker"] is None


def test_of_many_configurations_those_with_failures_and_in_work_are_shown_first(store: Store) -> None:
    manifest = begun(store, temperatures=60, runs=1)
    for at in range(30):
        store.put_outcome(outcome(manifest, at, 1, why="timeout" if at == 29 else "ok"))
    runs_on(store, manifest, 55, 1, "g0")
    text = shown(store, "x1")
    rows = [line for line in text.splitlines() if line.startswith("  temperature=")]
    assert len(rows) == MOST_CONFIGURATIONS
    assert rows[0].startswith("  temperature=2.9: 1/1 · 1 failed")
    assert rows[1].startswith("  temperature=5.5: 0/1 · 1 running")
    assert f"… and {60 - MOST_CONFIGURATIONS} more configurations: 29 done" in text


def test_the_cost_does_not_grow_with_the_number_of_jobs_configurations_or_slots(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trips(configurations: int, slots: int, execution: str) -> int:
        manifest = begun(store, temperatures=configurations, execution=execution)
        for at in range(slots):
            live_slot(store, f"{execution}-{at}")
        for at in range(configurations):
            store.put_outcome(outcome(manifest, at, 1))
        asked = 0
        send: Callable[..., Any] = type(store.client.connection_pool.get_connection()).send_packed_command

        def count(self: Any, *arguments: Any, **options: Any) -> Any:
            nonlocal asked
            asked += 1
            return send(self, *arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr("redis.connection.AbstractConnection.send_packed_command", count)
            Watcher(store).look([execution])
        return asked

    assert 0 < trips(60, 40, "large") <= trips(3, 2, "small") <= 20


def test_a_slot_that_was_taken_out_says_why(store: Store) -> None:
    begun(store)
    live_slot(store, "g0")
    live_slot(store, "g1", problem="http://127.0.0.1:1 refuses connections")
    store.put_breaker(
        Breaker(slot="g0", pool="test", state="open", failures=3, reason="HTTP 500", since=NOW, probe_at=NOW)
    )
    text = shown(store, "x1")
    assert (
        "slot g0 (pool test): taken out since 12:00:00 UTC, asked next 12:00:00 UTC: 3 jobs in a row failed: HTTP 500"
        in text
    )
    assert "slot g1 (pool test): no server: http://127.0.0.1:1 refuses connections" in text


def test_a_job_whose_worker_is_gone_is_not_said_to_be_measured(store: Store) -> None:
    manifest = begun(store)
    runs_on(store, manifest, 0, 1, "g0")
    store.client.delete("chimera:lease:g0")
    assert "slot g0 (pool not known): no sign of life test / temperature=0.0 / run 1" in shown(store, "x1")


def test_a_dead_job_is_not_counted_beside_the_one_that_runs_on_its_slot(store: Store) -> None:
    manifest = begun(store)
    live_slot(store)
    for at, ms in ((0, 2000), (1, 2200)):
        store.put_outcome(outcome(manifest, at, 1, ms=ms))
    runs_on(store, manifest, 2, 1, "g0")
    (before,) = Watcher(store).look(["x1"]).executions
    for run in (2, 3):  # two whose worker was killed, one of them a moment ago: its claim has not expired yet
        line = {
            "title": f"test / temperature=0.0 / run {run}",
            "slot": "g0",
            "started_at": "2026-01-01T00:00:00Z",
        }
        store.client.hset(execution_key("x1", "running"), f"j0-{run}", json.dumps(line))
    store.client.set(claim_key("x1", "j0-3"), "token", ex=60)
    text = shown(store, "x1")
    (view,) = Watcher(store).look(["x1"]).executions
    assert view.left is not None and before.left is not None
    assert view.left.seconds == pytest.approx(before.left.seconds, rel=0.05)
    assert " · 1 running · " in text.splitlines()[0]
    assert "slot g0 (pool test): measuring test / temperature=0.2 / run 1 " in text
    assert "temperature=0.0: 1/3 · 2.00 s a job" in text


def test_slots_that_cannot_measure_are_not_in_the_time_left(store: Store) -> None:
    manifest = begun(store, runs=9)
    for slot in ("g0", "g1", "g2", "g3"):
        live_slot(store, slot)
    for at, slot in ((0, "g0"), (1, "g1"), (2, "g2")):
        store.put_outcome(outcome(manifest, at, 1, ms=20_000 + at, slot=slot))
    store.client.hset(execution_key("x1", "state"), mapping={"began_ms": 0, "newest_ms": 20_000})

    def left() -> float | None:
        (view,) = Watcher(store).look(["x1"]).executions
        return None if view.left is None else view.left.seconds

    of_four = left()
    live_slot(store, "g1", problem="refused")
    store.put_breaker(
        Breaker(slot="g2", pool="test", state="open", failures=3, reason="500", since=NOW, probe_at=NOW)
    )
    of_two = left()
    assert of_four is not None and of_two is not None
    assert 1.7 < of_two / of_four < 2.0
    for slot in ("g0", "g3"):
        store.drop_slot(slot)
    assert left() is None


def test_no_control_character_reaches_the_terminal(store: Store, redis_url: str) -> None:
    manifest = begun(store)
    live_slot(store, "g0", problem=HOSTILE)
    store.put_outcome(outcome(manifest, 0, 1))
    store.client.hset(execution_key("x1", "counts"), f"why:{HOSTILE}", 1)
    store.client.hset(
        execution_key("x1", "running"), "j", json.dumps({"title": HOSTILE, "slot": f"s{HOSTILE}"})
    )
    store.tell("x1", HOSTILE)
    store.set_problem("x1", HOSTILE)
    for terminal in (False, True):
        for json_asked in (False, True):
            _, text = asked(redis_url, terminal=terminal, as_json=json_asked)
            assert "owned" in text
            assert not [c for c in text if c != "\n" and (not c.isprintable() or c in "\x9b\u202e")], (
                json_asked
            )


def test_nothing_runs(store: Store, redis_url: str) -> None:
    code, text = asked(redis_url)
    assert code == EXIT_NOTHING_RUNS and "nothing runs: start a sweep" in text
    begun(store)
    assert asked(redis_url)[0] == 0
    store.set_finished("x1")
    code, text = asked(redis_url, "x1")
    assert code == EXIT_NOTHING_RUNS and "x1 does not run: it is finished" in text
    assert asked(redis_url)[0] == EXIT_NOTHING_RUNS
    assert asked(redis_url, as_json=True)[0] == EXIT_NOTHING_RUNS


def test_an_execution_is_found_by_its_sweep_file_by_its_name_and_by_itself(
    store: Store, redis_url: str, tmp_path: Path
) -> None:
    sweep = write_sweep(tmp_path)
    with pytest.raises(InputError, match="no execution of the sweep 'test'"):
        asked(redis_url, str(sweep))
    begun(store, execution="x1")
    begun(store, execution="x2")
    for which in (str(sweep), "test", "x2"):
        assert asked(redis_url, which)[1].startswith("test x2 · running"), which
    assert asked(redis_url, "x1")[1].startswith("test x1 · running")
    both = asked(redis_url)[1]
    assert "test x1" in both and "test x2" in both
    with pytest.raises(
        InputError, match="no execution or sweep 'x3'; those that run: test \\(x1\\), test \\(x2\\)"
    ):
        asked(redis_url, "x3")
    with pytest.raises(InputError, match="execution or sweep 'tset'; did you mean 'test'"):
        asked(redis_url, "tset")
    with pytest.raises(InputError, match="--json prints one moment"):
        asked(redis_url, as_json=True, watch=True)


def slept_by(monkeypatch: pytest.MonkeyPatch, sleep: Callable[[float], object]) -> None:
    """Have the watching sleep by a function of the test's, and no thread beside it."""
    clock = SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
    monkeypatch.setattr("producer.status.time", clock)


def test_watching_ends_with_the_execution(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = begun(store)
    live_slot(store)
    looks = 0

    def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        store.put_outcome(outcome(manifest, 0, looks))
        store.tell("x1", f"note {looks}")
        if looks == 3:
            store.set_finished("x1")

    slept_by(monkeypatch, sleep)
    code, text = asked(redis_url, watch=True)
    assert (code, looks) == (0, 3)
    assert [line.partition(" ")[2] for line in text.splitlines() if "note" in line] == [
        f"note {n}" for n in (1, 2, 3)
    ]
    assert "test x1 · running · jobs 0/9" in text and "test x1 · finished · jobs 3/" in text


def test_a_terminal_is_watched_until_the_end_or_until_ctrl_c(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(store)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    slept_by(monkeypatch, interrupt)
    code, text = asked(redis_url, watch=True, terminal=True)
    assert code == 0 and "no longer watched; what runs goes on" in text and "temperature=0.0" in text


def test_an_outage_is_waited_out(store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(store)
    real, answers = Watcher.look, iter([True, False, False, True])

    def look(self: Watcher, executions: Any) -> Any:
        if not next(answers):
            import redis

            raise redis.ConnectionError("refused")
        return real(self, executions)

    monkeypatch.setattr(Watcher, "look", look)
    sleeps = iter([None, None, lambda: store.set_finished("x1")])
    slept_by(monkeypatch, lambda _: (then := next(sleeps)) and then())
    code, text = asked(redis_url, watch=True)
    assert code == 0
    assert text.count("Redis is away") == 1 and text.count("Redis is back") == 1


def test_a_pipe_gets_few_lines(store: Store) -> None:
    manifest = begun(store)
    new, said = NewLines(), []
    for second in range(25):
        if second % 5 == 0:
            store.put_outcome(outcome(manifest, second % 3, second))
        said += list(new.of(Watcher(store).look(["x1"]), 100.0 + second))
    assert len(said) == 3


def test_what_a_sweep_until_precise_does_not_know_yet_is_said(store: Store) -> None:
    manifest = begun(store, runs={"min": 2, "max": 5, "until": {"ttft": "5%"}})
    for at in range(3):
        store.put_outcome(outcome(manifest, at, 1, ms=4000 + at))
    runs_on(store, manifest, 0, 2, "g0")
    (view,) = Watcher(store).look(["x1"]).executions
    assert "jobs 3/6 so far" in headline(view)
    assert headline(view).endswith("for the blocks decided so far")
    assert tables(Watcher(store).look(["x1"]))
