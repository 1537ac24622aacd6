"""Summary → document: what stands where. The answer comes first; configurations are in the first seed's layout."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from analysis.models import SweepSummary
from analysis.provenance import provenance as provenance_of
from analysis.rendering.budget import MOST_SECTIONS
from analysis.rendering.document import Document, Later, Paragraph, Section
from analysis.rendering.layout.agent import agent_report
from analysis.rendering.layout.baseline import baseline_section
from analysis.rendering.layout.charts import charts_sections
from analysis.rendering.layout.conditions import conditions_sections
from analysis.rendering.layout.configuration import (
    configuration_blocks,
    configuration_report,
    configuration_title,
)
from analysis.rendering.layout.effects import effects_section
from analysis.rendering.layout.load import load_sections
from analysis.rendering.layout.overview import overview_section
from analysis.rendering.layout.pairs import pairs_sections
from analysis.rendering.layout.provenance import provenance_section
from analysis.rendering.layout.rules import rules_section
from analysis.rendering.layout.words import configuration_anchor

__all__ = ["MOST_SECTIONS", "agent_report", "configuration_report", "report", "shortened"]


def report(summary: SweepSummary) -> Document:
    """Return the whole report. Sections of configurations are made when they are read."""
    title = f"Chimera Sweep Report: {summary.sweep}" if summary.sweep else "Chimera Sweep Report"
    return Document(
        title=title,
        blocks=(
            overview_section(summary),
            *pairs_sections(summary),
            *load_sections(summary),
            *baseline_section(summary),
            *effects_section(summary),
            *charts_sections(summary),
            *conditions_sections(summary),
            provenance_section(provenance_of(summary), anchor="provenance"),
            *(
                Section(
                    configuration_title(configuration),
                    Later(partial(configuration_blocks, configuration, summary)),
                    anchor,
                )
                for index, configuration in enumerate(summary.configurations)
                for anchor in [configuration_anchor(index)]
            ),
            rules_section(summary),
        ),
    )


def shortened(document: Document, important: Sequence[str], most: int = MOST_SECTIONS) -> Document:
    """Return the report with the sections of the ``most`` most important configurations.

    ``important``: anchors of all of them, the most important first.
    """
    if len(important) <= most:
        return document
    out = frozenset(important[most:])
    blocks = [b for b in document.blocks if not (isinstance(b, Section) and b.anchor in out)]
    return Document(document.title, (*blocks[:-1], _without_section(len(out), len(important)), blocks[-1]))


def _without_section(left_out: int, total: int) -> Section:
    return Section(
        "Configurations Without a Section Here",
        (
            Paragraph(
                f"{left_out:,} of {total:,} configurations have no section of their own in this file. Those that have one: first "
                "the best ranked, then those that a finding or a note concerns, then by rank. Each of the others has its row in the "
                "tables above; summary.json holds its figures, and chimera report --each configuration writes a file of each."
            ),
        ),
    )
