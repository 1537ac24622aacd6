"""Parameters as asked for and as the server applied them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from analysis.models import AppliedParameter
from analysis.table import Columns
from contracts.applied import effective, limit_of
from contracts.configuration import PARAMETER_NAMES

_TOLD = "told by the server, for each call"
_CONTEXT = "the context that the server ran the model with"
_NO_LAYER = "the server held no layer on a GPU"
_WITHIN = "within the model's limit"
_FLOAT32 = 1e-6
"""Servers keep floats in 32 bits: 0.6 comes back as 0.60000002."""


@dataclass(frozen=True)
class _Applied:
    value: int | float
    how: str


def applied_parameters(
    calls: Columns, asked: Mapping[str, int | float] | None
) -> tuple[AppliedParameter, ...]:
    """Return the parameters of a configuration whose applied value is known, in the vocabulary's order.

    ``calls``: the measured ones. What the server tells of a call comes first, then what it
    tells of the loaded model, then the model's limit.
    """
    if asked is None:
        return ()
    told = _told(calls)
    return tuple(
        AppliedParameter(
            name=name,
            asked=asked.get(name),
            applied=tuple(sorted({entry.value for entry in found})),
            how="; ".join(dict.fromkeys(entry.how for entry in found)),
        )
        for name in PARAMETER_NAMES
        if (found := list(_found(name, asked.get(name), told)))
    )


def limit_words(parameter: str, limit: int) -> str:
    """Say which limit of the model clamps the parameter."""
    return {
        "num_gpu": f"the model has {limit} layers, its output layer counted",
        "num_ctx": f"the model's context is {limit} tokens",
    }[parameter]


def contexts_of(stages: Columns) -> tuple[int, ...]:
    """Return the different contexts that the server ran the model with, tokens, ascending."""
    both = set(zip(stages.context, stages.model_context_max, strict=True))
    return tuple(sorted({tokens for one in both if (tokens := _context(*one)) is not None}))


def _context(context: int | None, context_max: int | None) -> int | None:
    """Ollama reports what was asked for even where it runs with the model's own, shorter one."""
    if context is None or context_max is None:
        return context
    return min(context, context_max)


def same_value(a: int | float | None, b: int | float | None) -> bool:
    """Whether two values of a parameter are one: floats up to the precision of 32 bits."""
    if a is None or b is None or (isinstance(a, int) and isinstance(b, int)):
        return a == b
    return math.isclose(a, b, rel_tol=_FLOAT32)


@dataclass(frozen=True)
class _Told:
    """What the server told of one call and of its model."""

    applied: tuple[tuple[str, int | float], ...]
    context: int | None
    context_max: int | None
    layers: int | None
    vram_bytes: int | None


def _told(calls: Columns) -> list[_Told]:
    """Return what calls were told, each thing once, in the order of first appearance."""
    columns = zip(
        (tuple(one.items()) if one else () for one in calls.applied),
        calls.context,
        calls.model_context_max,
        calls.model_layers,
        calls.model_vram_bytes,
        strict=True,
    )
    return [_Told(*one) for one in dict.fromkeys(columns)]


def _found(name: str, asked: int | float | None, told: Sequence[_Told]) -> Iterator[_Applied]:
    for one in told:
        entry = _of_call(name, asked, one)
        if entry is not None:
            yield _Applied(
                asked if asked is not None and same_value(asked, entry.value) else entry.value, entry.how
            )


def _of_call(name: str, asked: int | float | None, one: _Told) -> _Applied | None:
    told = dict(one.applied).get(name)
    if told is not None:
        return _Applied(told, _TOLD)
    if name == "num_ctx" and (context := _context(one.context, one.context_max)) is not None:
        cut = context != one.context
        return _Applied(context, limit_words(name, context) if cut else _CONTEXT)
    if name == "num_gpu" and one.vram_bytes == 0:
        return _Applied(0, _NO_LAYER)
    limit = limit_of(name, one.layers, one.context_max)
    value = effective(name, asked, one.layers, one.context_max)
    if limit is None or value is None:
        return None
    return _Applied(value, _WITHIN if value == asked else limit_words(name, limit))
