"""Single gaps between tokens, counted in classes: bounded, and quick to put together over thousands of calls.

A call of 1,000 tokens has 999 gaps, a sweep hundreds of millions. Each is rounded to 11 significant bits (at most 0.05 %
off) and counted; the longest is kept as it is. This is the log-linear histogram of HdrHistogram (G. Tene, 2012).
"""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgpack

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from analysis.models.conditions import GapQuantiles

_DROPPED = 52 - 10
"""Bits of a double's mantissa that rounding drops."""
_HALF = 1 << (_DROPPED - 1)
_COUNTED_FROM = 64
"""Of fewer gaps counting saves nothing."""
_TAIL = 99.0

Counts = tuple[bytes, bytes, float]
"""Upper bits of rounded gaps (uint32), how often each was seen (uint32; none: once each), the longest one, ms."""


def packed_gaps(gaps_ms: Sequence[float]) -> bytes | None:
    """Return the gaps of one call, counted; ``None`` where there is none.

    Without numpy: a worker needs it for nothing else.
    """
    n = len(gaps_ms)
    if not n:
        return None
    bits = struct.unpack(f"<{n}Q", struct.pack(f"<{n}d", *[max(gap, 0.0) for gap in gaps_ms]))
    codes: Iterable[int] = [(one + _HALF) >> _DROPPED for one in bits]
    counts: Iterable[int] = ()
    if n > _COUNTED_FROM:
        found = sorted(Counter(codes).items())
        codes, counts = [code for code, _ in found], [count for _, count in found]
    made: Counts = (_packed(codes), _packed(counts), max(gaps_ms))
    packed: bytes = msgpack.packb(made)
    return packed


def gap_quantiles(packed: Iterable[bytes]) -> GapQuantiles | None:
    """Return median, longest and, of enough gaps, p99 over the gaps of several calls; ``None``: there is none."""
    import numpy as np

    from analysis.models.conditions import GapQuantiles
    from analysis.statistics.percentiles import needed

    parts: list[Counts] = [msgpack.unpackb(one) for one in packed]
    if not parts:
        return None
    codes = np.frombuffer(b"".join(part[0] for part in parts), dtype="<u4")
    counts = np.frombuffer(b"".join(part[1] or _ONE * (len(part[0]) // 4) for part in parts), dtype="<u4")
    order, place = np.unique(codes, return_inverse=True)
    values = (order.astype(np.uint64) << np.uint64(_DROPPED)).view(np.float64)
    upto = np.cumsum(np.bincount(place, counts)).astype(np.int64)
    n, longest = int(upto[-1]), max(part[2] for part in parts)
    return GapQuantiles(
        n=n,
        median_ms=min(_quantile(values, upto, 0.5), longest),
        max_ms=longest,
        p99_ms=min(_quantile(values, upto, _TAIL / 100), longest) if n >= needed(_TAIL) else None,
    )


_ONE = struct.pack("<I", 1)


def _packed(numbers: Iterable[int]) -> bytes:
    return array("I", numbers).tobytes()


def _quantile(values: npt.NDArray[np.float64], upto: npt.NDArray[Any], q: float) -> float:
    """The quantile by the one definition (:mod:`analysis.statistics.quantiles`) of counted values."""
    position = (int(upto[-1]) - 1) * q
    below = int(position)
    last = int(upto[-1]) - 1
    low, high = (float(values[upto.searchsorted(min(at, last), "right")]) for at in (below, below + 1))
    return min(low + (high - low) * (position - below), high)
