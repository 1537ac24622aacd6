"""What the processes of a benchmark note: a line of JSON each, on the monotonic clock that all of them share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = "CHIMERA_SCALE_EVENTS"
"""Environment variable: where the processes write."""

_files: dict[int, int] = {}


def note(what: str, **values: Any) -> None:
    """Append one line to the file of this process; nothing is buffered, so that a kill loses nothing."""
    pid = os.getpid()  # the pool's processes are forked
    if pid not in _files:
        path = Path(os.environ[FOLDER]) / f"{pid}.jsonl"
        _files[pid] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(_files[pid], json.dumps({"what": what, **values}).encode() + b"\n")


def noted(folder: Path, what: str) -> Iterator[dict[str, Any]]:
    """Yield the notes of one kind, process by process."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open() as lines:
            for line in lines:
                one = json.loads(line)
                if one["what"] == what:
                    yield one
