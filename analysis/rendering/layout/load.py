"""The sections on loads."""

from __future__ import annotations

from analysis.models import SweepSummary
from analysis.rendering.document import Section


def load_sections(summary: SweepSummary) -> tuple[Section, ...]:
    """Return the sections; none where there was no load."""
    return ()
