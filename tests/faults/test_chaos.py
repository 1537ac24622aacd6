"""``python -m benchmarks.chaos``: a short one, with everything that it does."""

from __future__ import annotations

import subprocess
import sys


def test_a_short_chaos_ends_well() -> None:
    command = [sys.executable, "-m", "benchmarks.chaos", "--jobs=100", "--slots=2", "--repetitions=1"]
    ended = subprocess.run(
        [*command, "--faults=8", "--limit=200", "--seed=2"], capture_output=True, text=True, timeout=280
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 repetitions, 100 jobs, " in ended.stdout
    assert " faults: 0 lost, 0 doubled, 0 overlaps, 0 unsaid, 0 not ended" in ended.stdout
