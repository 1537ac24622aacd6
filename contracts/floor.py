"""The measurement floor of a slot: what its own client adds to a known schedule, measured there."""

from __future__ import annotations

from datetime import datetime

from contracts.base import Strict
from contracts.call import ArrivalClock


class MeasurementFloor(Strict):
    """Errors of Chimera's client against the reference server's own log, on the slot's machine.

    Smaller differences between two results are not differences: they may be the client's.
    """

    slot: str | None
    """``None``: measured by hand, outside of any slot."""
    host: str
    boot_id: str | None
    measured_at: datetime
    duration_s: float
    chimera: str
    python: str
    clock: ArrivalClock
    concurrency: int
    calls: int
    timer_resolution_ns: int | None
    """Smallest step seen between two readings of the clock."""
    ttft_error_median_ms: float
    """Signed: client's TTFT minus the server's."""
    ttft_error_p99_ms: float
    """Of the absolute errors, as are the next."""
    ttft_error_max_ms: float
    itl_error_median_percent: float
    """Signed: client's mean ITL of a call against the server's."""
    itl_error_p99_percent: float
    itl_error_max_percent: float
    gap_error_p99_ms: float
    """Of single gaps between frames."""
    suspect_calls: int
    """Calls that diagnosed themselves as suspect, included in the figures."""
    server_late_p99_ms: float
    """How late the reference server itself was against its schedule; no part of the errors."""

    def holds_for(self, host: str, boot: str | None, chimera: str, python: str) -> bool:
        """Whether it was measured on this machine since it was started, and by this software."""
        return (self.host, self.boot_id, self.chimera, self.python) == (host, boot, chimera, python)

    @property
    def ttft_ms(self) -> float:
        """The floor of TTFT and of other client times, ms: the 99th percentile of the absolute error."""
        return self.ttft_error_p99_ms

    @property
    def rate_percent(self) -> float:
        """The floor of ITL and of rates that the client measured, per cent: the same percentile."""
        return self.itl_error_p99_percent
