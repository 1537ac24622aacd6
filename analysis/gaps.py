"""Single gaps between tokens, counted in classes: bounded, and quick to put together over thousands of calls.

A call of 1,000 tokens has 999 gaps, a sweep hundreds of millions. Each is rounded to 11 significant bits (at most 0.05 %
off) and counted; the longest is kept as it is. This is the log-linear histogram of HdrHistogram (G. Tene, 2012).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgpack
import numpy as np
import numpy.typing as npt

from analysis.models import GapQuantiles
from analysis.statistics.percentiles import needed

_DROPPED = np.uint64(52 - 10)
"""Bits of a double's mantissa that rounding drops."""
_HALF = np.uint64(1 << (52 - 10 - 1))
_COUNTED_FROM = 64
"""Of fewer gaps counting saves nothing."""
_ONES = np.ones(_COUNTED_FROM, dtype="<u4")
_TAIL = 99.0

Counts = tuple[bytes, bytes, float]
"""Upper bits of rounded gaps (uint32), how often each was seen (uint32), the longest one, ms."""


def packed_gaps(gaps_ms: Sequence[float]) -> bytes | None:
    """Return the gaps of one call, counted; ``None`` where there is none."""
    if not gaps_ms:
        return None
    codes = _codes(np.array(gaps_ms, dtype=np.float64))
    if len(codes) > _COUNTED_FROM:
        codes, found = np.unique(codes, return_counts=True)
        counts = found.astype("<u4")
    else:
        counts = _ONES[: len(codes)]
    made: Counts = (codes.tobytes(), counts.tobytes(), float(max(gaps_ms)))
    packed: bytes = msgpack.packb(made)
    return packed


def gap_quantiles(packed: Iterable[bytes]) -> GapQuantiles | None:
    """Return median, longest and, of enough gaps, p99 over the gaps of several calls; ``None``: there is none."""
    parts: list[Counts] = [msgpack.unpackb(one) for one in packed]
    if not parts:
        return None
    codes = np.frombuffer(b"".join(part[0] for part in parts), dtype="<u4")
    counts = np.frombuffer(b"".join(part[1] for part in parts), dtype="<u4")
    order, place = np.unique(codes, return_inverse=True)
    values = (order.astype(np.uint64) << _DROPPED).view(np.float64)
    upto = np.cumsum(np.bincount(place, counts)).astype(np.int64)
    n, longest = int(upto[-1]), max(part[2] for part in parts)
    return GapQuantiles(
        n=n,
        median_ms=min(_quantile(values, upto, 0.5), longest),
        max_ms=longest,
        p99_ms=min(_quantile(values, upto, _TAIL / 100), longest) if n >= needed(_TAIL) else None,
    )


def _codes(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint32]:
    """Return the upper bits of the values rounded to 11 significant ones, halves up; a gap is never negative."""
    return ((np.maximum(values, 0.0).view(np.uint64) + _HALF) >> _DROPPED).astype("<u4")


def _quantile(values: npt.NDArray[np.float64], upto: npt.NDArray[np.int64], q: float) -> float:
    """The quantile by the one definition (:mod:`analysis.statistics.quantiles`) of counted values."""
    position = (int(upto[-1]) - 1) * q
    below = int(position)
    low, high = (
        values[np.searchsorted(upto, min(at, int(upto[-1]) - 1), "right")] for at in (below, below + 1)
    )
    return float(min(low + (high - low) * (position - below), high))
