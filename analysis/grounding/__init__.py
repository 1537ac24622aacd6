"""Whether what a model wrote agrees with the data: docs/grounding.md says by which rules."""

from analysis.grounding.ground import Grounder, ground
from analysis.grounding.measured import Measured, MeasuredValue, measured_of_run
from analysis.grounding.rates import Verdicts, grounding_rate, ungrounded_rate, verdicts_of
from analysis.grounding.reading import facts_of, facts_of_files

__all__ = [
    "Grounder",
    "Measured",
    "MeasuredValue",
    "Verdicts",
    "facts_of",
    "facts_of_files",
    "ground",
    "grounding_rate",
    "measured_of_run",
    "ungrounded_rate",
    "verdicts_of",
]
