"""The models of ``summary.json``. Values are unrounded; a ``None`` is not known and never a 0.

Times are milliseconds, rates are tokens per second. Every model reads back what
``model_dump(mode="json")`` wrote; a field that came later has a default, so that older summaries of the
same version still read.
"""

from __future__ import annotations

from analysis.models.calls import (
    ALL_STAGES,
    Aggregates,
    Call,
    ColdCall,
    Excluded,
    Note,
    OutcomeRate,
    OverRuns,
    RunFigures,
    ThroughputMethod,
    ValidAggregates,
)
from analysis.models.conditions import (
    AppliedParameter,
    Conditions,
    GapQuantiles,
    SameText,
    TelemetryOfStage,
)
from analysis.models.configuration import ConfigurationSummary, ShownRun, StageDuration
from analysis.models.sweep import InertAxis, NoEffect, Ranked, RankingRule, SweepFloor, SweepSummary
from analysis.models.version import SUMMARY_VERSION

__all__ = [
    "ALL_STAGES",
    "SUMMARY_VERSION",
    "Aggregates",
    "AppliedParameter",
    "Call",
    "ColdCall",
    "Conditions",
    "ConfigurationSummary",
    "Excluded",
    "GapQuantiles",
    "InertAxis",
    "NoEffect",
    "Note",
    "OutcomeRate",
    "OverRuns",
    "Ranked",
    "RankingRule",
    "RunFigures",
    "SameText",
    "ShownRun",
    "StageDuration",
    "SweepFloor",
    "SweepSummary",
    "TelemetryOfStage",
    "ThroughputMethod",
    "ValidAggregates",
]
