"""Several agents that ran at the same time: what a run of them came to, and what is made of several runs."""

from __future__ import annotations

from contracts.base import Strict


class LegacyPair(Strict):
    """The figures of the original studies, by their own arithmetic; they say nothing about slowdown."""

    sequential_s: float | None
    """Σ of the agents' own durations, as they were while all ran."""
    wall_s: float | None
    speedup: float | None
    """sequential_s / wall_s."""
    efficiency_percent: float | None
    """speedup / number of agents."""
    contention: bool | None
    """speedup < 1.5."""
    throughput_delta: float | None
    """Second agent − first, tok/s; ``None`` too for more than two agents, as is the one below."""
    ttft_delta_ms: float | None
    """First agent − second (the sign as published)."""


class PairRun(Strict):
    """One run of several agents at the same time."""

    config: str
    run: int
    agents: tuple[str, ...]
    legacy: LegacyPair


class PairConfiguration(Strict):
    """All runs of several agents under one configuration."""

    config: str
    agents: tuple[str, ...]
    runs: int
    efficiency_percent: float | None
    """Mean over runs, as are the three below: legacy figures."""
    speedup: float | None
    throughput_delta: float | None
    ttft_delta_ms: float | None
