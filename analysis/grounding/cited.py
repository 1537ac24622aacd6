"""Numbers of a text against the measured results and the configuration that it is about."""

from __future__ import annotations

import re
from datetime import date

from analysis.grounding.labels import Claim, rounds_to
from analysis.grounding.layout import Line
from analysis.grounding.measured import Measured
from analysis.grounding.scan import Token
from analysis.grounding.verdict import NOT_FOUND, Judged
from analysis.grounding.words import UNITS, saying, statistic_of, words_of

_PARAMETERS = {"temp": "temperature"}
_SETTING = re.compile(r"([A-Za-z][A-Za-z_]{1,40})[`*\"']{0,3}\s{0,2}[=:]\s{0,2}[`*\"']{0,3}$")
_OWN = (["configuration"], ["config"], ["parameter"], ["setting"])
"""First words of the line or section that tells a text's own configuration."""


class Cited:
    """Measured results by the words of their labels."""

    def __init__(self, measured: Measured) -> None:
        self._parameters = measured.parameters
        self.dates: tuple[date, ...] = measured.dates
        self._values = [
            (saying(words) or frozenset(words), statistic_of(words), words, value)
            for value in measured.values
            if (words := words_of(value.label))
        ]

    def setting(self, text: str, token: Token, heading: str) -> Judged | None:
        """Judge ``num_ctx=1024``, a parameter of the configuration; ``None``: it is none, or perhaps the data's."""
        match = _SETTING.search(text[max(token.line.start, token.start - 60) : token.start])
        if match is None:
            return None
        name = _PARAMETERS.get(match[1].lower(), match[1].lower())
        truth = self._parameters.get(name)
        own = any(words_of(title)[:1] in _OWN for title in (token.line.lead, heading))
        if truth is None:
            # The data's own parameters, of other experiments, are no support for it.
            return NOT_FOUND if own else None
        if rounds_to(float(truth), token.value, 0.0):
            return "supported", f"{name} = {truth:g}"
        # Elsewhere it may be advice, or the data's own.
        return ("contradicted", f"{truth:g}") if own else None

    def value(self, claim: Claim, line: Line) -> Judged | None:
        """Judge a measured figure; ``None``: none has this label.

        Supported where the label's words stand near it and the value rounds to it. Contradicted only where the label
        alone leads the line (or is the row's first cell), with the same unit.
        """
        near = saying(claim.near)
        statistic = statistic_of(claim.near)
        lead = words_of(line.cells[0] if line.header and line.cells else line.lead)
        judged: Judged | None = None
        for words, of, label, value in self._values:
            factor = _factor(value.unit, claim.unit)
            if factor is None or of != statistic or not words <= near.union(claim.near):
                continue
            shown = f"{value.value:g} {value.unit or ''}".rstrip()
            if rounds_to(value.value * factor, claim.value, claim.half):
                return "supported", f"measured: {value.label} {shown}"
            if claim.unit == value.unit and label == lead and near <= words:
                judged = "contradicted", shown
        return judged


def _factor(measured: str | None, claimed: str | None) -> float | None:
    """What a measured value is multiplied with to be in the text's unit; ``None``: another dimension."""
    if claimed is None or measured == claimed:
        return 1.0
    if measured is None or measured not in UNITS or claimed not in UNITS:
        return None
    (dimension, per), (other, of) = UNITS[measured], UNITS[claimed]
    return per / of if dimension == other else None
