"""Entries of the store that are bombs or broken."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest

from contracts import packing
from contracts.packing import inflate


def test_what_was_compressed_comes_back_up_to_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MAX_BYTES", 1000)
    for text in (b"", b"x", b"x" * 1000):
        assert inflate(zlib.compress(text)) == text
    with pytest.raises(ValueError, match="more than"):
        inflate(zlib.compress(b"x" * 1001))


def test_a_bomb_takes_no_more_memory_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MAX_BYTES", 1 << 20)
    bomb = zlib.compress(bytes(64 << 20))
    tracemalloc.start()
    with pytest.raises(ValueError, match="takes more than 1 MiB"):
        inflate(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("packed", [b"", b"x", b"garbage", zlib.compress(b"x" * 1000)[:-3]])
def test_what_is_none_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="an entry of the store"):
        inflate(packed)
