"""Document → one HTML file without scripts, fonts or images from elsewhere. Everything is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analysis.rendering.document import Block, Document, Section
from analysis.rendering.plain import one_line, visible

_TEMPLATES = Path(__file__).parent / "templates"


def render_document(document: Document) -> str:
    """Return the HTML text; it ends with a newline."""
    template = _environment().get_template("report.html.j2")
    return template.render(document=document, contents=_contents(document))


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
    environment.filters |= {"one_line": one_line, "visible": visible}
    environment.tests["kind"] = _is_kind
    return environment


def _is_kind(block: Block, name: str) -> bool:
    return type(block).__name__ == name


def _contents(document: Document) -> list[Section]:
    return [block for block in document.blocks if isinstance(block, Section) and block.anchor]
