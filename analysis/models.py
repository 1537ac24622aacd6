"""The models of ``summary.json``. Values are unrounded; a ``None`` is not known and never a 0.

Times are milliseconds, rates are tokens per second. Every model reads back what
``model_dump(mode="json")`` wrote.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from analysis.statistics.estimate import Estimate, SdKind
from contracts.base import Strict
from contracts.call import Outcome
from contracts.manifest import SlotIdentity

SUMMARY_VERSION: Final = 1
"""Version of ``summary.json``. Raised when a field changes its meaning."""

ThroughputMethod = Literal["tokens_over_eval_time", "mean_of_call_rates"]
"""How one run's throughput comes from its calls: Σ tokens / Σ eval time of the server (the tokens
that this time covers), or the mean of the calls' rates where the server does not report both for every call."""

ALL_STAGES = "all"


class Call(Strict):
    """One LLM call as judged by the rules of :mod:`analysis.validity` and :mod:`analysis.cold`."""

    run: int
    stage: str
    outcome: Outcome
    outcome_inferred: bool
    """The input gave none, or one that its counters contradict."""
    reason: str | None
    """Why the outcome is not ``ok``."""
    cold: bool | None
    """``None``: not known."""
    ttft_ms: float | None
    throughput_tok_s: float | None
    throughput_source: Literal["server", "client"] | None
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
    """Only calls with a valid outcome; their TTFT also cold and warm apart."""

    ttft_warm_ms: Estimate
    """Of calls known to be warm."""
    ttft_cold_ms: Estimate
    """Of calls known to be cold."""


class RunFigures(Strict):
    """One run over its valid calls."""

    run: int
    complete: bool
    """Every stage is there and valid; only then the run is in the estimates."""
    calls: int
    valid_calls: int
    throughput_tok_s: float | None
    ttft_ms: float | None
    """Mean over the run's valid calls that are not known to be cold."""


class OverRuns(Strict):
    """The run as the unit of replication: estimates over one figure per complete run."""

    throughput_tok_s: Estimate
    throughput_method: ThroughputMethod
    ttft_ms: Estimate
    runs: tuple[RunFigures, ...]


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


class StageDuration(Strict):
    """How long a stage took: a call's client wall time, or ingest's own time."""

    stage: str
    duration_ms: float | None


class ShownRun(Strict):
    """The run whose texts and execution times the report shows."""

    run: int
    why: str
    text_stage: str | None
    text_outcome: Outcome | None
    text: str | None
    """The model's words."""
    files_total: int | None
    data_summary: str | None
    findings: tuple[str, ...] | None
    recommendations: tuple[str, ...] | None
    wall_s: float | None
    stages: tuple[StageDuration, ...]


class ConfigurationSummary(Strict):
    """One configuration as measured by one agent."""

    schema_version: Literal[1] = SUMMARY_VERSION
    config: str
    config_id: str | None
    agent: str
    model: str | None
    parameters: dict[str, int | float] | None
    """Those sent; ``None``: not recorded."""
    sd: SdKind
    runs: int
    """Runs with any record."""
    runs_planned: int | None
    runs_complete: int
    """Runs whose every stage is there and valid."""
    outcomes: dict[str, int]
    """Outcome → number of calls, warm-up calls left out."""
    as_recorded: Aggregates
    """The seeds' own arithmetic: every call pooled, failed ones included."""
    valid: ValidAggregates
    ttft_warm_observed_ms: Estimate
    """Of every call, failed ones included, whose first text was seen and that is not known to be cold."""
    over_runs: OverRuns
    excluded: tuple[Excluded, ...]
    cold_calls: tuple[ColdCall, ...]
    notes: tuple[Note, ...]
    calls: tuple[Call, ...]
    warmup_calls: tuple[Call, ...]
    shown: ShownRun | None
    """``None``: no run has any record."""
    started_at: datetime | None
    """Start of the first stage, UTC."""
    ended_at: datetime | None
    """End of the last stage, UTC."""
    slots: tuple[str, ...]
    pools: tuple[str, ...]
    hosts: tuple[str, ...]
    model_digests: tuple[str, ...]
    """As the servers told, as are the two below; more than one: not the same in all runs."""
    quantisations: tuple[str, ...]
    contexts: tuple[int, ...]
    """Context lengths that the servers ran the model with, tokens."""


class Ranked(Strict):
    """One place in the ranking."""

    rank: int | None
    """``None``: no valid run to rank by."""
    config: str
    agent: str
    throughput_tok_s: Estimate
    """Over runs."""
    overlaps_first: bool | None
    """Whether its interval (mean ± sd) overlaps that of the first; ``None``: is the first, or can't be told."""


class SweepSummary(Strict):
    """The content of ``summary.json``. What only a manifest can tell is ``None`` without one."""

    schema_version: Literal[1] = SUMMARY_VERSION
    sd: SdKind
    sweep: str | None
    execution: str | None
    sweep_id: str | None
    corpus_digest: str | None
    created_at: datetime | None
    finished_at: datetime | None
    resumed: int | None
    git_commit: str | None
    versions: dict[str, str]
    order_seed: int | None
    runs_planned: int | None
    """Per configuration."""
    models: tuple[str, ...]
    slots: tuple[SlotIdentity, ...]
    ranking: tuple[Ranked, ...]
    verdict: str
    """What the ranking does and does not show, in words."""
    warnings: tuple[str, ...]
    configurations: tuple[ConfigurationSummary, ...]
