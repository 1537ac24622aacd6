"""A sweep's summary as documents: one view model, rendered as Markdown and as HTML, and the JSON."""

from __future__ import annotations

from analysis.models import SweepSummary
from analysis.rendering.html import render_document as _html
from analysis.rendering.json_lines import json_parts
from analysis.rendering.layout import MOST_SECTIONS, report
from analysis.rendering.layout.importance import by_importance
from analysis.rendering.markdown import render_document as _markdown


def render_json(summary: SweepSummary) -> str:
    """Return ``summary.json``: the keys of :mod:`analysis.models`, unrounded values; of many runs the first."""
    return "".join(json_parts(summary))


def render_markdown(summary: SweepSummary) -> str:
    """Return ``report.md`` (GitHub-flavoured Markdown); of many configurations the most important have a section."""
    return _markdown(report(summary, MOST_SECTIONS))


def render_html(summary: SweepSummary) -> str:
    """Return ``report.html``: one file that loads nothing, and leaves out sections rather than grow beyond 3 MB."""
    return _html(report(summary), by_importance(summary))
