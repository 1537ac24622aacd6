"""What a load needs of the clock: being woken at a moment, exactly."""

from __future__ import annotations

from worker.measurement.load.alarm import Alarm

__all__ = ["Alarm"]
