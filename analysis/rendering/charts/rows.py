"""Named rows beside one panel or several: dots with intervals, boxes, bars."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from analysis.rendering.charts.drawing import Bar, Box, Dot, Lane, RowOfLanes, Rows
from analysis.rendering.charts.marks import group, mark
from analysis.rendering.charts.scale import Scale, scale
from analysis.rendering.charts.svg import (
    WIDTH,
    escaped,
    line_path,
    number,
    shortened,
    text_at,
    width_of,
)

_WIDEST_LABEL = 250
_GAP = 30
"""Between panels."""
_TITLE, _HEADING, _FOOT, _PAD = 24, 30, 46, 6
_CAP = 3
_TICK_ROOM = 52
"""Pixels a tick's number may take."""


@dataclass(frozen=True)
class _Placed:
    row: RowOfLanes
    middle: float
    """Pixels from the top."""


def draw_rows(drawing: Rows) -> tuple[float, str]:
    """Return height and content."""
    labels = (drawing.names, *(row.label for row in drawing.rows))
    gutter = min(_WIDEST_LABEL, max(map(width_of, labels))) + 12
    behind = max((width_of(row.after) for row in drawing.rows), default=0.0)
    scales = _scales(drawing, gutter, WIDTH - (behind + 10 if behind else 8))
    top = float(_TITLE if drawing.titles or drawing.names else _PAD)
    placed, headings, bottom = _place(drawing, top)
    parts = [_frame(drawing, scales, top, bottom)]
    parts += headings
    if drawing.names:
        parts.append(text_at(0, 14, shortened(drawing.names, gutter - 12), "label", full=drawing.names))
    if drawing.centre:
        parts.append(line_path("axis", "".join(_across(s, p.middle) for s in scales for p in placed)))
    for p in placed:
        label = shortened(p.row.label, gutter - 12)
        parts.append(text_at(0, p.middle + 4, label, full=p.row.label))
        if p.row.after:
            parts.append(text_at(WIDTH, p.middle + 4, p.row.after, "e"))
    lanes = [(s, p.middle, lane) for p in placed for s, lane in zip(scales, p.row.lanes, strict=True)]
    parts += [_box(s, y, lane.box, drawing.height) for s, y, lane in lanes if lane.box]
    for index, series in enumerate(drawing.series):
        bars = "".join(
            _bar(s, y, bar, drawing.height)
            for s, y, lane in lanes
            for bar in lane.bars
            if bar.series == index
        )
        dots = [(s, y, dot) for s, y, lane in lanes for dot in lane.dots if dot.series == index]
        whiskers = "".join(_whisker(s, _lifted(y, dot, drawing), dot) for s, y, dot in dots)
        marks = "".join(
            mark(series.shape, s(dot.x), _lifted(y, dot, drawing), drawing.size, dot.text)
            for s, y, dot in dots
        )
        parts.append(group(series, bars + line_path("iv", whiskers) + marks))
    parts += [
        _bar_label(s, y, bar, len(lane.bars) == 1) for s, y, lane in lanes for bar in lane.bars if bar.label
    ]
    return bottom + _FOOT, "".join(parts)


def _scales(drawing: Rows, left: float, right: float) -> tuple[Scale, ...]:
    panels = len(drawing.panels)
    wide = (right - left - _GAP * (panels - 1)) / panels
    starts = [left + index * (wide + _GAP) for index in range(panels)]
    return tuple(
        scale(
            [v for row in drawing.rows for v in _values(row.lanes[index])],
            start,
            start + wide,
            zero=axis.zero,
        )
        for index, (axis, start) in enumerate(zip(drawing.panels, starts, strict=True))
    )


def _values(lane: Lane) -> Iterator[float]:
    for dot in lane.dots:
        yield dot.x
        yield from dot.interval or ()
    if lane.box:
        yield from (lane.box.q1, lane.box.q3)
    for bar in lane.bars:
        yield from (bar.start, bar.end)


def _place(drawing: Rows, top: float) -> tuple[list[_Placed], list[str], float]:
    """Put rows below each other; a heading stands above each group."""
    placed, headings, y, group_now = [], [], top, ""
    for row in drawing.rows:
        if row.group and row.group != group_now:
            y += _HEADING
            headings.append(text_at(0, y - 8, shortened(row.group, WIDTH), "head", full=row.group))
        group_now = row.group
        placed.append(_Placed(row, y + drawing.height / 2))
        y += drawing.height
    return placed, headings, y + _PAD


def _frame(drawing: Rows, scales: tuple[Scale, ...], top: float, bottom: float) -> str:
    lines, texts = "", []
    for index, (axis, s) in enumerate(zip(drawing.panels, scales, strict=True)):
        wide = s.end - s.start
        ticks = s.ticks(max(2, int(wide / _TICK_ROOM)))
        lines += "".join(f"M{number(s(v))} {number(top)}V{number(bottom)}" for v, _ in ticks)
        texts += [text_at(s(v), bottom + 16, words, "c") for v, words in ticks]
        label = shortened(axis.label, wide + _GAP)
        texts.append(text_at((s.start + s.end) / 2, bottom + 36, label, "c label", full=axis.label))
        if drawing.titles:
            title = shortened(drawing.titles[index], wide)
            texts.append(text_at(s.start, 14, title, "head", full=drawing.titles[index]))
    base = "".join(_across(s, bottom) for s in scales)
    return line_path("grid", lines) + line_path("axis", base) + "".join(texts)


def _across(s: Scale, y: float) -> str:
    return f"M{number(s.start)} {number(y)}H{number(s.end)}"


def _lifted(middle: float, dot: Dot, drawing: Rows) -> float:
    return middle - dot.lift * (drawing.height / 2 - 6)


def _whisker(s: Scale, y: float, dot: Dot) -> str:
    if dot.interval is None or not all(map(math.isfinite, dot.interval)):
        return ""
    low, high = (number(s(v)) for v in dot.interval)
    caps = "".join(f"M{end} {number(y - _CAP)}v{2 * _CAP}" for end in (low, high))
    return f"M{low} {number(y)}H{high}{caps}"


def _box(s: Scale, middle: float, box: Box, height: int) -> str:
    tall = min(height - 6, 16)
    top = number(middle - tall / 2)
    left, right, centre = (number(s(v)) for v in (box.q1, box.q3, box.median))
    return (
        f'<g><title>{escaped(box.text)}</title><path class="box" d="M{left} {top}H{right}v{tall}H{left}z"/>'
        f'<path class="median" d="M{centre} {top}v{tall}"/></g>'
    )


def _bar(s: Scale, middle: float, bar: Bar, height: int) -> str:
    tall = height - 6
    left, right = number(s(bar.start)), number(s(bar.end))
    shape = f'class="bar" d="M{left} {number(middle - tall / 2)}H{right}v{tall}H{left}z"'
    return f"<path {shape}><title>{escaped(bar.text)}</title></path>"


def _bar_label(s: Scale, middle: float, bar: Bar, alone: bool) -> str:
    """Into the bar where there is room; else behind one that stands alone."""
    if s(bar.end) - s(bar.start) < width_of(bar.label) + 6:
        return text_at(s(bar.end) + 5, middle + 4, bar.label) if alone else ""
    return text_at((s(bar.start) + s(bar.end)) / 2, middle + 4, bar.label, "c in")
