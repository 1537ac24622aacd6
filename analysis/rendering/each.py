"""One Markdown file for each configuration and agent, in the layouts of the original reports."""

from __future__ import annotations

from typing import Final, Literal

from analysis.models import SweepSummary
from analysis.naming import file_slug

Layout = Literal["configuration", "agent"]

FOLDERS: Final[dict[Layout, str]] = {"configuration": "configurations", "agent": "agents"}


def render_each(summary: SweepSummary, layout: Layout) -> dict[str, str]:
    """Return file name → Markdown, in the summary's order; no two names are the same."""
    from analysis.rendering.layout import agent_report, configuration_report
    from analysis.rendering.markdown import render_document

    made: dict[str, str] = {}
    for c in summary.configurations:
        document = configuration_report(c, summary) if layout == "configuration" else agent_report(c, summary)
        name = file_slug(f"{c.config}_{c.agent}")
        taken = {other.lower() for other in made}  # of file systems that don't tell A from a
        if f"{name}.md".lower() in taken:
            name = f"{name}-{len(made) + 1}"
        made[f"{name}.md"] = render_document(document)
    return made
