"""Random draws by hashing: the same for the same key on every machine and in every version of Python."""

from __future__ import annotations

import hashlib
import math
from statistics import NormalDist

from contracts.workloads import TokenCounts

_BITS = 53
_SCALE = float(1 << _BITS)


def uniform(*key: object) -> float:
    """Return a number in (0, 1) that the key alone decides."""
    drawn = int.from_bytes(digest(8, *key), "big") >> (64 - _BITS)
    return (drawn + 0.5) / _SCALE


def digest(size: int, *key: object) -> bytes:
    """Return ``size`` random bytes that the key alone decides."""
    return hashlib.shake_256("\x1f".join(map(str, key)).encode()).digest(size)


def token_count(counts: TokenCounts, drawn: float) -> int:
    """Return the count at the quantile ``drawn`` of the distribution: uniform over the whole numbers, or normal.

    The normal distribution is cut half a token beyond both ends, not heaped up at them: what is cut off is shared out over
    the rest.
    """
    if counts.mean is None or not counts.sd:
        if counts.mean is not None:
            return _within(counts, round(counts.mean))
        return _within(counts, counts.min + math.floor(drawn * (counts.max - counts.min + 1)))
    normal = NormalDist(counts.mean, counts.sd)
    low, high = normal.cdf(counts.min - 0.5), normal.cdf(counts.max + 0.5)
    at = low + drawn * (high - low)
    if not 0 < at < 1:  # all of it lies beyond one end
        return counts.min if counts.mean < counts.min else counts.max
    return _within(counts, round(normal.inv_cdf(at)))


def exponential(drawn: float) -> float:
    """Return the value at the quantile ``drawn`` of the exponential distribution with mean 1."""
    return -math.log1p(-drawn)


def _within(counts: TokenCounts, value: int) -> int:
    return min(max(value, counts.min), counts.max)
