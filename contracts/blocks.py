"""Randomised blocks: the order of the configurations in one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from contracts.configuration import Configuration


def shuffled(points: Sequence[Configuration], seed: int, block: int) -> list[Configuration]:
    """Return the points in the block's random order.

    Sorted by a hash instead of shuffled by a generator: the order depends on nothing but seed, block
    and point, on any version and machine.
    """

    def key(point: Configuration) -> bytes:
        return hashlib.sha256(f"{seed}:{block}:{point.id}".encode()).digest()

    return sorted(points, key=key)
