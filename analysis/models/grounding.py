"""Whether what a model wrote agrees with the data."""

from __future__ import annotations

from typing import Literal

from contracts.base import Strict

GroundingVerdict = Literal["supported", "contradicted", "not_found"]
FigureKind = Literal["number", "file_count", "date", "file_name"]


class Figure(Strict):
    """One number, file count, date or file name of a text."""

    figure: str
    """As written."""
    kind: FigureKind
    context: str
    """The words around it, on one line."""
    verdict: GroundingVerdict
    truth: str | None
    """Of a contradicted one the true value; of a supported one where it stands; ``None``: not found."""
    start: int
    """Offset in the text, characters, as is end (exclusive)."""
    end: int


class TextGrounding(Strict):
    """The figures of one text."""

    run: int
    stage: str
    figures: tuple[Figure, ...]


class GroundingRate(Strict):
    """Figures in all valid texts of a configuration."""

    texts: int
    figures: int
    supported: int
    contradicted: int
    not_found: int
