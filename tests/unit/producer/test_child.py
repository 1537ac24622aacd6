"""Child processes of the one-machine default: how they are waited for, started again and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts.failures import SetupError
from producer.processes import MAX_RESTARTS, Child
from tests.support.cluster import wait_for

Start = Callable[..., Child]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start ``sh -c SCRIPT`` as a child named ``the part``."""
    children: list[Child] = []

    def of(script: str, **options: str) -> Child:
        child = Child("the part", ["sh", "-c", script], log=tmp_path / "part.log", **options)  # type: ignore[arg-type]
        children.append(child)
        return child

    yield of
    for child in children:
        child.stop_now()


def ended(child: Child) -> None:
    wait_for(lambda: not child.alive, seconds=20, what="it ends")


def test_what_it_gets_comes_by_standard_input(start: Start) -> None:
    child = start("cat; exit 3", standard_input="a password\n")
    child.wait(20)
    assert (child.returncode, child.last_words()) == (3, "a password")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo one; echo 'chimera: the port is taken'; echo; exit 2", "the port is taken"),
        ("exit 1", "it said nothing"),
    ],
    ids=["says why", "says nothing"],
)
def test_one_that_ends_at_once_is_told_with_its_last_words(start: Start, script: str, words: str) -> None:
    child = start(script)
    with pytest.raises(SetupError, match=rf"^the part ended at once: {words} \(log: .*part\.log\)$"):
        child.wait_until(lambda: False, seconds=20)


def test_without_a_log_nothing_was_said(start: Start) -> None:
    child = start("exit 1")
    ended(child)
    child.log.unlink()
    assert child.last_words() == "it said nothing"


def test_one_that_is_not_ready_in_time_is_told(start: Start) -> None:
    with pytest.raises(SetupError, match=r"the part was not ready after 0\.05 s"):
        start("exec sleep 60").wait_until(lambda: False, seconds=0.05)


def test_one_that_ended_before_it_read_its_input_is_no_broken_pipe(start: Start) -> None:
    child = start("exec 0<&-; exit 0", standard_input="x" * 1_000_000)
    ended(child)
    assert child.returncode == 0


def test_what_died_is_started_again_until_it_died_too_often(start: Start) -> None:
    child = start("echo died; exit 1")
    for _ in range(MAX_RESTARTS):
        ended(child)
        before = child.pid
        assert child.revive() and child.pid != before
    ended(child)
    with pytest.raises(SetupError, match=f"the part died {MAX_RESTARTS + 1} times: died"):
        child.revive()


def test_what_lives_is_left_alone(start: Start) -> None:
    child = start("exec sleep 60")
    before = child.pid
    assert not child.revive() and child.pid == before


def test_who_is_asked_to_stop_may_clean_up(start: Start, tmp_path: Path) -> None:
    child = start("trap 'echo cleaned; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    child.wait_until(lambda: child.last_words() == "ready", seconds=20)
    child.stop(signal.SIGTERM)
    assert (child.returncode, child.last_words()) == (0, "cleaned")


def test_who_does_not_listen_is_ended_with_all_that_it_started(start: Start) -> None:
    child = start("trap '' TERM; sleep 60 & echo $!; wait; sleep 60")
    child.wait_until(lambda: child.last_words().isdigit(), seconds=20)
    below = int(child.last_words())
    child.stop(signal.SIGTERM, seconds=0.05)
    assert child.returncode == -signal.SIGKILL
    wait_for(lambda: not _runs(below), seconds=20, what="what it started ends")


def test_waiting_has_an_end(start: Start) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        start("exec sleep 60").wait(0.01)


def _runs(pid: int) -> bool:
    """Return whether a process runs; one that nobody waits for is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc/self").exists()
