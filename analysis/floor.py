"""The measurement floor of a sweep: below which a difference may be the client's own."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.models import ConfigurationSummary, SweepFloor
from contracts.manifest import SlotIdentity

RULE = (
    "A difference of two configurations' TTFT that is smaller than the TTFT error at the 99th percentile is not "
    "called a difference, and neither is one of their rates that is smaller than the ITL error at the 99th "
    "percentile, where the client measured a rate. Rates that the server reports are the server's own clock: the "
    "client's floor does not touch them. With several slots the largest floor counts."
)


def sweep_floor(slots: Sequence[SlotIdentity]) -> SweepFloor | None:
    """Return the largest floor of the slots; ``None`` where none is calibrated."""
    floors = {slot.slot: slot.floor for slot in slots if slot.floor is not None}
    if not floors:
        return None
    return SweepFloor(
        ttft_ms=max(floor.ttft_ms for floor in floors.values()),
        rate_percent=max(floor.rate_percent for floor in floors.values()),
        slots=tuple(floors),
    )


def rate_below_floor(
    a: ConfigurationSummary, b: ConfigurationSummary, floor: SweepFloor | None
) -> bool | None:
    """Whether the difference of two rates over runs is below the floor, relative to the larger rate.

    ``None`` where it can't be told: no floor, no rate, or both rates are the server's.
    """
    x, y = a.over_runs.throughput_tok_s.mean, b.over_runs.throughput_tok_s.mean
    if floor is None or x is None or y is None or not (measured_by_client(a) or measured_by_client(b)):
        return None
    return 100 * abs(x - y) < floor.rate_percent * max(x, y)


def measured_by_client(configuration: ConfigurationSummary) -> bool:
    """Whether the client measured the rate of any valid call."""
    return configuration.client_rates > 0
