"""Axes whose values the server made one value of: configurations under several names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from analysis.applied import limit_words, same_value
from analysis.models import ConfigurationSummary, InertAxis
from contracts.applied import effective, limit_of
from contracts.configuration import PARAMETER_NAMES, Configuration, format_value
from contracts.slots import ModelLimits

Value: TypeAlias = int | float | None


@dataclass(frozen=True)
class Point:
    """A configuration with what is known of the values that the server applies."""

    model: str | None
    asked: Mapping[str, int | float]
    applied: Mapping[str, tuple[int | float, ...]]
    """Of a parameter that is known: the values, several where it was not the same in all runs."""
    how: Mapping[str, str] = field(default_factory=dict)


def inert_axes(configurations: Sequence[ConfigurationSummary]) -> tuple[InertAxis, ...]:
    """Return what the server made one of, among the configurations of a sweep as measured."""
    return merged(
        [
            Point(
                model=c.model,
                asked=c.parameters,
                applied={entry.name: entry.applied for entry in c.applied},
                how={entry.name: entry.how for entry in c.applied},
            )
            for c in configurations
            if c.parameters is not None
        ]
    )


def inert_in_plan(
    configurations: Sequence[Configuration], limits: Mapping[str, ModelLimits]
) -> tuple[InertAxis, ...]:
    """Return what the limits of the models, by name, tell before anything is measured."""
    return merged([_planned(c, limits.get(c.model, ModelLimits())) for c in configurations])


def merged(points: Sequence[Point]) -> tuple[InertAxis, ...]:
    """Return, for each axis and model, each set of two or more asked values that were applied as one.

    An asked value counts where at least one of its points tells the applied value, and all that do tell the
    same. What is not known is merged with nothing.
    """
    models = list(dict.fromkeys(point.model for point in points))
    return tuple(
        entry
        for name in PARAMETER_NAMES
        for model in models
        for entry in _of_axis(name, model, [point for point in points if point.model == model])
    )


def inert_words(entry: InertAxis) -> str:
    """Say which values are one, why, and what follows for their configurations."""
    values = _and([format_value(value) for value in entry.asked])
    of_model = f" for {entry.model}" if entry.model else ""
    one = (
        f"{values} were applied as one value{of_model}, {format_value(entry.applied)} ({entry.why}): configurations that "
        "differ in nothing else are one under several names, and what differs between them is chance"
    )
    if not entry.others:
        return f"the axis {entry.axis} is inert: {one}"
    rest = _and([format_value(value) for value in entry.others])
    return f"{entry.axis}: {one}. {rest} {'is' if len(entry.others) == 1 else 'are'} apart from them"


def _of_axis(name: str, model: str | None, points: Sequence[Point]) -> list[InertAxis]:
    asked = sorted({point.asked.get(name) for point in points}, key=_order)
    if len(asked) < 2:
        return []
    known = {value: _one_applied(name, value, points) for value in asked}
    classes: list[tuple[int | float, list[Value]]] = []
    for value, applied in known.items():
        if applied is None:
            continue
        for common, members in classes:
            if same_value(common, applied):
                members.append(value)
                break
        else:
            classes.append((applied, [value]))
    return [
        InertAxis(
            axis=name,
            model=model,
            asked=tuple(members),
            applied=applied,
            others=tuple(value for value in asked if value not in members),
            why=_why(name, members, points),
        )
        for applied, members in classes
        if len(members) > 1
    ]


def _one_applied(name: str, asked: Value, points: Sequence[Point]) -> int | float | None:
    found = {
        value for point in points if point.asked.get(name) == asked for value in point.applied.get(name, ())
    }
    return found.pop() if len(found) == 1 else None


def _why(name: str, asked: Sequence[Value], points: Sequence[Point]) -> str:
    of = [point for point in points if point.asked.get(name) in asked]
    return "; ".join(dict.fromkeys(point.how[name] for point in of if name in point.how))


def _planned(configuration: Configuration, limits: ModelLimits) -> Point:
    asked = configuration.parameters.given()
    applied: dict[str, tuple[int | float, ...]] = {}
    how: dict[str, str] = {}
    for name, value in asked.items():
        limit = limit_of(name, limits.layers, limits.context)
        made = effective(name, value, limits.layers, limits.context)
        if limit is not None and made is not None:
            applied[name], how[name] = (made,), limit_words(name, limit)
    return Point(model=configuration.model, asked=asked, applied=applied, how=how)


def _order(value: Value) -> tuple[bool, float]:
    return (value is not None, value or 0.0)


def _and(texts: Sequence[str]) -> str:
    return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else "".join(texts)
