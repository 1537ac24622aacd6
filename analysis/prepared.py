"""A run in the form that its configuration's summary is made of: small, and quick to read.

To parse 10 KB of JSON for each of 100,000 runs takes minutes, and all summaries are due at once when the last block ends.
So the aggregator prepares a run when its outcome comes (:mod:`worker.ahead`): an outcome's rows (:mod:`analysis.rows`) in msgpack, compressed, some 500 bytes.
It is a shortcut and no second truth: what is not there, or of another version, is prepared from the outcome again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import msgpack

from analysis.rows import OF_RUN, Row, row_of
from contracts.outcome import JobOutcome
from contracts.packing import inflate
from contracts.records import StageRecord, records_of

VERSION = 2
"""Raised when a row's columns change."""


def prepare(outcome: JobOutcome) -> bytes:
    """Return the run's rows, packed."""
    return pack_rows(map(row_of, records_of(outcome)))


def prepare_records(records: Iterable[StageRecord]) -> bytes:
    """Return the rows of records of one run, packed."""
    return pack_rows(map(row_of, records))


def pack_rows(rows: Iterable[Row]) -> bytes:
    """Return rows of one run, packed: what is the same in all of them once."""
    made = list(rows)
    head = made[0][:OF_RUN] if made else ()
    # Of foreign data a run's rows may differ in what should be the same.
    alike = all(row[:OF_RUN] == head for row in made)
    body: list[Any] = [row[OF_RUN:] if alike else row for row in made]
    packed: bytes = msgpack.packb((VERSION, head if alike else None, body))
    return zlib.compress(packed, 1)


def unpack_rows(packed: bytes) -> list[tuple[Any, ...]] | None:
    """Return the rows, each with the columns of :class:`analysis.rows.Row`; ``None``: they are of another version."""
    version, head, body = msgpack.unpackb(inflate(packed), use_list=False)
    if version != VERSION:
        return None
    return list(body) if head is None else [head + one for one in body]
