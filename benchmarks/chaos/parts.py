"""The parts of a small cluster, each in a process of its own that can be ill-treated, and started again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from benchmarks.chaos.model_server import ModelServer
from benchmarks.chaos.redis_server import RedisServer
from benchmarks.chaos.trapped import ATTEMPTS, DELIVERIES
from contracts.redis_client import connect
from contracts.settings import BROKER
from contracts.store import Store
from producer.processes import Child

READY_S = 60.0
NONE: Mapping[str, dict[str, str]] = MappingProxyType({})
POOL = "chaos"
MAX_DEADLINE_S = 60
SCHEDULE: dict[str, float] = {"ttft_ms": 1, "itl_ms": 1, "tokens": 12}
"""Of a model server: calls that are next to nothing, and answers just long enough not to be degenerate."""


class Parts:
    """Redis, model servers, workers, aggregator and producer below one folder; :meth:`stop` ends all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.traps = folder / "traps"
        self.traps.mkdir(parents=True)
        self.redis = RedisServer(folder / "redis")
        self.store = Store(connect(self.redis.url))
        self.servers: dict[str, ModelServer] = {}
        self.workers: dict[str, Child] = {}
        self.aggregators: list[Child] = []
        self._children: list[Child] = []

    def start(
        self, *slots: str, environments: Mapping[str, dict[str, str]] = NONE, **schedule: float
    ) -> None:
        """Start slots with their model servers, all of one schedule, and an aggregator; wait until all are live."""
        for slot in slots:
            self.servers[slot] = ModelServer(self.folder, f"server-{slot}", **(schedule or SCHEDULE))
        for slot in slots:
            self.worker(slot, environment=environments.get(slot), wait=False)
        aggregator = self.aggregator(wait=False)
        for slot in slots:
            self.workers[slot].wait_until(lambda s=slot: self._is_live(s), seconds=READY_S)  # type: ignore[misc]
        aggregator.wait_until(self.store.has_aggregator, seconds=READY_S)

    def worker(self, slot: str, *, environment: dict[str, str] | None = None, wait: bool = True) -> Child:
        """Start the slot's worker; wait until it is live."""
        arguments = ["--slot", slot, "--server", self.servers[slot].url, "--pool", POOL]
        arguments += ["--wait", str(READY_S), "--max-deadline", str(MAX_DEADLINE_S)]
        worker = self._trapped(f"worker-{slot}", "worker", *arguments, environment=environment)
        self.workers[slot] = worker
        if wait:
            worker.wait_until(lambda: self._is_live(slot), seconds=READY_S)
        return worker

    def aggregator(self, *, wait: bool = True) -> Child:
        """Start an aggregator; wait until one is live."""
        aggregator = self._trapped("aggregator", "worker", "--aggregator")
        self.aggregators.append(aggregator)
        if wait:
            aggregator.wait_until(self.store.has_aggregator, seconds=READY_S)
        return aggregator

    def run(self, sweep: Path, *arguments: str) -> Child:
        """Start ``chimera run`` in the background."""
        results = ["--results", str(self.results), "--no-calibrate"]
        return self._trapped("run", "producer", "run", str(sweep), *results, *arguments)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def executions(self) -> list[str]:
        """All executions that the store knows."""
        return sorted({str(key).split(":")[2] for key in self.store.client.scan_iter("chimera:x:*:state")})

    def arm(self, point: str, whom: str = "worker") -> None:
        """Have the next process that comes to ``point`` die there: its ``worker`` too, or the ``process`` alone."""
        path = self.traps / f".{point}"
        path.write_text(whom)
        path.rename(self.traps / point)

    def armed(self, point: str) -> bool:
        return (self.traps / point).exists()

    @property
    def deliveries(self) -> list[str]:
        """The job ids of all deliveries so far."""
        return self._noted(DELIVERIES)

    @property
    def attempts(self) -> list[str]:
        """The job ids of all measurements that began so far."""
        return self._noted(ATTEMPTS)

    def left_over(self) -> list[str]:
        """Return the processes that still carry this broker's URL in their environment."""
        marker = f"{BROKER}={self.redis.url}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if marker in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found

    def stop(self) -> None:
        for child in reversed(self._children):
            child.stop_now()
        for server in self.servers.values():
            server.child.stop_now()
        self.redis.stop()

    def _noted(self, name: str) -> list[str]:
        file = self.traps / name
        return file.read_text().split() if file.exists() else []

    def _is_live(self, slot: str) -> bool:
        status = self.store.slot(slot)
        return status is not None and status.pid == self.workers[slot].pid

    def _trapped(
        self, name: str, package: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> Child:
        command = [sys.executable, "-m", "benchmarks.chaos.trapped", str(self.traps), package, *arguments]
        variables = {BROKER: self.redis.url, "COLUMNS": "200", **(environment or {})}
        index = sum(1 for child in self._children if child.name == name)
        log = self.folder / f"{name}-{index}.log"
        child = Child(name, command, log=log, environment=variables)
        self._children.append(child)
        return child
