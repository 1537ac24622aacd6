"""What the runs of a load came to: step by step, over runs, and where the server saturates.

Times are milliseconds, rates per second. ``due`` is from the scheduled time, ``sent`` from the sending
(:mod:`contracts.load`, docs/load.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from analysis.models.statistics import Comparison
from analysis.statistics.description import Description
from analysis.statistics.plain import STRICT
from contracts.base import Strict
from contracts.workloads import Slo

Over = Literal["rate", "concurrency"]
"""Requests per second of an open loop, or requests at a time of a closed one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One figure over the requests of one run; ``None``: too few requests to tell (:mod:`analysis.load.quantiles`)."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    n: int = 0
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStep:
    """One load of one run as measured, over its window (:class:`contracts.load.StepFigures`). ``None``: not known.

    Times are of counted requests that are valid and not suspect.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    step: int
    concurrency: int | None = None
    """As asked, of a closed loop."""
    rate: float | None = None
    """As asked, of an open loop."""
    requests: int
    """All that tell when they were due and ended, those of the ramps too."""
    unplaced: int = 0
    """Requests that don't, and so are in no figure."""
    counted: int = 0
    """Due in the window; those below are among them."""
    failed: dict[str, int] = field(default_factory=dict)
    """Outcome → requests, of those that did not come to their end."""
    degenerate: int = 0
    """Whole, with a text that is worth nothing: they were load, and are in no latency."""
    suspect: int = 0
    """Valid, but the worker does not trust their times: they were load too, and are in no latency."""
    cold: int = 0
    """Known to be cold: they are in the latencies."""
    window_s: float | None = None
    offered_rate: float | None = None
    achieved_rate: float | None = None
    achieved_concurrency: float | None = None
    output_tok_s: float | None = None
    backlog_growth: int | None = None
    good: int | None = None
    """Keep the SLO; ``None``: there is none."""
    goodput: float | None = None
    keeps_up: bool | None = None
    """``None`` too where the load was cut and nothing else speaks against it (what was not sent might have), and of a closed loop
    without an SLO: it has no queue that could grow."""
    cut: str | None = None
    """Why not all was sent that was to be (the job's deadline, a bound); ``None``: all was."""
    ttft_due_ms: Spread = Spread()
    ttft_sent_ms: Spread = Spread()
    itl_ms: Spread = Spread()
    """Of each request's mean inter-token latency; an answer of one token has none."""
    latency_due_ms: Spread = Spread()
    latency_sent_ms: Spread = Spread()
    own_late_ms: Spread = Spread()
    """Sent less due, of requests that the limit of requests at a time did not hold back: the client's own delay."""
    tokens_sources: dict[str, int] = field(default_factory=dict)
    """Who counted the output tokens (``server``, ``stream``, ``nobody``; ``not recorded``) → requests that came to their end."""
    prompt_tokens: float | None = None
    """Median of the same requests, where they tell, as is the one below."""
    output_tokens: float | None = None

    @property
    def over(self) -> Over | None:
        """What was asked for; ``None``: not known."""
        return "concurrency" if self.concurrency is not None else "rate" if self.rate is not None else None

    @property
    def asked(self) -> float | None:
        """How much of it."""
        return self.concurrency if self.concurrency is not None else self.rate

    @property
    def good_share(self) -> float | None:
        """Part of the counted requests that keep the SLO."""
        return None if self.good is None or not self.counted else self.good / self.counted


class SpreadOverRuns(Strict):
    """Means and quantiles of runs, described over the runs: a run without the figure is not in it."""

    mean: Description = Description.none()
    p50: Description = Description.none()
    p90: Description = Description.none()
    p99: Description = Description.none()


class LoadConfiguration(Strict):
    """One load of one configuration over its runs: an asked concurrency or rate, or a step of searches.

    The run is the unit. Counts are sums over the runs; names are those of :class:`LoadStep`.
    """

    config: str
    agent: str = "chimera"
    over: Over | None = None
    asked: float | None = None
    search: bool = False
    """It is a step of searches: other runs may have asked for other loads."""
    slo: Slo | None = None
    attainment: float | None = None
    """Part of the requests that must keep the SLO for the server to keep up; ``None``: there is none."""
    runs: int = 0
    """Complete runs with this load."""
    incomplete: int = 0
    """Runs with this load that are not complete, and in no figure."""
    requests: int = 0
    unplaced: int = 0
    counted: int = 0
    failed: dict[str, int] = Field(default_factory=dict)
    degenerate: int = 0
    suspect: int = 0
    cold: int = 0
    cut: int = 0
    """Runs in which not all was sent that was to be."""
    kept_up: int = 0
    """Runs that kept up, of those that can tell."""
    can_tell: int = 0
    window_s: Description = Description.none()
    offered_rate: Description = Description.none()
    achieved_rate: Description = Description.none()
    achieved_concurrency: Description = Description.none()
    output_tok_s: Description = Description.none()
    backlog_growth: Description = Description.none()
    goodput: Description = Description.none()
    good_share: Description = Description.none()
    ttft_due_ms: SpreadOverRuns = SpreadOverRuns()
    ttft_sent_ms: SpreadOverRuns = SpreadOverRuns()
    itl_ms: SpreadOverRuns = SpreadOverRuns()
    latency_due_ms: SpreadOverRuns = SpreadOverRuns()
    latency_sent_ms: SpreadOverRuns = SpreadOverRuns()
    own_late_ms: SpreadOverRuns = SpreadOverRuns()
    tokens_sources: dict[str, int] = Field(default_factory=dict)
    prompt_tokens: Description = Description.none()
    """Of the runs' medians, as is the one below."""
    output_tokens: Description = Description.none()
    asked_input_tokens: float | None = None
    """Middle of the asked distribution of synthetic prompts, as is the one below."""
    asked_output_tokens: float | None = None

    def of_all(self, described: Description) -> Description:
        """Return a quantile's description where every run with a window has it, else that of nothing.

        A p99 of those runs alone that have enough requests for one is of other runs than the p50 beside it.
        """
        return described if described.n == self.window_s.n else Description.none()

    @property
    def is_open(self) -> bool:
        """Whether requests came by a schedule."""
        return self.over == "rate"

    @property
    def ttft_ms(self) -> SpreadOverRuns:
        """The TTFT that this kind of loop is judged by: of an open one from the scheduled time."""
        return self.ttft_due_ms if self.is_open else self.ttft_sent_ms

    @property
    def latency_ms(self) -> SpreadOverRuns:
        """As :attr:`ttft_ms`."""
        return self.latency_due_ms if self.is_open else self.latency_sent_ms


class SaturationOfRun(Strict):
    """What one run's search ended with."""

    run: int
    low: float | None
    """The highest load that was kept up with, of those below ``high``; ``None``: none was."""
    high: float | None
    """The lowest load that was not; ``None``: all were."""
    monotonic: bool = True
    """No higher load was kept up with than one that was not."""


class Knee(Strict):
    """From which load of a closed loop on the output of all requests together grows no more."""

    at: float | None
    """The lowest load beyond which none is shown to have more than ``worth_percent`` more output: by a test of just that, not of any
    growth; ``None``: it can't be told (see why)."""
    worth_percent: float = 5.0
    highest: bool = False
    """``at`` is the highest load that was asked for: the output still grew."""
    detectable_percent: float | None = None
    """The smallest true growth from ``at`` to the next load that would have been shown, with a probability of 80 %, to be above
    ``worth_percent``."""
    comparisons: tuple[Comparison, ...] = ()
    """Every load (candidate) with every lower one (baseline), p corrected over all of them."""
    beyond_p: tuple[float | None, ...] = ()
    """Of each of them p of a difference from a growth of ``worth_percent``, corrected over all; ``None``: not tested."""
    why: str | None = None


class Saturation(Strict):
    """The highest load that the server keeps up with, of configurations that differ in nothing but the load."""

    config: str
    """The first of ``configurations``."""
    agent: str = "chimera"
    label: str = ""
    """What tells it from the sweep's other saturations; empty: there is one."""
    configurations: tuple[str, ...] = ()
    over: Over = "rate"
    method: Literal["search", "grid"] | None = None
    """``None``: a closed loop without an SLO, which keeps up with any number of users: only its knee is told."""
    slo: bool = False
    """Whether keeping up means keeping an SLO too."""
    asked: tuple[float, ...] = ()
    """Loads of a grid, ascending."""
    untold: tuple[float, ...] = ()
    """Those of them of which no run tells whether it kept up."""
    runs: int = 0
    """Searches that tell anything; of a grid the fewest runs that do of any load."""
    complete: int = 0
    """Complete runs: searches, or of a grid those with the load ``low`` (the most of any load, where there is none)."""
    low_runs: int = 0
    """Those of them that tell whether they kept up with ``low``; of searches as ``runs``."""
    low: float | None = None
    """Every run kept up with it, or, of searches, the least that any run ended with; ``None``: none is known."""
    high: float | None = None
    """Some run did not keep up with it, or the most that any search ended with; ``None``: none is known."""
    mid: Description = Description.none()
    """Of the middles of the searches' own intervals, where all have one and there are at least 3."""
    searches: tuple[SaturationOfRun, ...] = ()
    monotonic: bool = True
    knee: Knee | None = None
