"""Which runs are worth making next: the seam between what is known and what is published.

A :class:`~analysis.design.protocol.Design` is told what is known, and asked for the next blocks. Fixed numbers of
runs and running until precise are two of them; a search over the axes would be a third. All are pure: no clock, no
store, no messages.
"""

from analysis.design.choice import design_of
from analysis.design.fixed import FixedRuns
from analysis.design.protocol import Block, Decision, Design, Known, Measured, Request
from analysis.design.reached import precision
from analysis.design.until_precise import UntilPrecise

__all__ = [
    "Block",
    "Decision",
    "Design",
    "FixedRuns",
    "Known",
    "Measured",
    "Request",
    "UntilPrecise",
    "design_of",
    "precision",
]
