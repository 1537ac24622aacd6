"""A thread beside the consumer, in the worker's parent process."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod


class Background(ABC):
    """Runs from :meth:`start` to :meth:`stop`; waits on ``_stop`` between two looks."""

    def __init__(self, name: str, *, join_s: float) -> None:
        self._stop = threading.Event()
        self._join_s = join_s
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Have it end, and wait for that for ``join_s``."""
        self._stop.set()
        self._thread.join(timeout=self._join_s)

    @abstractmethod
    def _run(self) -> None:
        """Look again and again until ``_stop`` is set."""
