"""Document → one HTML file that loads nothing: no fonts, images or scripts from elsewhere. Everything is escaped.

Its one script (sorting and filtering of tables) and its style are named in the content security policy by their
hashes, so that a browser runs and applies nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analysis.rendering import plain
from analysis.rendering.budget import LIMIT, fit
from analysis.rendering.charts import draw, legend
from analysis.rendering.document import Block, Chart, Document, Section, TextMark, Verbatim
from analysis.rendering.page import Page

_TEMPLATES = Path(__file__).parent / "templates"
_FRAME_ROOM = 40_000
"""Bytes for head, style and script."""
_FOLDED_FROM = 4
"""Optional sections from which on their list is folded."""


def render_document(document: Document, important: Sequence[str] = (), limit: int = LIMIT) -> str:
    """Return the HTML text; it ends with a newline.

    ``important``: anchors of sections that may be left out where the file would grow beyond ``limit`` bytes, the
    most important first. All others always stay.
    """
    parts = _environment().get_template("blocks.html.j2").module

    def blocks(whole: Document, page: Page) -> str:
        return str(parts.blocks(whole.blocks, 2, page))  # type: ignore[attr-defined]

    def section(one: Section, level: int, page: Page) -> str:
        return str(parts.section(one, level, page))  # type: ignore[attr-defined]

    fitted = fit(document, important, blocks, section, limit - _FRAME_ROOM)
    style, script = _asset("report.css"), _asset("report.js")
    shown = [s for s in _listed(document) if s.anchor not in fitted.left_out]
    folded = [s for s in shown if s.anchor in fitted.kept]
    if len(folded) < _FOLDED_FROM and not fitted.left_out:
        folded = []
    total = len(fitted.kept) + len(fitted.left_out)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            document=document,
            body=fitted.body,
            contents=[s for s in shown if s not in folded],
            folded=folded,
            folded_title=f"Sections of {len(folded):,}{f' of {total:,}' if fitted.left_out else ''} configurations",
            policy=_policy(style, script),
            style=Markup(style),
            script=Markup(script),
        )
    )


def pieces(block: Verbatim) -> Iterator[tuple[str, TextMark | None]]:
    """Cut a text at its marks; a mark that overlaps an earlier one or lies outside the text is dropped."""
    at = 0
    for mark in sorted(block.marks, key=lambda m: (m.start, m.end)):
        if not at <= mark.start < mark.end <= len(block.text):
            continue
        if mark.start > at:
            yield block.text[at : mark.start], None
        yield block.text[mark.start : mark.end], mark
        at = mark.end
    if at < len(block.text):
        yield block.text[at:], None


def _verdict(mark: TextMark) -> Markup:
    """A sign for eyes, words for those who listen; the true value for both."""
    if mark.tone == "supported":
        return Markup('<span aria-hidden="true">✓</span><span class="seen"> (supported)</span>')
    if mark.tone == "not_found":
        return Markup('<span aria-hidden="true">?</span><span class="seen"> (not found)</span>')
    return Markup(
        '<span aria-hidden="true">✗ {0}</span><span class="seen"> (contradicted: {0})</span>'
    ).format(_one_line(mark.title))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "one_line": _one_line,
        "visible": plain.visible,
        "legend": legend,
        "draw": _draw,
        "pieces": pieces,
        "verdict": _verdict,
    }
    environment.tests["kind"] = _is_kind
    return environment


@lru_cache(maxsize=4096)
def _one_line(text: str) -> str:
    return plain.one_line(text)


def _draw(block: Chart, name: str) -> Markup:
    return draw(block.drawing, block.title, block.text, name)


def _is_kind(block: Block, name: str) -> bool:
    return type(block).__name__ == name


def _listed(document: Document) -> list[Section]:
    return [block for block in document.blocks if isinstance(block, Section) and block.anchor]


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
