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
    StageOverRuns,
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
from analysis.models.grounding import (
    Figure,
    FigureKind,
    GroundingRate,
    GroundingVerdict,
    TextGrounding,
)
from analysis.models.statistics import (
    AxisEffect,
    AxisLevel,
    Comparison,
    ConfigurationTrend,
    Finding,
    HostEffects,
    InteractionEffect,
    MainEffects,
    Precision,
    RunOutlier,
    Severity,
    SlotEffect,
    Trend,
    Verdict,
)
from analysis.models.sweep import InertAxis, NoEffect, Ranked, RankingRule, SweepFloor, SweepSummary
from analysis.models.version import SUMMARY_VERSION

__all__ = [
    "ALL_STAGES",
    "SUMMARY_VERSION",
    "Aggregates",
    "AppliedParameter",
    "AxisEffect",
    "AxisLevel",
    "Call",
    "ColdCall",
    "Comparison",
    "Conditions",
    "ConfigurationSummary",
    "ConfigurationTrend",
    "Excluded",
    "Figure",
    "FigureKind",
    "Finding",
    "GapQuantiles",
    "GroundingRate",
    "GroundingVerdict",
    "HostEffects",
    "InertAxis",
    "InteractionEffect",
    "MainEffects",
    "NoEffect",
    "Note",
    "OutcomeRate",
    "OverRuns",
    "Precision",
    "Ranked",
    "RankingRule",
    "RunFigures",
    "RunOutlier",
    "SameText",
    "Severity",
    "ShownRun",
    "SlotEffect",
    "StageDuration",
    "StageOverRuns",
    "SweepFloor",
    "SweepSummary",
    "TelemetryOfStage",
    "TextGrounding",
    "ThroughputMethod",
    "Trend",
    "ValidAggregates",
    "Verdict",
]
