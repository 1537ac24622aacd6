"""Metrics for Prometheus: how they are served beside checks of health, and those of the whole cluster, read from the store.

Labels are pools, slots, queues, sweeps with their executions, and outcome words; never configurations or jobs: of
these there may be 100,000. What is not known is absent.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import cast
from wsgiref.simple_server import WSGIRequestHandler
from wsgiref.types import StartResponse, WSGIEnvironment

import redis
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from contracts.failures import SetupError
from contracts.manifest import Manifest
from contracts.queues import AGGREGATE_QUEUE, pool_queue
from contracts.redis_client import connect
from contracts.store import Store
from contracts.watching import SlotNow, alive, lengths, live_aggregators, slots_now

LOOPBACK = "127.0.0.1"
FRESH_S = 1.0
"""What was read is told again for so long: many scrapers cost the store no more than one."""

TTFT_BUCKETS_S = (
    *(0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)
"""From a cached prompt on a small model to a cold load of a large one."""
THROUGHPUT_BUCKETS = (
    *(1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0),
    *(750.0, 1000.0, 1500.0, 2000.0, 3000.0, 5000.0, 7500.0, 10_000.0),
)
"""tok/s of one call: from a large model on a CPU to a small one on special hardware."""

GONE_S = 3600.0
"""A slot that was seen is told to be gone for so long; then its metrics end, as if it had never been."""

BREAKER_STATES = ("closed", "half-open", "open")

Check = Callable[[], str | None]
"""Returns what is wrong, in one line; ``None``: nothing. It must be quick and must not raise."""


class MetricsServer:
    """Serves metrics, and checks by their path, until it is stopped; use it as a context manager or not at all.

    Args:
        collectors: Of the metrics; any path shows them that is none of a check.
        port: 0: any free one.
        address: To listen on.
        checks: Path → check: HTTP 200, or 503 with what is wrong.

    Raises:
        SetupError: on creation, where the port can't be listened on.
    """

    def __init__(
        self,
        collectors: Iterable[Collector],
        port: int,
        address: str = LOOPBACK,
        checks: Mapping[str, Check] | None = None,
    ) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        for collector in collectors:
            registry.register(collector)
        try:
            self._server = _Server((address, port), _Quiet)
        except OSError as error:
            raise SetupError(
                f"metrics can't be served at {address}:{port}: {error.strerror or error}; "
                "give another one with --metrics-port and --metrics-address"
            ) from None
        metrics, asked = make_wsgi_app(registry), checks or {}

        def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            check = asked.get(environ["PATH_INFO"])
            return metrics(environ, start) if check is None else _checked(check, start)

        self._server.set_app(answer)
        self.port = int(self._server.server_port)
        """The one that is listened on, where 0 was asked for."""
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> MetricsServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingWSGIServer):
    def __init__(self, where: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        found = socket.getaddrinfo(*where, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__(cast(tuple[str, int], found[0][4]), handler)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: a line for each request drowns the rest."""


def _checked(check: Check, start: StartResponse) -> Iterable[bytes]:
    problem = check()
    start(
        "200 OK" if problem is None else "503 Service Unavailable",
        [("Content-Type", "text/plain; charset=utf-8")],
    )
    return [f"{problem or 'ok'}\n".encode()]


def serve_store(
    url: str, port: int, address: str = LOOPBACK, checks: Mapping[str, Check] | None = None
) -> MetricsServer:
    """Serve the cluster's metrics, read from the store at ``url`` when they are asked for, and checks.

    Raises:
        SetupError: The port can't be listened on.
    """
    # A client of its own that gives up at once: a scrape must not wait for a Redis that is away.
    return MetricsServer([StoreCollector(Store(connect(url, retries=0)))], port, address, checks)


class StoreCollector(Collector):
    """The metrics of the whole cluster; only ``chimera_store_up`` while the store is away."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._read: tuple[float, list[Metric]] | None = None
        self._manifests: dict[str, Manifest] = {}
        self._seen: dict[str, tuple[str, float]] = {}
        """Slot → its pool, and when it was live last."""

    def describe(self) -> Iterable[Metric]:
        """Nothing: that which is there depends on what runs."""
        return []

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            now = self._clock()
            if self._read is None or now - self._read[0] >= FRESH_S:
                self._read = (now, self._collect())
            return self._read[1]

    def _collect(self) -> list[Metric]:
        up = GaugeMetricFamily("chimera_store_up", "Whether the result store answers (1) or not (0).")
        try:
            metrics = [*self._memory(), *self._slots_and_queues(), *self._sweeps()]
        except redis.RedisError:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *metrics]

    def _memory(self) -> Iterator[Metric]:
        try:
            info = self._store.client.info("memory")
        except redis.exceptions.NoPermissionError:
            return  # not known to this user
        assert isinstance(info, dict)
        used = GaugeMetricFamily("chimera_store_memory_bytes", "Memory that Redis uses for its data.")
        used.add_metric([], info["used_memory"])
        yield used
        if info.get("maxmemory"):
            most = GaugeMetricFamily("chimera_store_memory_limit_bytes", "Redis' maxmemory, where it is set.")
            most.add_metric([], info["maxmemory"])
            yield most

    def _slots_and_queues(self) -> Iterator[Metric]:
        now = self._clock()
        slots = slots_now(self._store, self._seen)
        self._seen |= {slot.slot: (slot.status.pool, now) for slot in slots if slot.status is not None}
        self._seen = {name: seen for name, seen in self._seen.items() if now - seen[1] < GONE_S}
        yield from _slots(slots, {name: pool for name, (pool, _) in self._seen.items()})
        aggregators = GaugeMetricFamily("chimera_aggregators", "Live aggregators.")
        aggregators.add_metric([], live_aggregators(self._store))
        yield aggregators
        depth = GaugeMetricFamily(
            "chimera_queue_depth",
            "Messages that wait in a queue; slots' own queues are chimera_slot_queue_depth.",
            labels=["queue"],
        )
        pools = {slot.status.pool for slot in slots if slot.status is not None}
        for manifest in self._live():
            pools.add(manifest.spec.pool)
        for queue, waiting in lengths(
            self._store, [*map(pool_queue, sorted(pools)), AGGREGATE_QUEUE]
        ).items():
            depth.add_metric([queue], waiting)
        yield depth

    def _live(self) -> list[Manifest]:
        executions = self._store.running_executions()
        self._manifests = {x: m for x, m in self._manifests.items() if x in executions}
        for execution in executions:
            if execution not in self._manifests:
                manifest = self._store.manifest(execution)
                if manifest is not None:
                    self._manifests[execution] = manifest
        return list(self._manifests.values())

    def _sweeps(self) -> Iterator[Metric]:
        labels = ["sweep", "execution", "pool"]
        jobs = GaugeMetricFamily(
            "chimera_sweep_jobs",
            "Jobs of an execution that is not over, by state; waiting: known, and neither done nor running; absent "
            "while the execution is paused.",
            labels=[*labels, "state"],
        )
        failed = GaugeMetricFamily(
            "chimera_sweep_failed_jobs",
            "Jobs of an execution that failed, by outcome.",
            labels=[*labels, "outcome"],
        )
        paused = GaugeMetricFamily("chimera_sweep_paused", "Whether an execution is paused.", labels=labels)
        for manifest in self._live():
            x = manifest.execution
            values = [manifest.sweep, x, manifest.spec.pool]
            progress = alive(self._store, x, self._store.progress(x))
            counts, due = self._store.counts(x), self._store.due(x)
            known = sum(max(due.get(c.id, 0), counts.done.get(c.id, 0)) for c in manifest.configurations)
            running = len(progress.running)
            states = {"done": progress.done, "running": running}
            if progress.status != "paused":  # nothing waits for a slot then
                states["waiting"] = max(known - progress.done - running, 0)
            for state, number in states.items():
                jobs.add_metric([*values, state], number)
            for outcome, number in counts.why.items():
                failed.add_metric([*values, outcome], number)
            paused.add_metric(values, progress.status == "paused")
        yield from (jobs, failed, paused)


def _slots(slots: list[SlotNow], pools: dict[str, str]) -> Iterator[Metric]:
    labels = ["slot", "pool"]
    live = GaugeMetricFamily(
        "chimera_slot_live", "Whether the slot's worker gives signs of life; 0 for an hour.", labels=labels
    )
    answers = GaugeMetricFamily(
        "chimera_slot_server_up",
        "Whether the slot's model server answered when it was asked last.",
        labels=labels,
    )
    measuring = GaugeMetricFamily(
        "chimera_slot_measuring", "Whether a job holds the slot now.", labels=labels
    )
    expires = GaugeMetricFamily(
        "chimera_slot_lease_expires_seconds",
        "In how many seconds the lease of the slot expires unless it is renewed; absent where no job holds the slot.",
        labels=labels,
    )
    queued = GaugeMetricFamily(
        "chimera_slot_queue_depth", "Messages that wait for this slot alone.", labels=labels
    )
    breaker = GaugeMetricFamily(
        "chimera_slot_breaker_state",
        "1 for the state that the slot's circuit breaker is in.",
        labels=[*labels, "state"],
    )
    for slot in slots:
        if slot.slot not in pools:
            continue
        values = [slot.slot, pools[slot.slot]]
        live.add_metric(values, slot.status is not None)
        now = "closed" if slot.breaker is None else slot.breaker.state
        for state in BREAKER_STATES:
            breaker.add_metric([*values, state], state == now)
        if slot.status is None:
            continue
        answers.add_metric(values, slot.status.problem is None)
        measuring.add_metric(values, slot.lease_s is not None)
        if slot.lease_s is not None:
            expires.add_metric(values, slot.lease_s)
        queued.add_metric(values, slot.queued)
    yield from (live, answers, measuring, expires, queued, breaker)
