"""Samples → what they say about one stage."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from contracts.telemetry import EnergySource, GpuTelemetry, StageTelemetry
from worker.telemetry.curves import Point, difference, integral, knots, steps
from worker.telemetry.sample import GpuKey, GpuSample, HostSample, Sample
from worker.telemetry.throttling import throttling

T = TypeVar("T")

NS_PER_S = 1_000_000_000
BRIDGED_PERIODS = 10
"""Two samples further apart than this many periods say nothing about the time between them."""
MIN_SAMPLES = 2
"""Fewer inside a stage tell no difference and no mean over its time."""


def bridge_ns(period_s: float) -> int:
    """Return the longest time between two samples that is taken as known, ns."""
    return int(BRIDGED_PERIODS * period_s * NS_PER_S)


def summarise(
    samples: Sequence[Sample],
    start_ns: int,
    end_ns: int,
    *,
    period_s: float,
    gpus: tuple[GpuKey, ...] | None,
) -> StageTelemetry:
    """Return the figures of the stage from ``start_ns`` to ``end_ns``; ``samples`` in the order of time.

    Means of readings, peaks and reasons are of the samples inside the stage, edges included; differences of
    counters and integrals are interpolated at its edges and need a sample on both sides of each.
    """
    bridge = bridge_ns(period_s)
    # What lies further off cannot bear on an edge.
    near = [s for s in samples if start_ns - 2 * bridge <= s.at_ns <= end_ns + 2 * bridge]
    times = [s.at_ns for s in near if start_ns <= s.at_ns <= end_ns]
    stage = _Stage(start_ns, end_ns, bridge)
    return StageTelemetry(
        samples=len(times),
        period_s=period_s,
        max_gap_s=_max_gap_s(times, start_ns, end_ns),
        gpus=None if gpus is None else tuple(stage.gpu(key, _of(key, near)) for key in gpus),
        **stage.host([(s.at_ns, s.host) for s in near]),
    )


def _of(key: GpuKey, samples: Iterable[Sample]) -> list[GpuSample]:
    return [seen for sample in samples for seen in sample.gpus if seen.gpu == key.gpu]


def _max_gap_s(times: Sequence[int], start_ns: int, end_ns: int) -> float | None:
    if not times:
        return None
    return max(b - a for a, b in itertools.pairwise([start_ns, *times, end_ns])) / NS_PER_S


class _Stage:
    """The stretch of time that is summarised."""

    def __init__(self, start_ns: int, end_ns: int, bridge: int) -> None:
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._bridge = bridge
        self._duration_s = (end_ns - start_ns) / NS_PER_S

    def host(self, samples: Sequence[tuple[int, HostSample]]) -> dict[str, Any]:
        """Return the host's figures by their names in ``StageTelemetry``."""
        busy = self._rise([(at, s.cpu_busy) for at, s in samples])
        steal = self._rise([(at, s.cpu_steal) for at, s in samples])
        total = self._rise([(at, s.cpu_total) for at, s in samples])
        process_ns = self._rise([(at, s.process_cpu_ns) for at, s in samples])
        inside = [s for at, s in samples if self._start_ns <= at <= self._end_ns]
        return {
            "cpu_busy_percent": _percent(busy, total),
            "cpu_steal_percent": _percent(steal, total),
            "load_1min": _mean([s.load_1min for s in inside]),
            "memory_used_bytes": max(_known([s.memory_used_bytes for s in inside]), default=None),
            "process_cpu_percent": (
                None if process_ns is None else 100 * process_ns / (self._end_ns - self._start_ns)
            ),
        }

    def gpu(self, key: GpuKey, samples: Sequence[GpuSample]) -> GpuTelemetry:
        """Return one GPU's figures."""
        inside = [s for s in samples if self._start_ns <= s.at_ns <= self._end_ns]
        energy_j, source = self._energy(samples)
        power_mw = max(_known([s.power_mw for s in inside]), default=None)
        clocks = _known([s.sm_clock_mhz for s in inside])
        masks = _known([s.throttle_mask for s in inside])
        reasons, throttled = throttling(masks) if masks else (None, None)
        return GpuTelemetry(
            index=key.gpu,
            uuid=key.uuid,
            energy_j=energy_j,
            energy_source=source,
            mean_power_w=None if energy_j is None else energy_j / self._duration_s,
            max_power_w=None if power_mw is None else power_mw / 1e3,
            mean_utilisation_percent=_mean([s.utilisation_percent for s in inside]),
            peak_memory_bytes=max(_known([s.memory_used_bytes for s in inside]), default=None),
            peak_temperature_c=max(_known([s.temperature_c for s in inside]), default=None),
            mean_sm_clock_mhz=_mean(clocks),
            min_sm_clock_mhz=min(clocks, default=None),
            throttle_reasons=reasons,
            throttled=throttled,
        )

    def _energy(self, samples: Sequence[GpuSample]) -> tuple[float | None, EnergySource | None]:
        """Return joules and where they are from: the counter, or else the power readings.

        A counter that was seen to step and is there at both edges is believed, also where it says that the
        stage was too short for it; one that stands still or falls (the driver was loaded anew) is not.
        """
        counter: list[Point] = [(s.at_ns, s.energy_mj) for s in samples if s.energy_mj is not None]
        seen = steps(counter)
        millijoules = difference(knots(counter), self._start_ns, self._end_ns, self._bridge)
        if seen and millijoules is not None and all(a[1] <= b[1] for a, b in itertools.pairwise(counter)):
            return (millijoules / 1e3, "counter") if self._inside(seen) >= MIN_SAMPLES else (None, None)
        power: list[Point] = [(s.at_ns, s.power_mw / 1e3) for s in samples if s.power_mw is not None]
        if self._inside(power) < MIN_SAMPLES:
            return None, None
        joules = integral(power, self._start_ns, self._end_ns, self._bridge)
        return joules, None if joules is None else "power"

    def _rise(self, readings: Iterable[tuple[int, float | None]]) -> float | None:
        """Return the rise of a cumulative figure; ``None`` also where it fell.

        Stolen time does fall, when a guest is moved to another host.
        """
        points = [(at, value) for at, value in readings if value is not None]
        if self._inside(points) < MIN_SAMPLES:
            return None
        rise = difference(points, self._start_ns, self._end_ns, self._bridge)
        return None if rise is None or rise < 0 else rise

    def _inside(self, points: Sequence[Point]) -> int:
        if self._end_ns <= self._start_ns:
            return 0
        return sum(self._start_ns <= at <= self._end_ns for at, _ in points)


def _known(values: Iterable[T | None]) -> list[T]:
    return [value for value in values if value is not None]


def _mean(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return sum(known) / len(known) if known else None


def _percent(part: float | None, whole: float | None) -> float | None:
    if part is None or not whole:
        return None
    return min(100 * part / whole, 100.0)  # the kernel takes back a tick of idle time now and then
