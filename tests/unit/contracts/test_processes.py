"""A pool's process dies with its worker, also where that died before it could be asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from contracts import processes
from contracts.processes import die_with_parent


class Kernel:
    """Keeps what ``prctl`` was asked: this process must not really be tied to the test runner's."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def prctl(self, *arguments: int) -> int:
        self.asked.append(arguments)
        return 0


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    def ended(code: int) -> None:
        raise SystemExit(code)

    made = Kernel()
    monkeypatch.setattr(processes, "_libc", made)
    monkeypatch.setattr(os, "_exit", ended)
    return made


def test_the_kernel_is_asked_to_kill_it(kernel: Kernel) -> None:
    die_with_parent(os.getppid())
    assert kernel.asked == [(1, signal.SIGKILL, 0, 0, 0)]  # PR_SET_PDEATHSIG


def test_a_parent_that_died_before_is_noticed(kernel: Kernel) -> None:
    with pytest.raises(SystemExit) as ended:
        die_with_parent(os.getppid() + 1)
    assert ended.value.code == 1 and kernel.asked, "asked before it looks: else a death in between is missed"


def test_where_there_is_no_such_call_it_lives_on(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_libc", None)
    die_with_parent(os.getppid() + 1)
    assert kernel.asked == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
def test_a_killed_parent_leaves_nothing() -> None:
    child = (
        "import os, sys, time; from contracts.processes import die_with_parent; "
        "die_with_parent(int(sys.argv[1])); print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = (
        "import os, subprocess, sys, time; "
        f"subprocess.Popen([sys.executable, '-c', {child!r}, str(os.getpid())]); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdigit()
        process.kill()
        assert process.stdout.read() == "", "the pipe is closed when its last writer, the child, is dead"
