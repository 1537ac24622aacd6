"""Marks by shape. Filled ones take the series' colour, hollow ones its outline."""

from __future__ import annotations

from analysis.rendering.charts.drawing import Series, Shape
from analysis.rendering.charts.svg import escaped, number


def mark(shape: Shape, x: float, y: float, size: float, title: str = "") -> str:
    """Return one mark around (x, y); ``size`` is half its width, pixels."""
    tag, attributes = _drawn(shape, x, y, size)
    inner = f"<title>{escaped(title)}</title>" if title else ""
    return f"<{tag} {attributes}>{inner}</{tag}>" if inner else f"<{tag} {attributes}/>"


def group(series: Series, inner: str) -> str:
    """Return the marks of one series, or nothing without any."""
    return f'<g class="t-{series.tone}">{inner}</g>' if inner else ""


def _drawn(shape: Shape, x: float, y: float, size: float) -> tuple[str, str]:
    s, wide = number(size), number(2 * size)
    match shape:
        case "circle":
            return "circle", f'cx="{number(x)}" cy="{number(y)}" r="{s}"'
        case "ring":
            return "circle", f'class="o" cx="{number(x)}" cy="{number(y)}" r="{s}"'
        case "square":
            return "path", f'd="M{number(x - size)} {number(y - size)}h{wide}v{wide}h-{wide}z"'
        case "block":
            return "path", f'd="M{number(x - size)} {number(y - size)}h{wide}v{wide}h-{wide}z"'
        case "diamond":
            tall = number(1.25 * size)
            return (
                "path",
                f'd="M{number(x)} {number(y - 1.25 * size)}l{tall} {tall}-{tall} {tall}-{tall}-{tall}z"',
            )
        case "triangle":
            side, tall = number(1.15 * size), number(2 * size)
            return "path", (
                f'd="M{number(x)} {number(y - 1.15 * size)}l{side} {tall}h-{number(2.3 * size)}z"'
            )
        case "cross":
            return "path", (
                f'class="x" d="M{number(x - size)} {number(y - size)}l{wide} {wide}m0-{wide}l-{wide} {wide}"'
            )
