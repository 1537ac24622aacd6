"""What lies compressed in the store, inflated within a bound: who can write there may put a bomb there."""

from __future__ import annotations

import zlib

MAX_BYTES = 64 << 20
"""Of one entry, inflated; an outcome takes some 10 KB."""


def inflate(packed: bytes) -> bytes:
    """Return what was compressed by zlib.

    Raises:
        ValueError: it takes more than :data:`MAX_BYTES`, or is no such thing.
    """
    inflating = zlib.decompressobj()
    try:
        whole = inflating.decompress(packed, MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"an entry of the store can't be read: {error}") from None
    if not inflating.eof:
        raise ValueError(f"an entry of the store is cut off, or takes more than {MAX_BYTES >> 20} MiB")
    return whole
