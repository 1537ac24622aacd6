"""Which calls were cold: the server had to load the model first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FACTOR = 3.0
MARGIN_MS = 500.0
NOISE_MS = 100.0
MIN_LOADS = 3
WARM_CEILING_MS = 1000.0

RULE = (
    f"A call is cold if the load time that the server reports for it is above {FACTOR:g} times, and more than "
    f"{MARGIN_MS:g} ms above, the lower quartile of the load times of the same configuration and agent "
    "(warm-up calls included), and warm if it is not above that factor, or by no more than "
    f"{NOISE_MS:g} ms; between the two it is unknown. The quartile, not the median: where every run reloads the "
    "model, half of the calls are cold. Cold or warm is unknown, never guessed, where the server reported no "
    f"load time for the call, where fewer than {MIN_LOADS} load times are known or all are 0, and, for the calls "
    f"that are not far above it, where the quartile itself is above {WARM_CEILING_MS:g} ms (perhaps all were "
    "cold)."
)


def classify(loads_ms: Sequence[float | None]) -> list[bool | None]:
    """Return for each load time whether its call was cold, by :data:`RULE`; ``None`` is unknown.

    ``loads_ms``: of one configuration and agent, ms; ``None`` where not reported.
    """
    known = [load for load in loads_ms if load is not None]
    if len(known) < MIN_LOADS or not any(known):
        return [None] * len(loads_ms)
    reference = float(np.percentile(known, 25, method="lower"))
    return [None if load is None else _is_cold(load, reference) for load in loads_ms]


def _is_cold(load_ms: float, reference_ms: float) -> bool | None:
    above_ms = load_ms - reference_ms
    if load_ms > FACTOR * reference_ms and above_ms > MARGIN_MS:
        return True
    if reference_ms > WARM_CEILING_MS:
        return None
    return False if load_ms <= FACTOR * reference_ms or above_ms <= NOISE_MS else None
