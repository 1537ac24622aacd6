"""The meter, on real processes: nothing is missed, nothing is left."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.fidelity.process import Usage, run_metered

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the meter reads /proc")

ORPHAN = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        held = bytearray(60_000_000)
        while time.process_time() < 0.4:
            pass
        time.sleep(0.5)
    os._exit(0)
print("the command is over")
"""


def metered(folder: Path, code: str, limit_s: float = 30.0) -> Usage:
    return run_metered([sys.executable, "-c", code], folder, limit_s, {})


def test_orphans_in_a_session_of_their_own_count_too(tmp_path: Path) -> None:
    usage = metered(tmp_path, ORPHAN)
    assert (usage.code, usage.timed_out) == (0, False)
    assert usage.cpu_s >= 0.4
    assert "the command is over" in usage.output


def test_memory_is_summed_over_the_processes(tmp_path: Path) -> None:
    code = "import os, time\nheld = bytearray(50_000_000)\nfor n in range(2): os.fork()\ntime.sleep(1)"
    assert metered(tmp_path, code).peak_mb > 4 * 50


def test_at_the_limit_all_descendants_are_killed(tmp_path: Path) -> None:
    place = tmp_path / "pids"
    code = (
        "import os, time\nos.fork()\nos.setsid() if os.getppid() else None\n"
        f"open({str(place)!r}, 'a').write(f'{{os.getpid()}}\\n')\ntime.sleep(600)"
    )
    usage = metered(tmp_path, code, limit_s=1.0)
    assert usage.timed_out
    pids = [int(line) for line in place.read_text().split()]
    assert len(pids) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_the_exit_code_is_passed_on(tmp_path: Path) -> None:
    assert metered(tmp_path, "raise SystemExit(3)").code == 3
