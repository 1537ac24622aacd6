"""Whether what a model wrote agrees with the data: docs/grounding.md says by which rules."""

from analysis.grounding.ground import Grounder, ground, grounding_rate, ungrounded_rate
from analysis.grounding.measured import Measured, MeasuredValue, measured_of_run
from analysis.grounding.reading import facts_of, facts_of_files

__all__ = [
    "Grounder",
    "Measured",
    "MeasuredValue",
    "facts_of",
    "facts_of_files",
    "ground",
    "grounding_rate",
    "measured_of_run",
    "ungrounded_rate",
]
