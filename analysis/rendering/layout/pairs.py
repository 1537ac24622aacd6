"""The sections on several agents that ran at the same time."""

from __future__ import annotations

from analysis.models import SweepSummary
from analysis.rendering.document import Section


def pairs_sections(summary: SweepSummary) -> tuple[Section, ...]:
    """Return the sections; none where no agents ran at the same time."""
    return ()
