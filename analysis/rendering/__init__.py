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
    return render_reports(summary, html=False)[0]


def render_html(summary: SweepSummary) -> str:
    """Return ``report.html``: one file that loads nothing, and leaves out sections rather than grow beyond 3 MB."""
    return render_reports(summary, markdown=False)[1]


def render_reports(summary: SweepSummary, *, markdown: bool = True, html: bool = True) -> tuple[str, str]:
    """Return ``report.md`` and ``report.html`` of one view model; one that is not asked for is empty."""
    from analysis.rendering.html import render_document as as_html
    from analysis.rendering.layout import report, shortened
    from analysis.rendering.layout.importance import by_importance
    from analysis.rendering.markdown import render_document as as_markdown

    document, important = report(summary), by_importance(summary)
    return (
        as_markdown(shortened(document, important)) if markdown else "",
        as_html(document, important) if html else "",
    )
