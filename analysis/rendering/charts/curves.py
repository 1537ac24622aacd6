"""Points over two axes that lines join, series by series: something measured at rising levels of something set.

A drawing of this kind is a :class:`analysis.rendering.charts.drawing.Scatter` too, so that what can't draw lines draws its points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from analysis.rendering.charts.drawing import Axis, Point, Scatter
from analysis.rendering.charts.log_scale import LogScale, log_scale, spans_decades
from analysis.rendering.charts.marks import group, mark
from analysis.rendering.charts.scale import Scale, scale
from analysis.rendering.charts.svg import WIDTH, line_path, number, text_at

_HEIGHT = 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 30, 50
_CAP = 3
_SIZE = 4.5
_PARTS = 100


@dataclass(frozen=True)
class Curves(Scatter):
    """Points that are joined in their order within each series; an axis is logarithmic where its values span a decade.

    With ``steps`` both axes are or none is. ``steps`` is a line of its own that the curves are held against; it is drawn as far as the axes reach.
    """

    separate: tuple[int, ...] = ()
    """Indices of points that begin a new line of their series."""


def draw_curves(drawing: Curves) -> tuple[float, str]:
    """Return height and content."""
    x, y = _scales(drawing)
    parts = [_frame(drawing.x, drawing.y, x, y)]
    if drawing.steps:
        parts.append(line_path("front", _line([(x(a), y(b)) for a, b in _dense(drawing.steps, x, y)])))
    for index, series in reversed([*enumerate(drawing.series)]):  # the first lies on top
        places = [(at, p) for at, p in enumerate(drawing.points) if p.series == index]
        lines, piece = "", list[tuple[float, float]]()
        for at, p in places:
            if at in drawing.separate:
                lines, piece = lines + _line(piece), []
            piece.append((x(p.x), y(p.y)))
        whiskers = "".join(_whisker(p, x, y) for _, p in places)
        marks = "".join(mark(series.shape, x(p.x), y(p.y), _SIZE, p.text) for _, p in places)
        parts.append(
            group(series, line_path("iv faint", lines + _line(piece)) + line_path("iv", whiskers) + marks)
        )
    return _HEIGHT, "".join(parts)


def _scales(drawing: Curves) -> tuple[Scale | LogScale, Scale | LogScale]:
    xs, ys = [p.x for p in drawing.points], [p.y for p in drawing.points]
    held = [v for p in drawing.points for v in (p.y, *(p.y_interval or ()))]
    log_x, log_y = spans_decades(xs) and not drawing.x.zero, spans_decades(ys) and not drawing.y.zero
    if drawing.steps:
        log_x = log_y = log_x and log_y
    return (
        _scale(xs, xs, _LEFT, WIDTH - _RIGHT, log=log_x),
        _scale(held, ys, _HEIGHT - _BOTTOM, _TOP, log=log_y),
    )


def _scale(
    held: Sequence[float], centres: Sequence[float], start: float, end: float, *, log: bool
) -> Scale | LogScale:
    """An interval may reach to 0 and below, the quantity can't: there it is cut."""
    if log:
        least = min(centres) / 3
        return log_scale([max(v, least) for v in held], start, end)
    return scale(
        [max(v, 0.0) for v in held] if min(centres, default=0.0) >= 0 else held, start, end, zero=True
    )


def _dense(
    line: Sequence[tuple[float, float]], x: Scale | LogScale, y: Scale | LogScale
) -> list[tuple[float, float]]:
    """Put points between the corners: a straight line is none where one axis is logarithmic. What lies beyond the axes is left out."""
    found = [
        (a + (c - a) * part / _PARTS, b + (d - b) * part / _PARTS)
        for (a, b), (c, d) in pairwise(line)
        for part in range(_PARTS + 1)
    ]
    return [(a, b) for a, b in found if x.low <= a <= x.high and y.low <= b <= y.high]


def _frame(x_axis: Axis, y_axis: Axis, x: Scale | LogScale, y: Scale | LogScale) -> str:
    across, up = x.ticks(8), y.ticks(6)
    lines = "".join(f"M{number(x(v))} {_TOP}V{_HEIGHT - _BOTTOM}" for v, _ in across)
    lines += "".join(f"M{_LEFT} {number(y(v))}H{WIDTH - _RIGHT}" for v, _ in up)
    base = f"M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}"
    texts = [text_at(x(v), _HEIGHT - _BOTTOM + 18, words, "c") for v, words in across]
    texts += [text_at(_LEFT - 8, y(v) + 4, words, "e") for v, words in up]
    texts.append(text_at((_LEFT + WIDTH - _RIGHT) / 2, _HEIGHT - 8, _named(x_axis, x), "c label"))
    texts.append(text_at(0, 14, _named(y_axis, y), "label"))
    return line_path("grid", lines) + line_path("axis", base) + "".join(texts)


def _named(axis: Axis, made: Scale | LogScale) -> str:
    return f"{axis.label}, logarithmic" if isinstance(made, LogScale) else axis.label


def _line(places: Sequence[tuple[float, float]]) -> str:
    if len(places) < 2:
        return ""
    return "M" + "L".join(f"{number(a)} {number(b)}" for a, b in places)


def _whisker(point: Point, x: Scale | LogScale, y: Scale | LogScale) -> str:
    if point.y_interval is None or not all(map(math.isfinite, point.y_interval)):
        return ""
    at = x(point.x)
    low, high = (number(y(min(max(v, y.low), y.high))) for v in point.y_interval)
    caps = "".join(f"M{number(at - _CAP)} {end}h{2 * _CAP}" for end in (low, high))
    return f"M{number(at)} {low}V{high}{caps}"
