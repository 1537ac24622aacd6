"""What the runs of a load came to."""

from __future__ import annotations

from contracts.base import Strict


class LoadConfiguration(Strict):
    """One load of one configuration over its runs: an asked concurrency or rate, or a step of searches."""

    config: str


class Saturation(Strict):
    """The highest load that a slot keeps up with."""

    config: str
