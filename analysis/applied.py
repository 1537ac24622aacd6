"""Parameters as asked for and as the server applied them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from analysis.models import AppliedParameter
from contracts.applied import effective, limit_of
from contracts.configuration import PARAMETER_NAMES
from contracts.records import StageRecord

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
    records: Sequence[StageRecord], asked: Mapping[str, int | float] | None
) -> tuple[AppliedParameter, ...]:
    """Return the parameters of a configuration whose applied value is known, in the vocabulary's order.

    ``records`` are those of the measured calls. What the server tells of a call comes first, then what it
    tells of the loaded model, then the model's limit.
    """
    if asked is None:
        return ()
    return tuple(
        AppliedParameter(
            name=name,
            asked=asked.get(name),
            applied=tuple(sorted({entry.value for entry in found})),
            how="; ".join(dict.fromkeys(entry.how for entry in found)),
        )
        for name in PARAMETER_NAMES
        if (found := list(_found(name, asked.get(name), records)))
    )


def limit_words(parameter: str, limit: int) -> str:
    """Say which limit of the model clamps the parameter."""
    return {
        "num_gpu": f"the model has {limit} layers, its output layer counted",
        "num_ctx": f"the model's context is {limit} tokens",
    }[parameter]


def context_of(record: StageRecord) -> int | None:
    """Return the context that the server ran the model with, tokens.

    Ollama reports what was asked for even where it runs with the model's own, shorter one.
    """
    known = (record.context, record.model_context_max)
    return None if record.context is None else min(value for value in known if value is not None)


def same_value(a: int | float | None, b: int | float | None) -> bool:
    """Whether two values of a parameter are one: floats up to the precision of 32 bits."""
    if a is None or b is None or (isinstance(a, int) and isinstance(b, int)):
        return a == b
    return math.isclose(a, b, rel_tol=_FLOAT32)


def _found(name: str, asked: int | float | None, records: Sequence[StageRecord]) -> Iterator[_Applied]:
    for record in records:
        entry = _of_record(name, asked, record)
        if entry is not None:
            yield _Applied(
                asked if asked is not None and same_value(asked, entry.value) else entry.value, entry.how
            )


def _of_record(name: str, asked: int | float | None, record: StageRecord) -> _Applied | None:
    told = (record.applied or {}).get(name)
    if told is not None:
        return _Applied(told, _TOLD)
    if name == "num_ctx" and (context := context_of(record)) is not None:
        cut = context != record.context
        return _Applied(context, limit_words(name, context) if cut else _CONTEXT)
    if name == "num_gpu" and record.model_vram_bytes == 0:
        return _Applied(0, _NO_LAYER)
    limit = limit_of(name, record.model_layers, record.model_context_max)
    value = effective(name, asked, record.model_layers, record.model_context_max)
    if limit is None or value is None:
        return None
    return _Applied(value, _WITHIN if value == asked else limit_words(name, limit))
