"""A wall clock that jumps, for processes that are started with it. The monotonic clock stays as it is."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")
_FILE = "CHIMERA_CHAOS_CLOCK"


def compiler() -> str | None:
    """Return the C compiler; without one there is no jumping clock."""
    return shutil.which("cc") or shutil.which("gcc")


class Clock:
    """``environment`` is that of the processes whose clock :meth:`jump` moves.

    Raises:
        RuntimeError: there is no C compiler.
    """

    def __init__(self, folder: Path) -> None:
        command = compiler()
        if command is None:
            raise RuntimeError("a jumping clock needs a C compiler (cc or gcc)")
        library = folder / "clock.so"
        subprocess.run([command, "-shared", "-fPIC", "-O1", "-o", library, _SOURCE, "-ldl"], check=True)
        self._file = folder / "clock.shift"
        self.environment = {"LD_PRELOAD": str(library), _FILE: str(self._file)}
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """Let the clock be wrong by ``seconds`` from now on."""
        mode = "r+b" if self._file.exists() else "wb"
        with self._file.open(mode) as file:
            file.write(struct.pack("=q", seconds))
