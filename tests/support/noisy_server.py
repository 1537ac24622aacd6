"""``python -m tests.support.noisy_server``: the reference server, with models whose speed differs from call to call.

``NAME:noisy`` and ``NAME:steady`` are as ``NAME:normal``, but every time of the k-th call is multiplied by a factor of
a fixed sequence around 1, the one by ± 50 %, the other by ± 0.01 %; the server's counters agree with it.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from benchmarks.reference_server import plans
from benchmarks.reference_server.__main__ import main
from benchmarks.reference_server.scenarios import SCENARIOS
from benchmarks.reference_server.scene import Builder, Scene
from benchmarks.reference_server.script import Script

GOLDEN = 0.6180339887498949


def varying(spread: float) -> Builder:
    """Return a scenario as normal, all times of a call being 1 ± ``spread`` times as long."""

    def build(scene: Scene) -> Script:
        # A sequence that never repeats and covers its range evenly.
        by = 1 + spread * (2 * ((scene.attempt * GOLDEN) % 1.0) - 1)
        times = scene.settings
        varied = replace(times, ttft_ms=times.ttft_ms * by, itl_ms=times.itl_ms * by)
        changed = replace(scene, settings=varied)
        return changed.whole(changed.answer())

    return build


if __name__ == "__main__":
    SCENARIOS["noisy"] = varying(0.5)
    SCENARIOS["steady"] = varying(1e-4)
    plans.MAX_BYTES = -1  # every call is prepared anew
    sys.exit(main())
