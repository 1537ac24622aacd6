"""The scenarios: what a response does, written once for all wire formats.

A model called ``NAME:SCENARIO`` asks for one; else the server's own setting holds.
"""

from __future__ import annotations

from benchmarks.reference_server.scenarios import answers, delivery, endings, refusals
from benchmarks.reference_server.scene import Builder

SCENARIOS: dict[str, Builder] = {
    **answers.SCENARIOS,
    **delivery.SCENARIOS,
    **endings.SCENARIOS,
    **refusals.SCENARIOS,
}
"""By name."""


def describe() -> list[tuple[str, str]]:
    """Return every scenario's name and what it does, in one line."""
    return [(name, (build.__doc__ or "").strip().partition("\n")[0]) for name, build in SCENARIOS.items()]
