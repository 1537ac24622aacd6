"""The data summary of a corpus, in the form of the seed reports: counts, first paths, last change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from contracts.corpus import CorpusFile
from worker.workloads.agent.text import one_line

SHOWN_PATHS = 5
_TITLES = {"csv": "CSV", "json": "JSON", "md": "MARKDOWN"}


def data_summary(files: Sequence[CorpusFile], mtimes: Sequence[float | None]) -> str:
    """Return the summary, without a final line break.

    ``mtimes`` are seconds since 1970, one per file, ``None`` where not known. A kind without files has
    its heading with the count 0 and nothing below it.
    """
    sections = [f"Total files analyzed: {len(files)}"]
    for kind, title in _TITLES.items():
        of_kind = [(f, t) for f, t in zip(files, mtimes, strict=True) if f.kind == kind]
        lines = [f"{title} Files ({len(of_kind)})"]
        lines += [f"  - {one_line(file.shown, 300)}" for file, _ in of_kind[:SHOWN_PATHS]]
        if len(of_kind) > SHOWN_PATHS:
            lines.append(f"  ... and {len(of_kind) - SHOWN_PATHS} more")
        latest = _utc(max((t for _, t in of_kind if t is not None), default=None))
        if latest is not None:
            lines.append(f"  Latest modified: {latest}")
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


def _utc(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):  # a file system may hold years that datetime can't
        return None
