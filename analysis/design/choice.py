"""Sweep file → design."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.design.fixed import FixedRuns
from analysis.design.protocol import Design
from analysis.design.until_precise import UntilPrecise
from contracts.configuration import Configuration
from contracts.sweep import SweepSpec


def design_of(spec: SweepSpec, configurations: Sequence[Configuration]) -> Design:
    """Return the design that the sweep asks for, told nothing yet."""
    if spec.until_precise is None:
        return FixedRuns(configurations, spec.first_runs)
    return UntilPrecise(configurations, spec.until_precise)
