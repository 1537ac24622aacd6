"""What the processes of a benchmark note: a line of JSON each, on the monotonic clock that all of them share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = "CHIMERA_SCALE_EVENTS"
"""Environment variable: where the processes write."""

_files: dict[tuple[int, str], int] = {}


def note(what: str, **values: Any) -> None:
    """Append one line to this process's file of that kind; nothing is buffered, so that a kill loses nothing."""
    key = os.getpid(), what  # the pool's processes are forked
    if key not in _files:
        path = Path(os.environ[FOLDER]) / f"{what}-{key[0]}.jsonl"
        _files[key] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(_files[key], json.dumps(values).encode() + b"\n")


def noted(folder: Path, what: str) -> Iterator[dict[str, Any]]:
    """Yield the notes of one kind, process by process."""
    for path in sorted(folder.glob(f"{what}-*.jsonl")):
        with path.open() as lines:
            yield from map(json.loads, lines)
