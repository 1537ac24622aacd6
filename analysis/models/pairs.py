"""Several agents that ran at the same time: what a run of them came to, and what is made of several runs."""

from __future__ import annotations

from typing import Literal

from analysis.models.statistics import Comparison
from analysis.statistics.description import Description
from analysis.statistics.interval import Interval
from contracts.base import Strict

LEGACY_NOTE = (
    "Legacy figures, by the arithmetic of the original studies: they say nothing about slowdown. The durations that they sum "
    "up were measured while all agents ran, so that two agents that each take twice as long as alone still give a speedup "
    "of 2 and an efficiency of 100 %."
)

Contention = Literal["slowed down", "none shown", "not known"]
"""``slowed down``: at least one slowdown is shown, after correction and above the measurement floor. ``none shown``: none is,
and rate, TTFT and pace are all known."""

SlowdownOf = Literal["rate", "ttft", "pace"]
"""``rate``: throughput of the run, alone / together; ``ttft``: together / alone; ``pace``: output tokens per second of the
agent's own duration, waiting and reading of prompts included, alone / together. Above 1 is slower, each."""


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
    """Those with records."""
    legacy: LegacyPair
    why_incomplete: str | None = None
    """``None``: every agent's stages are there and valid; only then the run is in the estimates."""
    wall_s: float | None = None
    """Makespan: from the barrier to the end of the last stage, s."""
    tokens: int | None = None
    """Output tokens of all agents; ``None``: not every call tells them, or the run is incomplete."""
    system_tok_s: float | None = None
    """tokens / wall_s."""
    all_active: float | None = None
    """Part of wall_s in which every agent had a call under way, 0 to 1; ``None``: not known."""
    two_active: float | None = None
    """The same of at least two."""


class IncompleteRun(Strict):
    """A run that is in no estimate."""

    run: int
    why: str


class Ratio(Strict):
    """A ratio of two means, with its 95 % interval."""

    value: float
    interval: Interval | None = None
    """Fieller's, of this ratio alone; ``None``: not tested, or it has no upper end."""


class Slowdown(Strict):
    """How much slower one figure of an agent is together than alone."""

    of: SlowdownOf
    ratio: Ratio | None
    """Above 1: slower; ``None``: one of the two is not known."""
    verdict: Literal["slowed down", "faster", "none shown", "not known"]
    why: str | None = None
    """What the verdict rests on, where the numbers alone don't tell."""
    detectable: float | None = None
    """The slowdown that these runs would have shown with a probability of 80 %; ``None``: not known, or there is none."""
    comparison: Comparison
    """Baseline: alone; candidate: together. p is corrected over all slowdowns of the sweep."""


class PairAgent(Strict):
    """One of several agents over the complete runs of their configuration."""

    agent: str
    model: str | None
    parameters: dict[str, int | float] | None
    server: str | None
    solo: str | None
    """Configuration that measured the same work alone; ``None``: there is none."""
    throughput_tok_s: Description
    ttft_ms: Description
    exec_s: Description
    tokens: Description
    """Of a run."""
    solo_tokens: Description
    """The same alone."""
    slowdowns: tuple[Slowdown, ...] = ()
    contention: Contention
    why: str | None = None
    """Of ``not known``: why, and of which figures where others are known."""


class Fairness(Strict):
    """How evenly the agents got on."""

    of: Literal["progress", "raw rates"]
    """``progress``: each agent's rate (or pace) as a part of that alone. ``raw rates``: nothing is known of the agents alone, so
    that agents that would differ alone seem to be treated unfairly."""
    jain: float
    """(Σx)² / (n Σx²) of the means over runs: 1 for equal shares, 1/n where one agent has all."""
    over_runs: Description
    """The same of each complete run; the rates alone are means over their runs."""
    slowdown_ratio: float | None
    """Largest slowdown / smallest one; ``None`` for raw rates."""


class PairConfiguration(Strict):
    """All runs of several agents under one configuration."""

    config: str
    agents: tuple[str, ...]
    runs: int
    """With records of at least two agents."""
    efficiency_percent: float | None
    """Mean over runs, as are the three below: legacy figures."""
    speedup: float | None
    throughput_delta: float | None
    ttft_delta_ms: float | None
    legacy_note: str = LEGACY_NOTE
    runs_planned: int | None = None
    runs_complete: int = 0
    incomplete: tuple[IncompleteRun, ...] = ()
    members: tuple[PairAgent, ...] = ()
    """In the order of ``agents``."""
    contention: Contention = "not known"
    """Of the agents together: slowed down where any is, none shown where none is of any."""
    wall_s: Description = Description.none()
    """Makespan, s; of complete runs, as is all below."""
    alone_wall_s: Description = Description.none()
    """Σ of the agents' durations alone: the estimated makespan of the same work one after the other."""
    system_tok_s: Description = Description.none()
    """Output tokens of all agents / makespan."""
    alone_tok_s: Description = Description.none()
    """The same of the agents' runs alone, one after the other: Σ tokens / Σ durations."""
    gain: Ratio | None = None
    """system_tok_s / alone_tok_s: what is gained by running at the same time."""
    gain_comparison: Comparison | None = None
    """``None``: not every agent was measured alone. p is corrected over all gains of the sweep."""
    all_active: Description = Description.none()
    """Part of the makespan in which every agent had a call under way."""
    two_active: Description = Description.none()
    fairness: Fairness | None = None
    """Of the rates, while they write."""
    fairness_of_pace: Fairness | None = None
    """Of the paces: waiting is in it, so that it tells where a server lets one agent wait for the other."""
