"""NVML's reasons for held-down clocks, in words.

The bits are nvmlClocksEventReasons of nvml.h (nvmlClocksThrottleReasons before CUDA 12.2; same values).
"""

from __future__ import annotations

from collections.abc import Iterable

THROTTLING: dict[int, str] = {
    0x004: "power cap",  # SwPowerCap: kept below the set power limit
    0x008: "slowdown (hardware)",  # HwSlowdown: clocks halved or worse, by heat, power brake or peak power
    0x010: "sync boost",  # SyncBoost: held to the slowest GPU of its group
    0x020: "thermal (software)",  # SwThermalSlowdown
    0x040: "thermal (hardware)",  # HwThermalSlowdown
    0x080: "power brake",  # HwPowerBrakeSlowdown: asked for from outside, as by the power supply
    0x200: "board limit",  # BoardLimit
    0x400: "reliability",  # Reliability: the voltage's limit
}
"""Bit → what people call it."""

NOT_THROTTLING = 0x001 | 0x002 | 0x100
"""GpuIdle, ApplicationsClocksSetting, DisplayClockSetting: nothing to do, or clocks that somebody set."""


def throttling(masks: Iterable[int]) -> tuple[tuple[str, ...], bool | None]:
    """Return the reasons that any of ``masks`` names, in the order of their bits, and whether it is throttling.

    A bit that no name is known for is listed as ``unknown (0x800)``; alone it leaves the question open
    (``None``), since newer drivers may add reasons of either kind.
    """
    seen = 0
    for mask in masks:
        seen |= mask
    seen &= ~NOT_THROTTLING
    bits = [1 << n for n in range(seen.bit_length()) if seen >> n & 1]
    names = tuple(THROTTLING.get(bit, f"unknown (0x{bit:x})") for bit in bits)
    if any(bit in THROTTLING for bit in bits):
        return names, True
    return names, None if names else False
