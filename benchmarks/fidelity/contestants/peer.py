"""Where a peer is found, and which version it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.fidelity.contestants.base import Absent

VERSION_LIMIT_S = 120.0


def find(name: str, given: Path | None) -> Path:
    """Return a peer's executable: as given, below ``$CHIMERA_PEERS``, or on PATH. Raises Absent."""
    if given is not None:
        if not given.is_file():
            raise Absent(f"{given} is not there")
        return given.absolute()
    peers = os.environ.get("CHIMERA_PEERS")
    if peers is not None and (placed := Path(peers) / name / "bin" / name).is_file():
        return placed.absolute()
    found = shutil.which(name)
    if found is None:
        raise Absent("not installed")
    return Path(found).absolute()


def version_of(executable: Path, distribution: str) -> str:
    """Return the version of the distribution in the executable's own environment. Raises Absent."""
    python = executable.parent / "python"
    asked = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    try:
        done = subprocess.run(
            [str(python), "-c", asked], capture_output=True, text=True, timeout=VERSION_LIMIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        raise Absent(f"{python} can't tell the version of {distribution}") from None
    return done.stdout.strip()
