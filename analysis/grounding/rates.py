"""How many figures of texts got which verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from analysis.models.grounding import Figure, GroundingRate


class Verdicts(NamedTuple):
    """Of one text."""

    supported: int
    contradicted: int
    not_found: int


def verdicts_of(figures: Sequence[Figure]) -> Verdicts:
    """Count a text's figures by verdict."""
    found = [figure.verdict for figure in figures]
    return Verdicts(*(found.count(verdict) for verdict in ("supported", "contradicted", "not_found")))


def grounding_rate(texts: Sequence[Verdicts]) -> GroundingRate:
    """Count the figures of several texts by verdict."""
    supported, contradicted, not_found = map(sum, zip(*texts, strict=True)) if texts else (0, 0, 0)
    return GroundingRate(
        texts=len(texts),
        figures=supported + contradicted + not_found,
        supported=supported,
        contradicted=contradicted,
        not_found=not_found,
    )


def ungrounded_rate(texts: Sequence[Verdicts]) -> float | None:
    """Return (contradicted + not found) / figures; ``None``: the texts hold no figure."""
    rate = grounding_rate(texts)
    return (rate.contradicted + rate.not_found) / rate.figures if rate.figures else None
