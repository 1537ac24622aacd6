"""The summary of a sweep."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from analysis.models.configuration import ConfigurationSummary
from analysis.models.load import LoadConfiguration, Saturation
from analysis.models.pairs import PairConfiguration, PairRun
from analysis.models.provenance import Provenance
from analysis.models.statistics import Comparison, Finding, HostEffects, MainEffects
from analysis.models.version import SUMMARY_VERSION
from analysis.statistics.description import Description
from analysis.statistics.estimate import SdKind
from contracts.base import Strict
from contracts.manifest import SlotIdentity, TakenBack
from contracts.sweep import RunsSpec, Warmup

RankingRule = Literal["clean-first", "speed"]
"""``clean-first``: a configuration with degenerate calls never stands above one without."""


class SweepFloor(Strict):
    """The largest measurement floor of the slots that measured."""

    ttft_ms: float
    rate_percent: float
    slots: tuple[str, ...]
    """Slots that are calibrated."""


class Ranked(Strict):
    """One place in the ranking."""

    rank: int | None
    """``None``: no valid run to rank by."""
    config: str
    agent: str
    throughput_tok_s: Description
    """Over runs."""
    overlaps_first: bool | None
    """Whether its mean ± sd overlaps that of the first, a rule of thumb that no verdict rests on any more;
    ``None``: is the first, or can't be told."""
    below_floor: bool | None = None
    """Whether the rate's difference from the first is below the client's measurement floor; ``None``: is the
    first, no floor is known, or the server reported both rates, which the client's floor does not touch."""
    ttft_from_first_ms: float | None = None
    """TTFT over runs less that of the first."""
    ttft_below_floor: bool | None = None
    """``None``: is the first, or no floor or no TTFT is known."""
    degenerate_calls: int = 0
    why: str | None = None
    """Why it stands here, where its rate is not all that counts."""
    comparison: Comparison | None = None
    """Its throughput (candidate) against that of the first (baseline); ``p_holm`` is adjusted for the choice of the
    first by the data (:mod:`analysis.ranking`). ``None``: is the first, or not compared with it."""


class InertAxis(Strict):
    """Asked values of one axis that the server made one value of."""

    axis: str
    model: str | None
    asked: tuple[int | float | None, ...]
    """At least two; ``None``: the server's default."""
    applied: int | float
    others: tuple[int | float | None, ...]
    """The axis' further values. None: the whole axis is inert."""
    why: str


class NoEffect(Strict):
    """Values of one sampler axis, all else being equal, under which every run gave the same texts."""

    axis: str
    model: str | None
    values: tuple[int | float | None, ...]
    configurations: tuple[str, ...]


class SweepSummary(Strict):
    """The content of ``summary.json``. What only a manifest can tell is ``None`` without one."""

    schema_version: Literal[1] = SUMMARY_VERSION
    sd: SdKind
    sweep: str | None
    execution: str | None
    sweep_id: str | None
    spec_hash: str | None = None
    """Content hash of the sweep file as understood, its defaults left out."""
    corpus_digest: str | None
    created_at: datetime | None
    finished_at: datetime | None
    resumed: int | None
    git_commit: str | None
    versions: dict[str, str]
    order_seed: int | None
    runs_planned: int | None
    """Per configuration; ``None``: not known, or not fixed beforehand (then runs_until)."""
    runs_until: RunsSpec | None = None
    """How the sweep ran until precise."""
    ended_because: str | None = None
    """Why such a sweep ended, in words."""
    cancelled: str | None = None
    """Who ended it before its time, and why; ``None``: nobody did."""
    taken_back: tuple[TakenBack, ...] = ()
    """Jobs that were measured again elsewhere, because their slot's server was broken."""
    warmup: Warmup | None = None
    """Warm-up calls before each run, or ``unload``."""
    models: tuple[str, ...]
    slots: tuple[SlotIdentity, ...]
    floor: SweepFloor | None = None
    """``None``: no slot is calibrated, or none is known."""
    ranking_rule: RankingRule = "speed"
    """Summaries without the key were ranked by speed alone."""
    ranking: tuple[Ranked, ...]
    verdict: str
    """What the ranking does and does not show, in words."""
    ttft_verdict: str | None = None
    """Which differences of TTFT the measurement floor hides, in words; ``None``: nothing to say."""
    baseline: str | None = None
    """Name of the configuration that the others are compared with; ``None``: nothing to compare."""
    comparisons: tuple[Comparison, ...] = ()
    """Every configuration against the baseline, a metric each; one family of tests."""
    main_effects: tuple[MainEffects, ...] = ()
    """By metric and agent; only of sweeps with at least one axis."""
    host_effects: tuple[HostEffects, ...] = ()
    """By metric, agent and pool; only where several slots measured the same configurations."""
    pairs: tuple[PairRun, ...] = ()
    """Runs of several agents at the same time."""
    pair_configurations: tuple[PairConfiguration, ...] = ()
    loads: tuple[LoadConfiguration, ...] = ()
    """Loads over their runs, of the workload ``prompts``."""
    saturations: tuple[Saturation, ...] = ()
    findings: tuple[Finding, ...] = ()
    """The gravest first."""
    inert: tuple[InertAxis, ...] = ()
    no_effect: tuple[NoEffect, ...] = ()
    warnings: tuple[str, ...]
    provenance: Provenance | None = None
    """What all of this comes from, and how to do it again."""
    configurations: tuple[ConfigurationSummary, ...]

    @property
    def is_choice(self) -> bool:
        """Whether one chooses between its configurations by their rank: not between agents at the same time, nor between loads."""
        return not (self.pair_configurations or self.loads)
