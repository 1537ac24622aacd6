"""Ties a child process to its parent's life (Linux), so that kill -9 of the parent leaves nothing."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Have the kernel send this process SIGKILL when the thread that started it ends.

    Called in the child; ``parent`` is the pid that must still be the parent, which closes the race
    with a parent that died before the call. Does nothing where the system has no such call.
    """
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
