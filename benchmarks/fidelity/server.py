"""The reference server as a process of its own, and what its log says of each request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmarks.fidelity.record import NS_PER_MS
from benchmarks.fidelity.workload import Workload, number_in

START_LIMIT_S = 20.0
LOG_LIMIT_S = 60.0


@dataclass(frozen=True)
class Served:
    """One request as the server did it. Times in ns of ``perf_counter_ns``."""

    number: int | None
    """Number of the request in the workload, where the log holds its mark: in the prompt or as seed."""
    begin_ns: int
    """The whole request had arrived (by the kernel's receive timestamp, where there is one)."""
    end_ns: int | None
    due_ns: tuple[int, ...]
    sent_ns: tuple[int, ...]
    """Each frame with text, about to be handed to the kernel."""

    @property
    def ttft_ms(self) -> float:
        return (self.sent_ns[0] - self.begin_ns) / NS_PER_MS

    @property
    def itl_ms(self) -> float:
        """Mean gap; there are two frames with text at least."""
        return (self.sent_ns[-1] - self.sent_ns[0]) / (len(self.sent_ns) - 1) / NS_PER_MS

    @property
    def gaps_ms(self) -> tuple[float, ...]:
        return tuple((b - a) / NS_PER_MS for a, b in pairwise(self.sent_ns))

    @property
    def late_ms(self) -> tuple[float, ...]:
        """How much later than due each frame with text was sent."""
        return tuple((sent - due) / NS_PER_MS for due, sent in zip(self.due_ns, self.sent_ns, strict=True))


@contextmanager
def reference_server(workload: Workload, cpus: frozenset[int] | None) -> Iterator[str]:
    """Run the server, on these CPUs if given; yields its address.

    Raises:
        RuntimeError: it does not start.
    """
    schedule = [
        *("--ttft-ms", str(workload.ttft_ms)),
        *("--itl-ms", str(workload.itl_ms)),
        *("--tokens", str(workload.tokens)),
    ]
    command = [sys.executable, "-m", "benchmarks.reference_server", *schedule]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if cpus is not None:
            os.sched_setaffinity(process.pid, cpus)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the reference server did not start; its error is above")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(START_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def fetch_log(url: str) -> list[Served]:
    """Return the server's requests for text that it answered whole, in order of arrival."""
    with urllib.request.urlopen(f"{url}/log", timeout=LOG_LIMIT_S) as answer:
        return read_log(json.load(answer))


def read_log(log: dict[str, Any]) -> list[Served]:
    """Return the requests of a log as ``GET /log`` gives it."""
    served: list[Served] = []
    for entry in log["requests"]:
        text = [(due, sent) for due, sent, _, _, kind in entry["frames"] if kind == "text"]
        if entry["ended"] != "sent" or len(text) < 2:
            continue
        due_ns, sent_ns = zip(*text, strict=True)
        served.append(Served(_number(entry), entry["begin_ns"], entry["end_ns"], due_ns, sent_ns))
    return sorted(served, key=lambda s: s.begin_ns)


def _number(entry: dict[str, Any]) -> int | None:
    marked = number_in(entry["prompt_head"])
    if marked is not None:
        return marked
    seed = entry["body"].get("seed")
    return seed if isinstance(seed, int) else None
