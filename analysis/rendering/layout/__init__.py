"""Summary → document: what stands where. The answer comes first; configurations are in the first seed's layout."""

from __future__ import annotations

from analysis.models import SweepSummary
from analysis.provenance import provenance as provenance_of
from analysis.rendering.document import Document
from analysis.rendering.layout.agent import agent_report
from analysis.rendering.layout.baseline import baseline_section
from analysis.rendering.layout.charts import charts_sections
from analysis.rendering.layout.conditions import conditions_sections
from analysis.rendering.layout.configuration import configuration_report, configuration_section
from analysis.rendering.layout.effects import effects_section
from analysis.rendering.layout.overview import overview_section
from analysis.rendering.layout.provenance import provenance_section
from analysis.rendering.layout.rules import rules_section
from analysis.rendering.layout.words import configuration_anchor

__all__ = ["agent_report", "configuration_report", "report"]


def report(summary: SweepSummary) -> Document:
    """Return the whole report."""
    title = f"Chimera Sweep Report: {summary.sweep}" if summary.sweep else "Chimera Sweep Report"
    return Document(
        title=title,
        blocks=(
            overview_section(summary),
            *baseline_section(summary),
            *effects_section(summary),
            *charts_sections(summary),
            *conditions_sections(summary),
            provenance_section(provenance_of(summary), anchor="provenance"),
            *(
                configuration_section(configuration, summary, configuration_anchor(index))
                for index, configuration in enumerate(summary.configurations)
            ),
            rules_section(summary),
        ),
    )
