"""Runs one command and says what it and all its descendants used: CPU time, memory, wall time.

``python -m benchmarks.fidelity.meter OUT LIMIT_S CPUS LOG -- COMMAND …``

It is a program of its own, so that nothing else is counted, and the parent of every descendant that is
orphaned (``PR_SET_CHILD_SUBREAPER``), so that none is missed. Linux only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path

SAMPLE_S = 0.2
ORPHANS_S = 5.0
"""How long descendants may outlive the command before they are killed."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Run the command; write the figures as JSON to OUT."""
    out, limit_s, cpus, log, _, *command = sys.argv[1:]
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if cpus:
        os.sched_setaffinity(0, {int(cpu) for cpu in cpus.split(",")})
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    began_ns = time.perf_counter_ns()
    pid = _spawn(command, log)
    try:
        code, timed_out, peak_mb = _watch(pid, began_ns + int(float(limit_s) * 1e9))
        ended_ns = time.perf_counter_ns()
        _reap(ORPHANS_S)
    finally:
        _kill_all()
        _reap(0.0)
    used = os.times()
    figures = {
        "began_ns": began_ns,
        "wall_s": (ended_ns - began_ns) / 1e9,
        "cpu_s": used.children_user + used.children_system,
        "peak_mb": peak_mb,
        "code": code,
        "timed_out": timed_out,
    }
    Path(out).write_text(json.dumps(figures))


def _spawn(command: list[str], log: str) -> int:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawnp(command[0], command, os.environ, file_actions=actions, setsigmask=[])


def _watch(pid: int, until_ns: int) -> tuple[int, bool, float]:
    """Wait for the command; return its exit code, whether it was killed at the limit, peak memory in MB."""
    peak_mb, timed_out = 0.0, False
    while True:
        peak_mb = max(peak_mb, sum(_rss_mb(p) for p in descendants()))
        # Wakes up early when a child ends.
        signal.sigtimedwait({signal.SIGCHLD}, SAMPLE_S)
        while True:
            try:
                done, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return -1, timed_out, peak_mb
            if done == pid:
                return os.waitstatus_to_exitcode(status), timed_out, peak_mb
            if done == 0:
                break
        if time.perf_counter_ns() > until_ns:
            timed_out = True
            _kill_all()


def _reap(patience_s: float) -> None:
    """Wait for what the command left behind; whoever outlives ``patience_s`` is killed."""
    until_ns = time.perf_counter_ns() + int(patience_s * 1e9)
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        if time.perf_counter_ns() > until_ns:
            _kill_all()
        signal.sigtimedwait({signal.SIGCHLD}, SAMPLE_S)


def _kill_all() -> None:
    for pid in descendants():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def descendants() -> list[int]:
    """Return the processes below this one."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = place.read_bytes()
        except OSError:
            continue
        parent = int(stat.rpartition(b")")[2].split()[1])
        children.setdefault(parent, []).append(int(place.parent.name))
    found: list[int] = []
    open_ = [os.getpid()]
    while open_:
        below = children.get(open_.pop(), [])
        found += below
        open_ += below
    return found


def _rss_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE_MB
    except OSError:
        return 0.0


if __name__ == "__main__":
    main()
