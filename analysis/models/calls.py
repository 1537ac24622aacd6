"""One call as judged, and what is made of several."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import ConfigDict

from analysis.models.load import LoadStep
from analysis.statistics.description import Description
from analysis.statistics.estimate import Estimate
from analysis.statistics.plain import STRICT
from contracts.base import Strict
from contracts.call import Degeneration, Outcome

ThroughputMethod = Literal["tokens_over_eval_time", "mean_of_call_rates", "output_over_window"]
"""How one run's throughput comes from its calls: Σ tokens / Σ eval time of the server (the tokens
that this time covers), or the mean of the calls' rates where the server does not report both for every call. Of a load:
output tokens of all its requests over the time at full load (:mod:`contracts.load`)."""

ThroughputSource = Literal["server", "client"]
"""Whose clock a call's rate is by."""

ALL_STAGES = "all"

OwnLoad = tuple[int, str | None]
"""A load's number and its slot."""


def own_load(load: int | None, slot: str | None) -> OwnLoad | None:
    """Return the load that a run shares with others; ``None``: the order knew no plots.

    A load that was divided over slots was loaded on each of them: it is as many loads.
    """
    return None if load is None else (load, slot)


class Call(Strict):
    """One LLM call as judged by the rules of :mod:`analysis.validity` and :mod:`analysis.cold`."""

    run: int
    stage: str
    step: int | None = None
    """Of a load."""
    request: int | None = None
    """Its number in the step."""
    outcome: Outcome
    outcome_inferred: bool
    """The input gave none, or one that its counters contradict."""
    reason: str | None
    """Why the outcome is not ``ok``."""
    degeneration: Degeneration | None = None
    """What is wrong with a degenerate answer."""
    suspect: tuple[str, ...] | None = None
    """Why the worker does not trust the call's times; ``None``: it did not say."""
    cold: bool | None
    """``None``: not known."""
    ttft_ms: float | None
    throughput_tok_s: float | None
    throughput_source: ThroughputSource | None
    tokens: int | None
    prompt_tokens: int | None
    cached_tokens: int | None
    duration_ms: float | None
    prompt_eval_ms: float | None
    eval_ms: float | None
    eval_tokens: int | None
    """Tokens that eval_ms covers; ``None``: not told."""
    load_ms: float | None
    response_chars: int | None
    text_hash: str | None = None

    @property
    def valid(self) -> bool:
        """Whether the call counts in the valid statistics (:data:`analysis.validity.RULE`)."""
        return self.outcome.valid and not self.suspect


class OutcomeRate(Strict):
    """How often a configuration's measured calls came to one outcome."""

    outcome: Outcome
    degeneration: Degeneration | None
    """Degenerate calls are counted by kind; ``None``: another outcome, or the kind is not recorded."""
    calls: int
    fraction: float
    """Of all measured calls of the configuration."""


class Aggregates(Strict):
    """Calls pooled: the mean of per-call figures, and sums over calls."""

    calls: int
    throughput_tok_s: Estimate
    ttft_ms: Estimate
    tokens: int | None
    """Σ, as are the four below; ``None`` where not one term is known."""
    duration_ms: float | None
    """Client wall time."""
    prompt_eval_ms: float | None
    """The server's, as are eval_ms and load_ms."""
    eval_ms: float | None
    load_ms: float | None
    missing: dict[str, int]
    """Sum's name → how many calls' terms are not known, where any."""


class ValidAggregates(Aggregates):
    """Only valid calls; their TTFT also cold and warm apart."""

    ttft_warm_ms: Estimate
    """Of calls known to be warm."""
    ttft_cold_ms: Estimate
    """Of calls known to be cold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """One run over its valid calls. ``None``: not known."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    run: int
    complete: bool
    """Every stage is there and valid; only then the run is in the estimates."""
    calls: int
    valid_calls: int
    throughput_tok_s: float | None
    """By the configuration's :data:`ThroughputMethod`."""
    mean_of_rates_tok_s: float | None = None
    """Mean of its calls' rates."""
    ttft_ms: float | None
    """Mean over the run's valid calls that are not known to be cold. ``None``, as are duration_ms and joules_per_token,
    for a run with a cold call among others without: fewer stages are in its TTFT, and loading is in the others."""
    itl_ms: float | None = None
    """Mean of its calls' mean inter-token latencies."""
    duration_ms: float | None = None
    """Σ client wall time of its calls."""
    tokens: int | None = None
    """Σ"""
    joules_per_token: float | None = None
    """Σ energy / Σ tokens."""
    ungrounded_rate: float | None = None
    """Fraction of the figures in its texts that the data contradict or don't hold."""
    cold_calls: int | None = None
    """Of all its calls; ``None``: not known of any."""
    suspect_calls: int = 0
    throttled: bool | None = None
    """Whether a GPU was throttled during any of its calls."""
    slot: str | None = None
    pool: str | None = None
    host: str | None = None
    block: int | None = None
    """The randomised block that it belongs to."""
    load: int | None = None
    """The load of its plot that it belongs to, 1-based; ``None``: the order knew no plots."""
    started_at: datetime | None = None
    """UTC."""
    exec_s: float | None = None
    """The agent's own duration, s."""
    wall_s: float | None = None
    """Of all agents of the run, s."""
    recorded_rate: float | None = None
    """Mean of the rates of all its calls, failed ones too: the arithmetic of the original studies, as is the one below."""
    recorded_ttft_ms: float | None = None
    busy_ns: tuple[tuple[int, int], ...] | None = None
    """Sending and end of each of its calls, by the clock of its host's boot; ``None``: not known of every call."""
    steps: tuple[LoadStep, ...] = ()
    """Of the workload ``prompts``: its load, or each load of its search. Then the figures above are of the load's
    window, means over its requests, of a search at the highest load that was kept up with (docs/load.md)."""

    @property
    def own_load(self) -> OwnLoad | None:
        """What it shares with other runs (:func:`own_load`)."""
        return own_load(self.load, self.slot)


class StageOverRuns(Strict):
    """One stage over runs: valid calls only."""

    stage: str
    planned: int | None
    """Runs planned; ``None``: no plan is known."""
    ok: int
    """Runs with a valid call of the stage."""
    excluded: dict[str, int]
    """Outcome, ``suspect`` or ``no record`` → runs whose call does not count."""
    # What follows has no tail percentiles: no sweep has the runs for them, and over runs it says so once.
    throughput_tok_s: Description
    ttft_ms: Description
    """Of calls that are not known to be cold."""
    ttft_cold_ms: Description
    """Of calls known to be cold."""
    itl_ms: Description
    duration_ms: Description
    """Of calls that are not known to be cold, or of all where all are cold."""
    tokens: Description
    prompt_eval_ms: Description
    eval_ms: Description
    load_ms: Description
    call_duration_ms: Estimate = Estimate.nothing()
    """Of all valid calls, cold ones included."""


class OverRuns(Strict):
    """The run as the unit of replication: estimates over one figure per complete run."""

    throughput_tok_s: Description
    throughput_method: ThroughputMethod
    mean_of_rates_tok_s: Description = Description.none()
    """The other definition of a run's rate: the mean of its calls' rates."""
    ratio_of_sums_tok_s: float | None = None
    """Σ tokens / Σ eval time over all calls of all complete runs; ``None``: not every call tells both."""
    ttft_ms: Description
    itl_ms: Description = Description.none()
    duration_ms: Description = Description.none()
    joules_per_token: Description = Description.none()
    ungrounded_rate: Description = Description.none()
    runs: tuple[RunFigures, ...]

    def of(self, metric: str) -> Description:
        """Return the description of a metric by its key (:mod:`analysis.metrics`)."""
        found = getattr(self, metric)
        if not isinstance(found, Description):
            raise KeyError(metric)
        return found


class Excluded(Strict):
    """What was planned or recorded and does not count in the valid figures."""

    run: int
    stage: str
    """:data:`ALL_STAGES` where no stage of the run has an outcome."""
    reason: str


class ColdCall(Strict):
    """A call for which the server had to load the model."""

    run: int
    stage: str
    load_ms: float


class Note(Strict):
    """Something that a reader should know and that excludes nothing."""

    run: int | None = None
    stage: str | None = None
    text: str
    rule: str | None = None
    """What it is about, kebab-case: findings gather the notes of all configurations by it."""
