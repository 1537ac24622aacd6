"""One Markdown file for each configuration and agent, or for the agents of a configuration together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from analysis.models import SweepSummary
from analysis.naming import file_slug

if TYPE_CHECKING:
    from analysis.rendering.document import Document

Layout = Literal["configuration", "agent", "pair"]
"""The first two are those of the original reports; ``pair``: all agents that ran at the same time in one file."""

FOLDERS: Final[dict[Layout, str]] = {
    "configuration": "configurations",
    "agent": "agents",
    "pair": "pairs",
}


def render_each(summary: SweepSummary, layout: Layout) -> dict[str, str]:
    """Return file name → Markdown, in the summary's order; no two names are the same."""
    from analysis.rendering.markdown import render_document

    made: dict[str, str] = {}
    for title, document in _documents(summary, layout):
        name = file_slug(title)
        taken = {other.lower() for other in made}  # of file systems that don't tell A from a
        if f"{name}.md".lower() in taken:
            name = f"{name}-{len(made) + 1}"
        made[f"{name}.md"] = render_document(document)
    return made


def _documents(summary: SweepSummary, layout: Layout) -> Iterator[tuple[str, Document]]:
    from analysis.rendering.layout import agent_report, configuration_report
    from analysis.rendering.layout.pair_report import pair_report

    if layout == "pair":
        for pair in summary.pair_configurations:
            yield f"{pair.config}_{'-'.join(pair.agents)}", pair_report(pair, summary)
        return
    for c in summary.configurations:
        document = configuration_report(c, summary) if layout == "configuration" else agent_report(c, summary)
        yield f"{c.config}_{c.agent}", document
