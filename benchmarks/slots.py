"""Time of one sweep of fixed-length jobs on two slots over that on one; prints the ratio.

python -m benchmarks.slots [--jobs 12]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

TOKENS = 60
ITL_MS = 20
TTFT_MS = 100


def main() -> None:
    """Run the sweep on one slot, on two, on one, on two, and print each time and the ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slots", description=__doc__)
    parser.add_argument("--jobs", type=int, default=12)
    jobs = parser.parse_args().jobs
    times: dict[int, list[float]] = {1: [], 2: []}
    for slots in (1, 2, 1, 2):
        times[slots].append(_measure(slots, jobs))
        print(f"{slots} slot(s): {times[slots][-1]:.2f} s for {jobs} jobs", flush=True)
    ratio = sum(times[2]) / sum(times[1])
    job_s = 2 * (TTFT_MS + (TOKENS - 1) * ITL_MS) / 1e3
    busy = jobs * job_s / (sum(times[1]) / 2)
    print(f"two slots / one slot: {ratio:.3f}; one slot busy with its server: {busy:.1%} of the time")


def _measure(slots: int, jobs: int) -> float:
    """Return the time from the first job's start to the last job's end, s."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        servers = [_server() for _ in range(slots)]
        try:
            return _sweep(folder, [url for _, url in servers], jobs)
        finally:
            for process, _ in servers:
                process.terminate()
                process.wait()


def _server() -> tuple[subprocess.Popen[str], str]:
    schedule = ["--ttft-ms", str(TTFT_MS), "--itl-ms", str(ITL_MS), "--tokens", str(TOKENS)]
    command = [sys.executable, "-m", "benchmarks.reference_server", *schedule]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def _sweep(folder: Path, urls: list[str], jobs: int) -> float:
    (folder / "data.csv").write_text("a,b\n1,2\n")
    tree = {
        **{"name": "slots", "workload": {"paths": ["data.csv"], "structured": "off"}, "server": "ollama"},
        **{"model": "ref", "axes": {"seed": list(range(jobs))}, "runs": 1, "warmup": 0, "deadline": 60},
    }
    (folder / "sweep.yaml").write_text(yaml.safe_dump(tree))
    command = [sys.executable, "-m", "producer", "run", str(folder / "sweep.yaml")]
    command += ["--results", str(folder / "results")] + [a for url in urls for a in ("--server", url)]
    environment = {**os.environ, "CHIMERA_HOME": str(folder / "home")}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    (stages,) = (folder / "results").glob("*/*/stages.jsonl")
    lines = [json.loads(line) for line in stages.read_text().splitlines()]
    if any(line["outcome"] != "ok" for line in lines):
        sys.exit("a call failed: the times mean nothing")
    return float(max(x["ended_ns"] for x in lines) - min(x["started_ns"] for x in lines)) / 1e9


if __name__ == "__main__":
    main()
