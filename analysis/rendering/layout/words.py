"""Words and phrases that several sections share."""

from __future__ import annotations

from analysis.models import Call, ConfigurationSummary, GapQuantiles
from analysis.rendering.document import Paragraph
from analysis.rendering.numbers import plural, value
from analysis.statistics.estimate import SdKind
from contracts.call import Degeneration, Outcome
from contracts.configuration import format_value
from contracts.sweep import Warmup

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


def outcome_title(outcome: Outcome, degeneration: Degeneration | None) -> str:
    """``ok``, ``degenerate (short)``."""
    if outcome is not Outcome.DEGENERATE:
        return outcome.value
    return f"{outcome.value} ({degeneration or 'kind not recorded'})"


def outcome_text(call: Call) -> str:
    """``ok``, ``degenerate (short)``, ``ok, suspect``."""
    title = (
        call.outcome.value if call.degeneration is None else outcome_title(call.outcome, call.degeneration)
    )
    return f"{title}, suspect" if call.suspect else title


def warmup_text(warmup: Warmup) -> str:
    """Say what was done before each run."""
    if warmup == "unload":
        return "the model was unloaded before every run: each run's first call is cold"
    if warmup == 0:
        return "no warm-up call before a run"
    return f"{warmup} warm-up call{'s' * (warmup != 1)} before each run"


def parameter_value(value: int | float | None) -> str:
    """As people write it: servers keep floats in 32 bits, and 0.6 comes back as 0.60000002."""
    return f"{value:.6g}" if isinstance(value, float) else format_value(value)


def gaps_text(gaps: GapQuantiles) -> str:
    """``median 10.0 ms, longest 31.2 ms, p99 14.2 ms``; too few gaps for a p99 are said."""
    longest = "" if gaps.max_ms is None else f", longest {value(gaps.max_ms, 'ms')}"
    p99 = " (too few gaps for a p99)" if gaps.p99_ms is None else f", p99 {value(gaps.p99_ms, 'ms')}"
    return f"median {value(gaps.median_ms, 'ms')}{longest}{p99}"


def left_out_words(
    configuration: ConfigurationSummary, name: str, noun: str, most: int | None = None
) -> tuple[Paragraph, ...]:
    """Say how many entries of a list are not shown, where any are: the report shows at most ``most`` of the summary's."""
    total, out = configuration.total(name), configuration.left_out.get(name, 0)
    shown = total - out if most is None else min(total - out, most)
    if shown == total:
        return ()
    held = "stages.jsonl" if out else "summary.json and stages.jsonl"
    return (
        Paragraph(
            f"Shown: the first {shown:,} of {plural(total, noun)}. The others are in every figure, and in {held}."
        ),
    )
