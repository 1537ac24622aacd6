"""A sweep's summary as documents: one view model, rendered as Markdown and as HTML, and the JSON."""

from __future__ import annotations

from analysis.models import SweepSummary

# The renderers are imported where they are used: many want analysis.rendering.plain alone.


def render_json(summary: SweepSummary) -> str:
    """Return ``summary.json``: the keys of :mod:`analysis.models`, unrounded values; of many runs the first."""
    from analysis.rendering.json_lines import json_parts

    return "".join(json_parts(summary))


def render_markdown(summary: SweepSummary) -> str:
    """Return ``report.md`` (GitHub-flavoured Markdown); of many configurations the most important have a section."""
    from analysis.rendering.layout import MOST_SECTIONS, report
    from analysis.rendering.markdown import render_document

    return render_document(report(summary, MOST_SECTIONS))


def render_html(summary: SweepSummary) -> str:
    """Return ``report.html``: one file that loads nothing, and leaves out sections rather than grow beyond 3 MB."""
    from analysis.rendering.html import render_document
    from analysis.rendering.layout import report
    from analysis.rendering.layout.importance import by_importance

    return render_document(report(summary), by_importance(summary))
