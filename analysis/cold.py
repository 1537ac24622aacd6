"""Which calls were cold: the server had to load the model first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FACTOR = 3.0
MARGIN_MS = 500.0
NOISE_MS = 100.0
MIN_LOADS = 3
MIN_LOADS_UNLOADED = 2
WARM_CEILING_MS = 1000.0

RULE = (
    f"A call is cold if the load time that the server reports for it is above {FACTOR:g} times, and more than "
    f"{MARGIN_MS:g} ms above, the lower quartile of the load times of the same configuration and agent "
    "(warm-up calls included), and warm if it is not above that factor, or by no more than "
    f"{NOISE_MS:g} ms; between the two it is unknown. The quartile, not the median: where every run reloads the "
    "model, half of the calls are cold. Cold or warm is unknown, never guessed, where the server reported no "
    f"load time for the call, where fewer than {MIN_LOADS} load times are known or all are 0, and, for the calls "
    f"that are not far above it, where the quartile itself is above {WARM_CEILING_MS:g} ms (perhaps all were "
    "cold). Where the model was unloaded before a run, the run's first call is cold if its load time is above "
    f"{NOISE_MS:g} ms, and else unknown; with such a call, {MIN_LOADS_UNLOADED} load times are enough to judge the others."
)


def classify(
    loads_ms: Sequence[float | None], after_unload: Sequence[bool] | None = None
) -> list[bool | None]:
    """Return for each load time whether its call was cold, by :data:`RULE`; ``None`` is unknown.

    ``loads_ms``: of one configuration and agent, ms; ``None`` where not reported. ``after_unload``: whether
    the call was the first one after the model had been unloaded.
    """
    firsts = [False] * len(loads_ms) if after_unload is None else after_unload
    forced = [
        first and load is not None and load > NOISE_MS for load, first in zip(loads_ms, firsts, strict=True)
    ]
    known = [load for load in loads_ms if load is not None]
    enough = len(known) >= (MIN_LOADS_UNLOADED if any(forced) else MIN_LOADS)
    reference = float(np.percentile(known, 25, method="lower")) if enough and any(known) else None

    def verdict(load_ms: float | None, first: bool, forced_cold: bool) -> bool | None:
        if first:
            return True if forced_cold else None
        return None if load_ms is None or reference is None else _is_cold(load_ms, reference)

    return [verdict(*each) for each in zip(loads_ms, firsts, forced, strict=True)]


def _is_cold(load_ms: float, reference_ms: float) -> bool | None:
    above_ms = load_ms - reference_ms
    if load_ms > FACTOR * reference_ms and above_ms > MARGIN_MS:
        return True
    if reference_ms > WARM_CEILING_MS:
        return None
    return False if load_ms <= FACTOR * reference_ms or above_ms <= NOISE_MS else None
