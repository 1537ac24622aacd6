"""Figures of a stage from samples, against figures by hand. One tick is 0.1 s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.telemetry import GpuTelemetry, StageTelemetry
from worker.telemetry.sample import GpuKey, GpuSample, HostSample, Sample
from worker.telemetry.summary import summarise

TICK = 100_000_000
KEY = GpuKey(3, "GPU-a")


def of(samples: Sequence[Sample], start: float, end: float) -> StageTelemetry:
    """Summarise from ``start`` to ``end``, in ticks."""
    return summarise(samples, round(start * TICK), round(end * TICK), period_s=0.1, gpus=(KEY,))


def gpu_samples(at: Sequence[float] | None = None, **figures: Sequence[Any]) -> list[Sample]:
    """One sample per value, at ``at`` (ticks; else 0, 1, 2, …)."""
    count = len(next(iter(figures.values())))
    times = [round(t * TICK) for t in at or range(count)]
    return [
        Sample(t, HostSample(), (GpuSample(KEY.gpu, t, **{name: v[i] for name, v in figures.items()}),))
        for i, t in enumerate(times)
    ]


def host_samples(**figures: Sequence[Any]) -> list[Sample]:
    count = len(next(iter(figures.values())))
    return [Sample(i * TICK, HostSample(**{name: v[i] for name, v in figures.items()})) for i in range(count)]


def gpu(samples: Sequence[Sample], start: float, end: float) -> GpuTelemetry:
    (only,) = of(samples, start, end).gpus or ()
    return only


def energy(samples: Sequence[Sample], start: float, end: float) -> tuple[Any, str | None]:
    figures = gpu(samples, start, end)
    return figures.energy_j, figures.energy_source


def test_counter_at_constant_power() -> None:
    """100 W: 10 J per tick; 6 ticks between the samples are 60 J."""
    figures = gpu(gpu_samples(energy_mj=[5_000 + 10_000 * i for i in range(10)]), 2.5, 8.5)
    assert figures.energy_j == pytest.approx(60.0)
    assert (figures.energy_source, figures.index, figures.uuid) == ("counter", 3, "GPU-a")
    assert figures.mean_power_w == pytest.approx(100.0)


def test_counter_is_interpolated_at_the_edges() -> None:
    """From a quarter into a 10 J tick to half into a 40 J tick: 7.5 + 20 + 20."""
    samples = gpu_samples(energy_mj=[0, 10_000, 30_000, 70_000, 75_000])
    assert energy(samples, 0.25, 2.5) == (pytest.approx(47.5), "counter")


def test_counter_that_moves_more_slowly_than_the_samples() -> None:
    """It steps by 30 J every third tick. Between its steps it is interpolated, not taken to stand still."""
    values = [0, 30_000, 30_000, 30_000, 60_000, 60_000, 60_000, 90_000, 90_000, 90_000, 120_000]
    assert energy(gpu_samples(energy_mj=values), 2, 9) == (pytest.approx(70.0), "counter")


def test_power_is_integrated_with_its_value_at_the_edges() -> None:
    """150 W → 200 W, → 100 W, → 110 W: trapezoids of 0.05 s, 0.1 s and 0.01 s."""
    samples = gpu_samples(power_mw=[100_000, 200_000, 100_000, 200_000, 200_000])
    expected = (150 + 200) / 2 * 0.05 + (200 + 100) / 2 * 0.1 + (100 + 110) / 2 * 0.01
    assert energy(samples, 0.5, 2.1) == (pytest.approx(expected), "power")
    assert gpu(samples, 0.5, 2.1).mean_power_w == pytest.approx(expected / 0.16)


def test_the_counter_goes_before_power() -> None:
    samples = gpu_samples(energy_mj=[10_000 * i for i in range(6)], power_mw=[300_000] * 6)
    assert energy(samples, 1, 4) == (pytest.approx(30.0), "counter")


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        (1.1, 1.9, "no sample inside"),
        (1.5, 2.5, "one sample inside"),
        (-0.5, 3, "no sample before"),
        (3, 5.5, "no sample after"),
        (3, 3, "no time"),
        (4, 2, "the end before the start"),
    ],
)
@pytest.mark.parametrize("figure", ["energy_mj", "power_mw"])
def test_too_little_seen_is_none(figure: str, start: float, end: float, why: str) -> None:
    figures = gpu(gpu_samples(**{figure: [10_000 * (i + 1) for i in range(6)]}), start, end)
    assert (figures.energy_j, figures.energy_source, figures.mean_power_w) == (None, None, None), why


def test_a_stage_shorter_than_the_counters_step_is_none_and_not_zero() -> None:
    """Samples enough, but the counter steps every fifth tick; power does not stand in for it."""
    samples = gpu_samples(energy_mj=[(i + 2) // 5 * 50_000 for i in range(20)], power_mw=[100_000] * 20)
    assert energy(samples, 9, 12) == (None, None)
    assert energy(samples, 7, 14) == (pytest.approx(70.0), "counter")


@pytest.mark.parametrize("values", [[7] * 6, [60_000, 70_000, 80_000, 0, 10_000, 20_000]])
def test_power_where_the_counter_stands_still_or_fell(values: list[int]) -> None:
    assert energy(gpu_samples(energy_mj=values, power_mw=[100_000] * 6), 1, 4) == (
        pytest.approx(30.0),
        "power",
    )
    assert energy(gpu_samples(energy_mj=values), 1, 4) == (None, None)


def test_power_where_the_counter_was_given_up() -> None:
    samples = gpu_samples(energy_mj=[0, 10_000, None, None, None, None], power_mw=[100_000] * 6)
    assert energy(samples, 1, 4) == (pytest.approx(30.0), "power")


def test_a_missing_reading_is_left_out() -> None:
    assert energy(gpu_samples(energy_mj=[0, 10_000, None, 30_000, 40_000, 50_000]), 1, 4) == (
        pytest.approx(30.0),
        "counter",
    )
    assert energy(gpu_samples(power_mw=[100_000, 100_000, None, 200_000, 200_000, None]), 1, 4) == (
        pytest.approx((100 + 200) / 2 * 0.2 + 200 * 0.1),
        "power",
    )


def test_a_hole_inside_is_known_to_the_counter_only() -> None:
    """20 ticks without a sample: the counter has counted, what the power was meanwhile nobody knows."""
    at = [0, 1, 2, 22, 23, 24]
    assert energy(gpu_samples(at, energy_mj=[1_000 * t for t in at]), 0.5, 23.5) == (
        pytest.approx(23.0),
        "counter",
    )
    assert energy(gpu_samples(at, power_mw=[100_000] * 6), 0.5, 23.5) == (None, None)


def test_an_edge_in_a_hole_is_not_known() -> None:
    at = [0, 1, 2, 22, 23, 24]
    assert energy(gpu_samples(at, energy_mj=[1_000 * t for t in at]), 0.5, 12) == (None, None)


def test_figures_of_the_samples_inside() -> None:
    samples = gpu_samples(
        power_mw=[900_000, 100_000, 250_500, 120_000, 900_000],
        utilisation_percent=[0, 80, None, 90, 0],
        memory_used_bytes=[99, 10, 30, 20, 99],
        temperature_c=[90, 40, 45, 44, 90],
        sm_clock_mhz=[100, 1500, 1200, 1800, 100],
        throttle_mask=[0x80, 0, 0x4, 0x40 | 0x1, 0x80],
    )
    assert gpu(samples, 0.5, 3.5).model_dump(exclude={"energy_j", "energy_source", "mean_power_w"}) == {
        "index": 3,
        "uuid": "GPU-a",
        "max_power_w": 250.5,
        "mean_utilisation_percent": 85.0,
        "peak_memory_bytes": 30,
        "peak_temperature_c": 45,
        "mean_sm_clock_mhz": 1500.0,
        "min_sm_clock_mhz": 1200,
        "throttle_reasons": ("power cap", "thermal (hardware)"),
        "throttled": True,
    }


@pytest.mark.parametrize(
    ("masks", "reasons", "throttled"),
    [
        ([0, 0], (), False),
        ([0x001, 0x002 | 0x100], (), False),  # idle and set clocks are no throttling
        ([None, None], None, None),
        ([None, 0x020], ("thermal (software)",), True),
        ([0x080, 0x008 | 0x400], ("slowdown (hardware)", "power brake", "reliability"), True),
        ([0x800, 0], ("unknown (0x800)",), None),
        ([0x800, 0x4], ("power cap", "unknown (0x800)"), True),
    ],
)
def test_throttling(masks: list[int | None], reasons: tuple[str, ...] | None, throttled: bool | None) -> None:
    figures = gpu(gpu_samples(throttle_mask=masks), 0, 1)
    assert (figures.throttle_reasons, figures.throttled) == (reasons, throttled)


def test_nothing_sampled_is_none_throughout() -> None:
    assert of([], 0, 5).model_dump(exclude_none=True) == {
        "samples": 0,
        "period_s": 0.1,
        "gpus": ({"index": 3, "uuid": "GPU-a"},),
    }


@pytest.mark.parametrize("gpus", [None, ()])
def test_no_nvml_is_not_no_gpu(gpus: tuple[()] | None) -> None:
    assert summarise([], 0, TICK, period_s=0.1, gpus=gpus).gpus == gpus


def test_two_gpus_are_kept_apart() -> None:
    samples = [
        Sample(
            i * TICK,
            HostSample(),
            (
                GpuSample(0, i * TICK, energy_mj=10_000 * i),
                GpuSample(1, i * TICK + TICK // 4, energy_mj=20_000 * i),
            ),
        )
        for i in range(8)
    ]
    summary = summarise(samples, 2 * TICK, 5 * TICK, period_s=0.1, gpus=(GpuKey(0), GpuKey(1)))
    assert [g.energy_j for g in summary.gpus or ()] == [pytest.approx(30.0), pytest.approx(60.0)]


def test_host_figures() -> None:
    """Busy 30 of 100 ticks' time per sample from tick 1 on, 5 stolen; 0.02 s of CPU time per 0.1 s."""
    samples = host_samples(
        cpu_busy=[0, 90, 120, 150, 180],
        cpu_steal=[0, 0, 5, 10, 15],
        cpu_total=[0, 100, 200, 300, 400],
        load_1min=[9.0, 1.0, 2.0, 3.0, 9.0],
        memory_used_bytes=[99, 5, 8, 7, 99],
        process_cpu_ns=[0, 20_000_000, 40_000_000, 60_000_000, 80_000_000],
    )
    figures = of(samples, 1, 3)
    assert figures.samples == 3
    assert figures.cpu_busy_percent == pytest.approx(30.0)
    assert figures.cpu_steal_percent == pytest.approx(5.0)
    assert figures.load_1min == pytest.approx(2.0)
    assert figures.memory_used_bytes == 8
    assert figures.process_cpu_percent == pytest.approx(20.0)
    assert of(samples, 0.5, 3).cpu_busy_percent == pytest.approx((45 + 60) / 250 * 100)


def test_stolen_time_that_falls_is_not_known() -> None:
    samples = host_samples(cpu_busy=[0, 10, 20], cpu_steal=[50, 40, 30], cpu_total=[0, 100, 200])
    figures = of(samples, 0, 2)
    assert figures.cpu_busy_percent == pytest.approx(10.0)
    assert figures.cpu_steal_percent is None


def test_the_longest_gap_counts_the_edges() -> None:
    samples = [Sample(round(at * TICK), HostSample()) for at in (0, 1, 2, 2.5, 4, 5)]
    assert of(samples, 0.5, 4.25).max_gap_s == pytest.approx(0.15)
    assert of(samples, 1, 9).max_gap_s == pytest.approx(0.4)  # nothing after tick 5
    assert of(samples, 1.1, 1.9).max_gap_s is None


COUNTS = st.lists(st.integers(0, 500_000), min_size=12, max_size=40)
EDGES = st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(sorted)


@pytest.mark.parametrize("figure", ["energy_mj", "power_mw"])
@given(increments=COUNTS, jitters=st.lists(st.floats(-0.4, 0.4), min_size=40, max_size=40), edges=EDGES)
def test_adjacent_stages_add_up_to_the_whole(
    figure: str, increments: list[int], jitters: list[float], edges: list[float]
) -> None:
    at = [i + jitter for i, jitter in zip(range(len(increments)), jitters, strict=False)]
    rising = [sum(increments[: i + 1]) for i in range(len(increments))]
    samples = gpu_samples(at, **{figure: rising if figure == "energy_mj" else [v + 1 for v in increments]})
    span = at[-1] - at[0]
    start, middle, end = (at[0] + edge * span for edge in edges)
    (first, _), (second, _), (whole, source) = (
        energy(samples, a, b) for a, b in ((start, middle), (middle, end), (start, end))
    )
    if first is not None and second is not None:
        assert whole == pytest.approx(first + second, rel=1e-6, abs=1e-3)
        assert source == ("counter" if figure == "energy_mj" else "power")


def test_adjacent_stages_of_an_ordinary_run_are_all_known() -> None:
    """So that the property above is not empty."""
    samples = gpu_samples(energy_mj=[i * i * 1000 for i in range(30)])
    parts = [energy(samples, a, b)[0] for a, b in ((1.3, 7.7), (7.7, 20.2), (20.2, 28.9), (1.3, 28.9))]
    assert None not in parts
    assert sum(parts[:3]) == pytest.approx(parts[3])


OPTIONAL = st.none() | st.integers(0, 2**63)
SAMPLES = st.lists(
    st.builds(
        Sample,
        at_ns=st.integers(0, 12).map(lambda tick: tick * TICK),
        host=st.builds(
            HostSample, OPTIONAL, OPTIONAL, OPTIONAL, st.none() | st.floats(0, 1e6), OPTIONAL, OPTIONAL
        ),
        gpus=st.just(())
        | st.tuples(
            st.builds(
                GpuSample,
                gpu=st.sampled_from([KEY.gpu, 5]),
                at_ns=st.integers(0, 12).map(lambda tick: tick * TICK),
                energy_mj=OPTIONAL,
                power_mw=OPTIONAL,
                utilisation_percent=st.none() | st.integers(0, 100),
                memory_used_bytes=OPTIONAL,
                temperature_c=st.none() | st.integers(-273, 2**31),
                sm_clock_mhz=OPTIONAL,
                throttle_mask=OPTIONAL,
            )
        ),
    ),
    max_size=12,
).map(lambda samples: sorted(samples, key=lambda s: s.at_ns))


@given(samples=SAMPLES, start=st.floats(-2, 8), end=st.floats(4, 14))
def test_whatever_was_read_can_be_summed_up(samples: list[Sample], start: float, end: float) -> None:
    """Never an exception; and no figure without a sample inside."""
    summary = of(samples, start, end)
    if summary.samples == 0:
        assert (summary.max_gap_s, summary.load_1min, summary.memory_used_bytes) == (None, None, None)
        assert (summary.cpu_busy_percent, summary.process_cpu_percent) == (None, None)
