"""Charts as SVG, drawn here: no script and no library at the reader's. Colours are the page's CSS variables."""

from __future__ import annotations

from markupsafe import Markup

from analysis.rendering.charts.curves import Curves, draw_curves
from analysis.rendering.charts.drawing import Drawing, Rows, Scatter
from analysis.rendering.charts.marks import mark
from analysis.rendering.charts.rows import draw_rows
from analysis.rendering.charts.scatter import draw_scatter
from analysis.rendering.charts.svg import WIDTH, escaped, number

__all__ = ["WIDTH", "draw", "legend"]


def draw(drawing: Drawing, title: str, text: str, name: str) -> Markup:
    """Return one ``<svg>`` with an accessible title and description; ``name`` begins its ids, once a page."""
    match drawing:
        case Curves():
            height, body = draw_curves(drawing)
        case Scatter():
            height, body = draw_scatter(drawing)
        case Rows():
            height, body = draw_rows(drawing)
    return Markup(
        f'<svg role="img" aria-labelledby="{name}-t" aria-describedby="{name}-d" viewBox="0 0 {WIDTH} {number(height)}">'
        f'<title id="{name}-t">{escaped(title)}</title><desc id="{name}-d">{escaped(text)}</desc>{body}</svg>'
    )


def legend(drawing: Drawing) -> tuple[tuple[Markup, str], ...]:
    """Return (drawn sample, name) of what the drawing uses; nothing where one series says it all."""
    used = _used(drawing)
    entries = [(_sample(index, drawing), s.name) for index, s in enumerate(drawing.series) if index in used]
    if isinstance(drawing, Scatter) and drawing.steps and drawing.steps_name:
        line = Markup(
            '<svg class="key" viewBox="0 0 24 16" aria-hidden="true"><path class="front" d="M1 8H23"/></svg>'
        )
        entries.append((line, drawing.steps_name))
    return tuple(entries) if len(entries) > 1 else ()


def _used(drawing: Drawing) -> set[int]:
    if isinstance(drawing, Scatter):
        return {point.series for point in drawing.points}
    lanes = [lane for row in drawing.rows for lane in row.lanes]
    dots = {dot.series for lane in lanes for dot in lane.dots}
    return dots | {bar.series for lane in lanes for bar in lane.bars}


def _sample(index: int, drawing: Drawing) -> Markup:
    series = drawing.series[index]
    return Markup(
        f'<svg class="t-{series.tone} key" viewBox="0 0 16 16" aria-hidden="true">{mark(series.shape, 8, 8, 5)}</svg>'
    )
