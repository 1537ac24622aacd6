"""Which swept values a server would make one of, told before anything is measured."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.inert import inert_in_plan, inert_words
from contracts.failures import ChimeraError
from contracts.redis_client import check, connect
from contracts.slots import ModelLimits, SlotStatus
from contracts.store import Store
from producer.broker import find_broker
from producer.plan import Plan

LIMITED = ("num_gpu", "num_ctx")
"""Axes whose values a model's limits merge."""
GREEDY = ("top_p", "top_k", "seed")
"""Samplers choose the likeliest token at temperature 0, whatever these say."""


def known_limits(plan: Plan, broker: str | None) -> dict[str, ModelLimits]:
    """Return what the live slots of the sweep's pool tell of its models; nothing where no slot can be asked.

    Raises:
        ChimeraError: a broker was named, and it can't be asked.
    """
    try:
        url = find_broker(broker)
        if url is None:
            return {}
        client = connect(url, retries=0)
        check(client, url)
    except ChimeraError:
        if broker is not None:
            raise
        return {}
    return of_slots([slot for slot in Store(client).slots() if slot.pool == plan.spec.pool])


def of_slots(slots: Sequence[SlotStatus]) -> dict[str, ModelLimits]:
    """Return the limits by model; a model of which slots tell different ones is left out."""
    told: dict[str, list[ModelLimits]] = {}
    for slot in slots:
        for model, limits in slot.limits.items():
            told.setdefault(model, []).append(limits)
            told.setdefault(model.removesuffix(":latest"), []).append(limits)
    return {model: found[0] for model, found in told.items() if all(one == found[0] for one in found)}


def inert_lines(plan: Plan, limits: dict[str, ModelLimits]) -> list[str]:
    """Say which values of the axes are one configuration, and what could not be checked."""
    lines = [inert_words(entry) for entry in inert_in_plan(plan.configurations, limits)]
    lines += _greedy(plan)
    swept = [
        name for name in LIMITED if len({c.parameters.given().get(name) for c in plan.configurations}) > 1
    ]
    unknown = sorted({model for c in plan.configurations for model in c.models} - limits.keys())
    if swept and unknown:
        lines.append(
            f"not known whether {unknown[0]!r} takes all values of {' and '.join(swept)}: no live slot tells its limits; "
            "the report will say what was applied"
        )
    return lines


def _greedy(plan: Plan) -> list[str]:
    at_zero = [c.parameters.given() for c in plan.configurations if c.parameters.temperature == 0]
    idle = [name for name in GREEDY if len({given.get(name) for given in at_zero}) > 1]
    if not idle:
        return []
    return [
        f"at temperature 0 the sampler is greedy: {' and '.join(idle)} change{'s' * (len(idle) == 1)} nothing there"
    ]
