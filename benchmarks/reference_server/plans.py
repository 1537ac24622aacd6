"""Prepared responses, kept while they are asked for again.

Preparing 64 frames takes about as long as sending them; of many requests that come at the same time the
last would wait for it longer than its first token is due.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from benchmarks.reference_server.scenarios import SCENARIOS
from benchmarks.reference_server.scenarios.refusals import REFUSED_FIRST
from benchmarks.reference_server.scene import Scene
from benchmarks.reference_server.wire import Plan, prepare

MAX_PLANS = 64
MAX_BYTES = 256 * 1024
"""Of a plan that is kept."""


class Plans:
    """The plans used last. One server has one: its settings are no part of the key."""

    def __init__(self) -> None:
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()

    def of(self, place: tuple[str, str, bool], scene: Scene) -> Plan:
        """Return the plan of a scene; ``place`` is path, scenario, and whether the connection closes."""
        generation = scene.generation
        key = (
            place,
            scene.dialect.key,
            generation.model,
            generation.prompt_tokens,
            generation.limit,
            generation.wants_json,
            scene.load_s,
            scene.attempt <= REFUSED_FIRST,
        )
        plan = self._plans.get(key)
        if plan is not None:
            self._plans.move_to_end(key)
            return plan
        _, scenario, closes = place
        plan = prepare(SCENARIOS[scenario](scene), closes)
        if plan.size <= MAX_BYTES:
            self._plans[key] = plan
            if len(self._plans) > MAX_PLANS:
                self._plans.popitem(last=False)
        return plan
