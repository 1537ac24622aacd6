"""Summary → document: what stands where. The order is the first seed's, below a sweep overview."""

from __future__ import annotations

from analysis.models import SweepSummary
from analysis.rendering.document import Document
from analysis.rendering.layout.conditions import conditions_sections
from analysis.rendering.layout.configuration import configuration_section
from analysis.rendering.layout.overview import overview_section
from analysis.rendering.layout.rules import rules_section
from analysis.rendering.layout.words import configuration_anchor


def report(summary: SweepSummary) -> Document:
    """Return the whole report."""
    title = f"Chimera Sweep Report: {summary.sweep}" if summary.sweep else "Chimera Sweep Report"
    return Document(
        title=title,
        blocks=(
            overview_section(summary),
            *conditions_sections(summary),
            *(
                configuration_section(configuration, summary, configuration_anchor(index))
                for index, configuration in enumerate(summary.configurations)
            ),
            rules_section(summary),
        ),
    )
