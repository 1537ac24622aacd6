"""The charts of a report, by what they show. Each function returns blocks: charts, or one sentence that says
why there is none, or nothing where there is nothing to say."""

from __future__ import annotations

from analysis.models import SweepSummary
from analysis.rendering.document import Block, Section
from analysis.rendering.layout.figures.distributions import distribution_charts
from analysis.rendering.layout.figures.effects import main_effects_charts
from analysis.rendering.layout.figures.energy import energy_chart
from analysis.rendering.layout.figures.pareto import pareto_chart
from analysis.rendering.layout.figures.runs import runs_chart
from analysis.rendering.layout.figures.stages import stage_chart

__all__ = [
    "charts_sections",
    "distribution_charts",
    "energy_chart",
    "main_effects_charts",
    "overview_charts",
    "pareto_chart",
    "runs_chart",
    "stage_chart",
]


def overview_charts(summary: SweepSummary) -> tuple[Block, ...]:
    """Return what an overview shows first: which configurations are best, at which price."""
    return pareto_chart(summary)


def charts_sections(summary: SweepSummary) -> tuple[Section, ...]:
    """Return one section with all charts but the overview's and the main effects'."""
    blocks = (
        *runs_chart(summary),
        *stage_chart(summary),
        *distribution_charts(summary),
        *energy_chart(summary),
    )
    return (Section("Charts", blocks, anchor="charts"),) if blocks else ()
