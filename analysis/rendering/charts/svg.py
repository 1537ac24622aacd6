"""The few pieces of SVG that all charts share. Every text passes :func:`escaped`."""

from __future__ import annotations

import unicodedata

from markupsafe import Markup, escape

from analysis.rendering.plain import one_line

WIDTH = 760
"""Of every chart, pixels at scale 1."""
_CHARACTER = 7.2
"""Mean width of a character at 12 px in the usual system fonts, on the wide side."""


def escaped(text: str) -> Markup:
    """Return foreign text as one line that is nothing but text, in elements and in quoted attributes."""
    return escape(one_line(text))


def number(value: float) -> str:
    """Write a coordinate: a tenth of a pixel, and no more characters than that takes."""
    written = f"{value:.1f}".removesuffix(".0")
    return "0" if written == "-0" else written


def text_at(x: float, y: float, words: str, kind: str = "", *, full: str = "") -> str:
    """Return a text element; ``full`` is what it stands for where ``words`` are cut."""
    named = f' class="{kind}"' if kind else ""
    title = f"<title>{escaped(full)}</title>" if full and full != words else ""
    return f'<text x="{number(x)}" y="{number(y)}"{named}>{escaped(words)}{title}</text>'


def line_path(kind: str, parts: str) -> str:
    """Return a path of lines, or nothing without any."""
    return f'<path class="{kind}" d="{parts}"/>' if parts else ""


def width_of(words: str) -> float:
    """Estimate the width of a line of text, pixels."""
    return _CHARACTER * sum(1.8 if unicodedata.east_asian_width(c) in "WF" else 1 for c in words)


def shortened(words: str, width: float) -> str:
    """Return the words as one line, its middle cut out where it is wider than ``width`` pixels."""
    line = one_line(words)
    if width_of(line) <= width + 0.5:
        return line
    head, tail = [*line], [*line]
    keep = len(line)
    while (
        keep > 2
        and width_of("".join(head[: keep - keep // 2] + tail[len(tail) - keep // 2 :])) > width - _CHARACTER
    ):
        keep -= 1
    return f"{line[: keep - keep // 2]}…{line[len(line) - keep // 2 :]}"
