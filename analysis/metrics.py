"""The figures of a run that are compared: name, unit, and which direction is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """One figure of :class:`analysis.models.RunFigures`."""

    key: str
    """Attribute of RunFigures, and name in files and on the command line."""
    title: str
    unit: str
    better: Literal["higher", "lower"]
    short: str
    """Name in ``--fail-on`` and in ``until``."""


THROUGHPUT = Metric("throughput_tok_s", "Throughput", "tok/s", "higher", "throughput")
TTFT = Metric("ttft_ms", "TTFT", "ms", "lower", "ttft")
ITL = Metric("itl_ms", "Inter-token latency", "ms", "lower", "itl")
DURATION = Metric("duration_ms", "Duration", "ms", "lower", "duration")
ENERGY = Metric("joules_per_token", "Energy per token", "J", "lower", "energy")
UNGROUNDED = Metric("ungrounded_rate", "Figures not grounded", "fraction", "lower", "ungrounded")

METRICS = (THROUGHPUT, TTFT, ITL, DURATION, ENERGY, UNGROUNDED)
BY_KEY = {metric.key: metric for metric in METRICS}
BY_SHORT = {metric.short: metric for metric in METRICS}
