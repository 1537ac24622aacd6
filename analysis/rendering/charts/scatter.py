"""Points over two axes, with intervals and a staircase."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from analysis.rendering.charts.drawing import Point, Scatter
from analysis.rendering.charts.marks import group, mark
from analysis.rendering.charts.scale import Scale, scale
from analysis.rendering.charts.svg import WIDTH, line_path, number, text_at, width_of

_HEIGHT = 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 30, 50
_CAP = 3
_TAG_HEIGHT = 13
_MANY = 150
"""Points beyond which marks are small and caps are left out."""


def draw_scatter(drawing: Scatter) -> tuple[float, str]:
    """Return height and content."""
    x, y = _scales(drawing)
    small = len(drawing.points) > _MANY
    parts = [_frame(drawing, x, y)]
    whiskers = dict.fromkeys(range(len(drawing.series)), "")
    marks = dict(whiskers)
    for point in drawing.points:
        whiskers[point.series] += _whiskers(point, x, y, caps=not small)
        shape = drawing.series[point.series].shape
        marks[point.series] += mark(shape, x(point.x), y(point.y), 2.8 if small else 5, point.text)
    faint = "iv faint" if small else "iv"
    series = [*enumerate(drawing.series)][::-1]  # the first lies on top
    parts += [group(s, line_path(faint, whiskers[index])) for index, s in series]
    if drawing.steps:
        corners = " ".join(f"{number(x(a))} {number(y(b))}" for a, b in drawing.steps)
        parts.append(line_path("front", f"M{corners}"))
    parts += [group(s, marks[index]) for index, s in series]
    parts += [text_at(*place, words, "e tag") for place, words in _tags(drawing, x, y)]
    return _HEIGHT, "".join(parts)


def _tags(drawing: Scatter, x: Scale, y: Scale) -> Iterator[tuple[tuple[float, float], str]]:
    """Labels to the upper left of their points, where nothing of a front lies; those that overlap one above are dropped."""
    taken: list[tuple[float, float, float]] = []
    for p in sorted(drawing.points, key=lambda p: -p.y):
        if not p.label:
            continue
        right, base, wide = x(p.x) - 7, y(p.y) - 7, width_of(p.label)
        if any(base - y0 < _TAG_HEIGHT and right - wide < x1 and x0 < right for x0, x1, y0 in taken):
            continue
        taken.append((right - wide, right, base))
        yield (right, base), p.label


def _scales(drawing: Scatter) -> tuple[Scale, Scale]:
    points = drawing.points
    xs = [v for p in points for v in (p.x, *(p.x_interval or ()))]
    ys = [v for p in points for v in (p.y, *(p.y_interval or ()))]
    return (
        _scale(xs, [p.x for p in points], _LEFT, WIDTH - _RIGHT, zero=drawing.x.zero),
        _scale(ys, [p.y for p in points], _HEIGHT - _BOTTOM, _TOP, zero=drawing.y.zero),
    )


def _scale(
    values: Sequence[float], centres: Sequence[float], start: float, end: float, *, zero: bool
) -> Scale:
    """Never below 0 where no point is: an interval of a time or a rate may reach there, the quantity can't."""
    if min(centres, default=-1.0) < 0:
        return scale(values, start, end, zero=zero)
    made = scale([max(v, 0.0) for v in values], start, end, zero=zero)
    return replace(made, low=max(made.low, 0.0))


def _frame(drawing: Scatter, x: Scale, y: Scale) -> str:
    across, up = x.ticks(8), y.ticks(6)
    lines = "".join(f"M{number(x(v))} {_TOP}V{_HEIGHT - _BOTTOM}" for v, _ in across)
    lines += "".join(f"M{_LEFT} {number(y(v))}H{WIDTH - _RIGHT}" for v, _ in up)
    base = f"M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}"
    texts = [text_at(x(v), _HEIGHT - _BOTTOM + 18, words, "c") for v, words in across]
    texts += [text_at(_LEFT - 8, y(v) + 4, words, "e") for v, words in up]
    texts.append(text_at((_LEFT + WIDTH - _RIGHT) / 2, _HEIGHT - 8, drawing.x.label, "c label"))
    texts.append(text_at(0, 14, drawing.y.label, "label"))
    return line_path("grid", lines) + line_path("axis", base) + "".join(texts)


def _whiskers(point: Point, x: Scale, y: Scale, *, caps: bool) -> str:
    at_x, at_y = number(x(point.x)), number(y(point.y))
    parts = ""
    if point.x_interval and all(map(math.isfinite, point.x_interval)):
        low, high = (number(x(max(v, x.low))) for v in point.x_interval)
        parts += f"M{low} {at_y}H{high}"
        if caps:
            parts += "".join(f"M{end} {number(y(point.y) - _CAP)}v{2 * _CAP}" for end in (low, high))
    if point.y_interval and all(map(math.isfinite, point.y_interval)):
        low, high = (number(y(max(v, y.low))) for v in point.y_interval)
        parts += f"M{at_x} {low}V{high}"
        if caps:
            parts += "".join(f"M{number(x(point.x) - _CAP)} {end}h{2 * _CAP}" for end in (low, high))
    return parts
