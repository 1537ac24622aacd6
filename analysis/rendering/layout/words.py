"""Words and phrases that several sections share."""

from __future__ import annotations

from analysis.models import Call, ConfigurationSummary
from analysis.statistics.estimate import SdKind
from contracts.call import Outcome

NOT_RECORDED = "not recorded"

ESTIMATOR: dict[SdKind, str] = {
    "sample": "the sample standard deviation (n − 1)",
    "population": "the population standard deviation (n)",
}


def outcome_counts(configuration: ConfigurationSummary) -> str:
    """``ok 5, aborted 1``, in the order of the vocabulary."""
    counts = configuration.outcomes
    return ", ".join(f"{o.value} {counts[o.value]}" for o in Outcome if o.value in counts) or "no calls"


def runs_text(configuration: ConfigurationSummary) -> str:
    """``2 of 3``: complete runs of those planned, or of those recorded where no plan is known."""
    of = configuration.runs if configuration.runs_planned is None else configuration.runs_planned
    return f"{configuration.runs_complete} of {of}"


def configuration_anchor(index: int) -> str:
    """Return the anchor of the configuration at ``index`` of the summary."""
    return f"configuration-{index + 1}"


def cold_text(call: Call) -> str:
    return {True: "cold", False: "warm", None: "unknown"}[call.cold]
