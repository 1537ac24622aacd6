"""The search for the highest load that a server keeps up with: doubling, then bisection. Pure."""

from __future__ import annotations

from contracts.workloads import SaturationSearch

MAX_STEPS = 32
MOST_DOWN = 64
"""The search ends where a load of ``start`` / 64 is too much."""


class Search:
    """Ask :meth:`next` for a load, :meth:`tell` what came of it, and so on until there is none."""

    def __init__(self, spec: SaturationSearch) -> None:
        self._spec = spec
        self._whole = spec.over == "concurrency"
        self._steps = 0
        self._ended = False
        self.kept_up: float | None = None
        """The highest load that the server kept up with."""
        self.too_much: float | None = None
        """The lowest that it did not keep up with, above that."""

    def next(self) -> float | None:
        """Return the next step's load; ``None``: the search is over."""
        if self._ended or self._steps >= MAX_STEPS:
            return None
        load = self._after()
        if load is None or load in (self.kept_up, self.too_much):
            self._ended = True
            return None
        self._steps += 1
        return load

    def tell(self, load: float, keeps_up: bool | None) -> None:
        """Take what came of a load; ``None``: its requests do not tell, and the search is over."""
        if keeps_up is None:
            self._ended = True
        elif keeps_up:
            self.kept_up = load
        else:
            self.too_much = load

    def _after(self) -> float | None:
        spec, low, high = self._spec, self.kept_up, self.too_much
        if high is None:
            return self._fit(spec.start if low is None else 2 * low)
        if low is None:
            if high <= spec.start / MOST_DOWN or (self._whole and high <= 1):
                return None
        elif high - low <= spec.precision * high:
            return None
        return self._fit(((low or 0.0) + high) / 2)

    def _fit(self, load: float) -> float:
        load = min(load, self._spec.max)
        return float(max(1, int(load))) if self._whole else load
