"""The agent's first stage: read every file, parse it, count, and write the data summary."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from contracts.corpus import CorpusFile, chunks, digest_of_hashes, open_file
from contracts.outcome import IngestResult
from contracts.tables import KINDS_READ, Table, Tables, Unparsed
from worker.workloads.agent.data_summary import data_summary
from worker.workloads.agent.text import one_line

MAX_FILE_BYTES = 16 << 20
"""A larger file counts and is hashed, but is not parsed."""
MAX_TOTAL_BYTES = 128 << 20
"""Files beyond this sum of sizes count and are hashed, but are not parsed."""
MAX_UNPARSED_NAMED = 200
"""Unparsed files that are named; further ones are counted in one last entry."""
UNREAD = "can't be read"
"""How the reason of a file begins that the operating system does not let us read."""


@dataclass(frozen=True)
class Ingested:
    """What was read."""

    result: IngestResult
    tables: tuple[Table, ...]
    """In the order of the files."""
    corpus_digest: str | None
    """:func:`contracts.corpus.digest` of the bytes that were read; ``None`` where a file can't be read."""


@dataclass(frozen=True)
class _Read:
    sha256: str
    mtime: float
    content: bytes | None
    """``None``: too large to keep."""


def ingest(files: list[CorpusFile]) -> Ingested:
    """Read and parse the files. Never raises for a bad file: it counts, and is named in ``unparsed``."""
    tables: list[Table] = []
    unparsed: dict[str, str] = {}
    hashes: list[tuple[str, str] | None] = []
    mtimes: list[float | None] = []
    room, reading = MAX_TOTAL_BYTES, Tables()
    for file in files:
        shown = one_line(file.shown, 300)
        try:
            read = _read(file, min(room, MAX_FILE_BYTES))
        except OSError as error:
            unparsed[shown] = f"{UNREAD}: {error.strerror or type(error).__name__}"
            hashes.append(None)
            mtimes.append(None)
            continue
        hashes.append((file.shown, read.sha256))
        mtimes.append(read.mtime)
        try:
            tables += _parse(reading, file.kind, shown, read.content)
        except Unparsed as reason:
            unparsed[shown] = str(reason)
        room -= len(read.content or b"")
    counts = {kind: sum(f.kind == kind for f in files) for kind in KINDS_READ}
    result = IngestResult(
        files_total=len(files),
        counts=counts,
        data_summary=data_summary(files, mtimes),
        unparsed=_bounded(unparsed),
    )
    known = [pair for pair in hashes if pair is not None]
    complete = len(known) == len(hashes)
    return Ingested(result, tuple(tables), digest_of_hashes(known) if complete else None)


def _read(file: CorpusFile, limit: int) -> _Read:
    with open_file(file) as stream:
        whole, kept, size = hashlib.sha256(), [], 0
        for chunk in chunks(stream):
            whole.update(chunk)
            size += len(chunk)
            if size <= limit:
                kept.append(chunk)
            else:
                kept.clear()
        mtime = os.fstat(stream.fileno()).st_mtime
    return _Read(whole.hexdigest(), mtime, b"".join(kept) if size <= limit else None)


def _parse(reading: Tables, kind: str, shown: str, content: bytes | None) -> list[Table]:
    if content is None:
        raise Unparsed(f"too large: over {MAX_FILE_BYTES >> 20} MiB, or {MAX_TOTAL_BYTES >> 20} MiB in all")
    return reading.of(kind, content, shown)


def _bounded(unparsed: dict[str, str]) -> dict[str, str]:
    if len(unparsed) <= MAX_UNPARSED_NAMED:
        return unparsed
    more = len(unparsed) - MAX_UNPARSED_NAMED
    return dict(list(unparsed.items())[:MAX_UNPARSED_NAMED]) | {"…": f"{more} more files"}
