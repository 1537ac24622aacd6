"""One sweep under faults, from an empty folder to the audit of its results."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from benchmarks.chaos.audit import Audit, audit
from benchmarks.chaos.clock import Clock, compiler
from benchmarks.chaos.faults import FAULTS, Target
from benchmarks.chaos.parts import POOL, Parts
from producer.processes import Child

CONFIGURATIONS = 10
SCHEDULE = {"ttft_ms": 20, "itl_ms": 3, "tokens": 12}
DEADLINE_S = 3
TICK_S = 0.05
STARTED_AGAIN_AFTER_S = 1.0
"""A part that ended is started again after this, as a supervisor would."""


@dataclass(frozen=True)
class Options:
    """What a repetition is made of."""

    jobs: int
    slots: int
    faults: int
    """How many faults are injected; then what was done must come to its end."""
    every_s: float
    """Mean time between two of them."""
    limit_s: float
    kinds: Sequence[str]
    """Names of :data:`benchmarks.chaos.faults.FAULTS`."""
    plots: bool
    """Whether an axis makes the server reload, so that runs are pulled as units."""


@dataclass(frozen=True)
class Ended:
    """What a repetition came to."""

    faults: Counter[str]
    deliveries: int
    attempts: int
    """Measurements that began."""
    seconds: float
    audit: Audit | None
    complaints: list[str]


def repeat(folder: Path, seed: int, options: Options) -> Ended:
    """Run a sweep to its end under faults that ``seed`` draws; end all processes, whatever happens."""
    folder.mkdir(parents=True)
    parts = Parts(folder / "parts")
    try:
        ended = _Repetition(parts, folder, seed, options).run()
    finally:
        parts.stop()
    left_over = [f"left over: {line}" for line in parts.left_over()]
    return replace(ended, complaints=ended.complaints + left_over)


class _Repetition:
    def __init__(self, parts: Parts, folder: Path, seed: int, options: Options) -> None:
        self._parts = parts
        self._options = options
        self._chance = random.Random(seed)
        self._sweep = _write_sweep(folder, options)
        clock = Clock(folder) if compiler() is not None else None
        self._target = Target(parts, self._chance, clock)
        self._injected: Counter[str] = Counter()
        self._ended_at: dict[str, float] = {}
        self._slots = [f"s{n}" for n in range(options.slots)]
        # Half of the machines have a clock that jumps.
        self._environments = {} if clock is None else dict.fromkeys(self._slots[::2], clock.environment)

    def run(self) -> Ended:
        self._parts.start(*self._slots, environments=self._environments, **SCHEDULE)
        began = time.monotonic()
        self._target.producer = self._parts.run(self._sweep)
        ended = self._until_the_end(began)
        seconds = time.monotonic() - began
        self._target.heal(all_=True)
        found = self._audit() if ended else None
        complaints = (
            found.complaints if found is not None else [f"the sweep did not end within {seconds:.0f} s"]
        )
        return Ended(
            self._injected, len(self._parts.deliveries), len(self._parts.attempts), seconds, found, complaints
        )

    def _until_the_end(self, began: float) -> bool:
        """Strike, heal and start again until the producer ends well; return whether it did in time."""
        next_fault = began + self._pause()
        while (now := time.monotonic()) < began + self._options.limit_s:
            self._target.heal()
            if self._supervise():
                return True
            if now >= next_fault and self._injected.total() < self._options.faults:
                self._strike()
                next_fault = now + self._pause()
            time.sleep(TICK_S)
        return False

    def _pause(self) -> float:
        return self._chance.expovariate(1 / self._options.every_s)

    def _strike(self) -> None:
        names = list(self._options.kinds)
        while names:
            (name,) = self._chance.choices(names, [FAULTS[name][1] for name in names])
            if FAULTS[name][0](self._target):
                self._injected[name] += 1
                return
            names.remove(name)

    def _supervise(self) -> bool:
        """Start again what ended; return whether the producer has ended well."""
        producer = self._target.producer
        assert producer is not None
        if producer.returncode == 0:
            return True
        if self._is_due("producer", producer):
            self._target.producer = self._parts.run(self._sweep)
        if self._is_due("aggregator", self._parts.aggregators[-1]):
            self._parts.aggregator(wait=False)
        for slot in self._slots:
            if self._is_due(slot, self._parts.workers[slot]):
                self._parts.worker(slot, environment=self._environments.get(slot), wait=False)
        return False

    def _is_due(self, name: str, child: Child) -> bool:
        """Return whether a part has been dead long enough to be started again."""
        if child.alive:
            self._ended_at.pop(name, None)
            return False
        return time.monotonic() - self._ended_at.setdefault(name, time.monotonic()) > STARTED_AGAIN_AFTER_S

    def _audit(self) -> Audit:
        # Of several executions, one is that of the sweep: nothing here begins it anew.
        (execution,) = self._parts.executions
        folders = list(self._parts.results.glob("*/*"))
        assert len(folders) == 1, folders
        calls = {slot: self._parts.servers[slot].calls() for slot in self._slots}
        return audit(self._parts.store, execution, folders[0], calls)


def _write_sweep(folder: Path, options: Options) -> Path:
    (folder / "data.csv").write_text("a,b\n1,2\n")
    cheap = CONFIGURATIONS // 2 if options.plots else CONFIGURATIONS
    axes: dict[str, list[float]] = {"temperature": [round(0.1 * n, 1) for n in range(1, cheap + 1)]}
    if options.plots:
        axes["num_ctx"] = [2048, 4096]
    tree = {
        **{"name": "chaos", "server": "ollama", "model": "ref", "pool": POOL, "warmup": 0},
        **{"workload": {"kind": "agent", "paths": ["data.csv"], "structured": "off"}},
        **{"axes": axes, "runs": options.jobs // CONFIGURATIONS, "deadline": DEADLINE_S},
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return path
