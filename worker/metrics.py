"""Metrics of one slot: the pool's process that measures tells its parent, the parent serves them.

What is told goes through a pipe that both have from the fork: a short line when a job begins and one when its
outcome is stored, so between two measurements. Nothing is told, locked or written to disk while a call runs, and a
scrape is answered by the parent alone. prometheus_client's own multiprocess mode would keep a file for each process
in a folder, which a killed worker leaves behind.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from contracts.formulas import throughput_tok_s, ttft_ms
from contracts.metrics import THROUGHPUT_BUCKETS, TTFT_BUCKETS_S
from contracts.outcome import JobOutcome
from contracts.settings import WorkerSettings

WINDOW_S = 300.0
"""The busy share is that of the last so many s."""
_CALLS_A_LINE = 60
"""A line stays below PIPE_BUF (4,096 bytes on Linux), so that it is written whole or not at all."""

log = logging.getLogger(__name__)


class Told:
    """The end of the pipe that the measuring process writes to. Full, or without a reader: a line is lost."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)

    def began(self) -> None:
        """Tell that a job begins."""
        self._tell({"began": True})

    def ended(self, outcome: JobOutcome | None) -> None:
        """Tell that the job is over; ``None``: without an outcome that was stored."""
        if outcome is None:
            self._tell({"ended": True})
            return
        calls = [
            _call(stage.outcome.value, stage)
            for stage in outcome.stages
            if stage.phase == "measured" and stage.call
        ]
        for at in range(_CALLS_A_LINE, len(calls), _CALLS_A_LINE):
            self._tell({"calls": calls[at : at + _CALLS_A_LINE]})
        self._tell({"ended": True, "outcome": outcome.why or "ok", "calls": calls[:_CALLS_A_LINE]})

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield what is told. For the parent, which never sees an end: it holds the other end, too."""
        rest = b""
        while True:
            told = os.read(self._reading, 65_536)
            if not told:  # nobody is left who could tell anything
                return
            *lines, rest = (rest + told).split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError):
                    yield json.loads(line)

    def _tell(self, line: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            os.write(self._writing, json.dumps(line).encode() + b"\n")


def _call(outcome: str, stage: Any) -> list[Any]:
    """Outcome, TTFT in s, tok/s; of a call that is not valid the outcome alone."""
    if not stage.outcome.valid:
        return [outcome, None, None]
    first = ttft_ms(stage.call.timing)
    rate, _ = throughput_tok_s(stage.call.timing, stage.call.counters)
    return [
        outcome,
        None if first is None else round(first / 1e3, 6),
        None if rate is None else round(rate, 3),
    ]


class SlotMetrics(Collector):
    """Collects the metrics of one slot, from what is told since the worker was started."""

    def __init__(self, settings: WorkerSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._labels = {"slot": settings.slot, "pool": settings.pool}
        self._clock = clock
        self._started = clock()
        self._since: float | None = None
        self._counted = self._started
        """Up to when the time of the job that runs is counted."""
        self._busy: deque[tuple[float, float]] = deque()
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        names = list(self._labels)

        def counter(name: str, text: str, *more: str) -> Counter:
            return Counter(name, text, [*names, *more], registry=self._registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, text, names, buckets=buckets, registry=self._registry)

        self._jobs = counter(
            "chimera_jobs", "Jobs with a stored outcome; ok, or what they failed by.", "outcome"
        )
        self._calls = counter("chimera_calls", "Measured calls, by outcome.", "outcome")
        self._busy_s = counter("chimera_slot_busy_seconds", "Time that jobs have held the slot.").labels(
            **self._labels
        )
        self._ttft = histogram(
            "chimera_ttft_seconds",
            "Time to first token of valid measured calls, cold ones included.",
            TTFT_BUCKETS_S,
        ).labels(**self._labels)
        self._rate = histogram(
            "chimera_throughput_tokens_per_second", "Throughput of valid measured calls.", THROUGHPUT_BUCKETS
        ).labels(**self._labels)

    def describe(self) -> Iterable[Metric]:
        """Nothing: names can't clash, the registry of the server holds one slot."""
        return []

    def follow(self, told: Told) -> None:
        """Take in all that is told from now on, in a thread of its own."""
        threading.Thread(target=self._follow, args=(told,), name="metrics", daemon=True).start()

    def _follow(self, told: Told) -> None:
        for line in told.lines():
            try:
                self.take(line)
            except Exception as error:
                log.warning("a line of the metrics was not understood: %r", error)

    def take(self, line: dict[str, Any]) -> None:
        """Take in one line of :class:`Told`."""
        now = self._clock()
        with self._lock:
            if line.get("began"):
                self._since = self._counted = now
            for outcome, first, rate in line.get("calls", ()):
                self._calls.labels(**self._labels, outcome=outcome).inc()
                if first is not None:
                    self._ttft.observe(first)
                if rate is not None:
                    self._rate.observe(rate)
            if "outcome" in line:
                self._jobs.labels(**self._labels, outcome=line["outcome"]).inc()
            if line.get("ended") and self._since is not None:
                self._busy.append((self._since, now))
                self._count(now)
                self._since = None
            while self._busy and self._busy[0][1] < now - WINDOW_S:
                self._busy.popleft()

    def _count(self, now: float) -> None:
        """Count the running job's time until now."""
        self._busy_s.inc(now - self._counted)
        self._counted = now

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            now, since = self._clock(), self._since
            if since is not None:
                self._count(now)
            spans = [*self._busy, *([] if since is None else [(since, now)])]
        yield from self._registry.collect()
        begin = max(self._started, now - WINDOW_S)
        share = GaugeMetricFamily(
            "chimera_slot_busy_ratio",
            f"Share of the last {WINDOW_S:g} s, or of the time since the worker was started, that jobs held the slot.",
            labels=list(self._labels),
        )
        if now > begin:
            busy = sum(max(end - max(start, begin), 0.0) for start, end in spans)
            share.add_metric(list(self._labels.values()), min(busy / (now - begin), 1.0))
        yield share
        age = GaugeMetricFamily(
            "chimera_lease_age_seconds",
            "For how long the job that runs has held the slot; absent where none runs.",
            labels=list(self._labels),
        )
        if since is not None:
            age.add_metric(list(self._labels.values()), now - since)
        yield age
