"""The summary of one configuration."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from analysis.models.calls import (
    Aggregates,
    Call,
    ColdCall,
    Excluded,
    Note,
    OutcomeRate,
    OverRuns,
    StageOverRuns,
    ValidAggregates,
)
from analysis.models.conditions import AppliedParameter, Conditions, SameText, TelemetryOfStage
from analysis.models.grounding import GroundingRate, TextGrounding
from analysis.models.statistics import ConfigurationTrend, Precision, RunOutlier
from analysis.models.version import SUMMARY_VERSION
from analysis.statistics.estimate import Estimate, SdKind
from contracts.base import Strict
from contracts.call import Outcome


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
    """The agent's own, where several ran at the same time."""
    stages: tuple[StageDuration, ...]


class ConfigurationSummary(Strict):
    """One configuration as measured by one agent."""

    schema_version: Literal[1] = SUMMARY_VERSION
    config: str
    config_id: str | None
    agent: str
    agents: int | None = None
    """How many agents ran at the same time; 1: this one alone, to compare with; ``None``: the workload knows one only."""
    server: str | None = None
    """Which of the slot's further servers the agent used."""
    persona: str | None = None
    """The agent's system prompt."""
    model: str | None
    parameters: dict[str, int | float] | None
    """Those sent; ``None``: not recorded."""
    applied: tuple[AppliedParameter, ...] = ()
    """Where the server tells what it made of them, or its limits do."""
    sd: SdKind
    runs: int
    """Runs with any record."""
    runs_planned: int | None
    runs_complete: int
    """Runs whose every stage is there and valid."""
    repeated_runs: int = 0
    """Runs that a later delivery of their job measured (attempt above 1): the one before ended without an outcome."""
    unloaded_runs: int = 0
    """Runs before whose first call the model was unloaded."""
    outcomes: dict[str, int]
    """Outcome → number of calls, warm-up calls left out."""
    rates: tuple[OutcomeRate, ...] = ()
    """The same with fractions, degenerate calls by kind."""
    suspect_calls: int | None = None
    """Measured calls that diagnosed themselves as suspect, of whichever outcome; ``None``: none was diagnosed."""
    suspect_reasons: dict[str, int] = Field(default_factory=dict)
    """Why calls are suspect → how many name it."""
    client_rates: int = 0
    """Valid calls whose rate the client measured."""
    prompt_tokens: dict[str, float] = Field(default_factory=dict)
    """Stage → median length of the valid calls' prompts, tokens, where any is known."""
    as_recorded: Aggregates
    """The seeds' own arithmetic: every call pooled, failed ones included."""
    valid: ValidAggregates
    ttft_warm_observed_ms: Estimate
    """Of every call, failed ones included, whose first text was seen, that is not known to be cold and not suspect."""
    over_runs: OverRuns
    stages_over_runs: tuple[StageOverRuns, ...] = ()
    outliers: tuple[RunOutlier, ...] = ()
    """Complete runs outside Tukey's fences; they stay in every figure."""
    trends: tuple[ConfigurationTrend, ...] = ()
    """Tested over the runs in time, one entry a metric."""
    precision: tuple[Precision, ...] = ()
    """Of a sweep that runs until precise."""
    groundings: tuple[TextGrounding, ...] = ()
    """Of the shown run's valid texts; empty: the ingested files are not known."""
    grounding: GroundingRate | None = None
    """Of all valid texts."""
    excluded: tuple[Excluded, ...]
    cold_calls: tuple[ColdCall, ...]
    notes: tuple[Note, ...]
    conditions: Conditions | None = None
    """``None``: no call tells any."""
    telemetry: tuple[TelemetryOfStage, ...] = ()
    """By stage; only where samples exist."""
    same_text: tuple[SameText, ...] = ()
    """Only where a seed and temperature 0 were asked for, and at least two runs have a text."""
    text_hashes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Stage → hashes of its different complete texts."""
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

    left_out: dict[str, int] = Field(default_factory=dict)
    """Name of a list of this summary (``calls``, ``excluded``, …) → entries that it leaves out, so that the summary of
    a large sweep can be read at all (:mod:`analysis.room`). Every figure counts them; ``stages.jsonl`` holds them."""

    @property
    def is_load(self) -> bool:
        """Whether its runs are loads: many requests each."""
        return self.over_runs.throughput_method == "output_over_window"

    @property
    def call_count(self) -> int:
        """How many calls were measured, those that are left out among them."""
        return sum(self.outcomes.values())

    def total(self, name: str) -> int:
        """Return how long a list is with what it leaves out."""
        return len(getattr(self, name)) + self.left_out.get(name, 0)

    @property
    def degenerate_calls(self) -> int:
        """How many measured calls are degenerate."""
        return self.outcomes.get(Outcome.DEGENERATE.value, 0)
