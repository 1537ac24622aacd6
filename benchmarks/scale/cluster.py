"""A Redis with an append-only file, workers and an aggregator, each a process of its own; what they take of memory."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.scale.events import FOLDER, noted
from benchmarks.scale.names import DEADLINE_S, POOL
from contracts.redis_client import connect
from contracts.settings import BROKER, HOME
from contracts.store import Store
from producer.embedded_redis import EmbeddedRedis
from producer.processes import Child

READY_S = 120.0
STOP_S = 30.0


class Cluster:
    """All processes on one fresh Redis; they end with the benchmark."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events = folder / "events"
        for name in ("logs", "events", "home"):
            (folder / name).mkdir()
        self._redis = EmbeddedRedis(folder)
        self.url = self._redis.url
        self.client: redis.Redis = connect(self.url)
        self.store = Store(self.client)
        self.slots: dict[str, Child] = {}
        self.aggregator: Child | None = None
        self.idle_cpu_s = self.idle_redis_cpu_s = 0.0
        """CPU time that the workers, and Redis, had taken before there were jobs."""
        self._children: list[Child] = []

    def start_slots(self, count: int) -> None:
        """Start a reference server, ``count`` workers and the aggregator; wait until all are live."""
        log = self.folder / "logs" / "server.log"
        server = self.python("server", "-m", "benchmarks.reference_server")
        server.wait_until(lambda: log.read_text().startswith("http"), seconds=READY_S)
        url = log.read_text().split()[0]
        module = ("-m", "benchmarks.scale.worker")
        self.aggregator = self.python("aggregator", *module, "--aggregator")
        for number in range(count):
            arguments = ("--slot", f"s{number}", "--pool", POOL, "--server", url)
            limit = ("--max-deadline", str(DEADLINE_S))
            self.slots[f"s{number}"] = self.python(f"worker-{number}", *module, *arguments, *limit)
        self.aggregator.wait_until(self.store.has_aggregator, seconds=READY_S)
        for name, child in self.slots.items():
            child.wait_until(partial(self._is_live, name), seconds=READY_S)
        self.idle_cpu_s = sum(cpu_s(child.pid) for child in self.slots.values())
        self.idle_redis_cpu_s = self.redis_cpu_s()

    def _is_live(self, slot: str) -> bool:
        return self.store.slot(slot) is not None

    def python(self, name: str, *arguments: str) -> Child:
        """Start a Python process with the cluster's environment; its output is ``logs/<name>.log``."""
        environment = {BROKER: self.url, FOLDER: str(self.events), HOME: str(self.folder / "home")}
        log = self.folder / "logs" / f"{name}.log"
        child = Child(name, [sys.executable, *arguments], log=log, environment=environment)
        self._children.append(child)
        return child

    def memory(self) -> tuple[float, float]:
        """Return what Redis' data take now and took at most, MB."""
        info: dict[str, Any] = self.client.info("memory")
        return info["used_memory"] / 1e6, info["used_memory_peak"] / 1e6

    def redis_cpu_s(self) -> float:
        """Return the CPU time that Redis has taken, s."""
        info: dict[str, Any] = self.client.info("cpu")
        return float(info["used_cpu_user"] + info["used_cpu_sys"])

    def noted(self, what: str) -> list[dict[str, Any]]:
        """Return what the processes noted of one kind."""
        return list(noted(self.events, what))

    def stop(self) -> None:
        """End all processes, gently first."""
        for child in reversed(self._children):
            with contextlib.suppress(Exception):
                child.stop(signal.SIGTERM, seconds=STOP_S)
        self.client.close()
        self._redis.child.stop_now()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Yield a cluster in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        made = Cluster(Path(name))
        try:
            yield made
        finally:
            made.stop()


def peak_mb(pid: int, *, children: bool = False) -> float | None:
    """Return the most resident memory that a process has had, MB; with ``children`` the largest among them and it.

    ``None``: it is gone.
    """
    pids = [pid]
    with contextlib.suppress(psutil.NoSuchProcess):
        pids += [child.pid for child in psutil.Process(pid).children(recursive=True)] if children else []
    return max((mb for one in pids if (mb := _peak_mb(one)) is not None), default=None)


def _peak_mb(pid: int) -> float | None:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return None
    return None if found is None else int(found[1]) / 1024


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process and its children have taken, s."""
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def connections(pid: int) -> int:
    """Return how many TCP connections a process and its children hold."""
    process = psutil.Process(pid)
    return sum(
        connection.status == psutil.CONN_ESTABLISHED
        for one in (process, *process.children(recursive=True))
        for connection in one.net_connections("tcp")
    )


def wait_for(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Wait until ``condition()``; return whether it came true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True
