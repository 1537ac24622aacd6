"""The models of ``compare.json``. Values are unrounded; a ``None`` is not known and never a 0."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal, get_args

from analysis.metrics import BY_KEY
from analysis.models import Comparison, SweepFloor
from analysis.models.provenance import Provenance
from contracts.base import Strict

COMPARISON_VERSION: Final = 1
"""Raised when a field changes its meaning."""

Allowable = Literal[
    "workload",
    "warmup",
    "model",
    "parameters",
    "context",
    "server",
    "server-version",
    "pool",
    "hardware",
]
"""What may differ where ``--allow`` names it."""

ALLOWABLE: tuple[Allowable, ...] = get_args(Allowable)

State = Literal["same", "differs", "not known"]


class Condition(Strict):
    """One thing that must be the same in both results, or that a reader should know to differ."""

    what: str
    allow: Allowable | None
    """Name in ``--allow``; ``None``: it may differ, and is said."""
    baseline: tuple[str, ...]
    """Several: not the same in all runs. Empty: not known."""
    candidate: tuple[str, ...]
    state: State
    allowed: bool = False
    """Differs, and ``--allow`` names it."""

    @property
    def forbids(self) -> bool:
        """Whether the results can't be compared for it."""
        return self.state == "differs" and self.allow is not None and not self.allowed


class Match(Strict):
    """One configuration in both results."""

    agent: str
    baseline: str
    """Configuration's name, as is candidate."""
    candidate: str
    by: Literal["id", "parameters", "name"]
    """``id``: model and parameters are the same. ``parameters``: another model, the same parameters."""


class Unmatched(Strict):
    """A configuration that only one result holds."""

    agent: str
    config: str


class Threshold(Strict):
    """One ``--fail-on``."""

    metric: str
    """Key of :mod:`analysis.metrics`."""
    percent: float
    """Signed: the change beyond which a significant worsening is a regression."""

    @property
    def text(self) -> str:
        """``throughput:-3%``, as it is written on the command line."""
        return f"{BY_KEY[self.metric].short}:{self.percent:+g}%"


class Regression(Strict):
    """A significant difference for the worse whose estimate is beyond the threshold."""

    agent: str
    baseline: str
    candidate: str
    percent: float | None
    """``None``: the baseline is 0, any worsening is beyond any per cent."""
    whole_interval: bool | None
    """Whether all of its interval is beyond the threshold too; ``None``: there is none."""


class Gate(Strict):
    """What became of one ``--fail-on``."""

    threshold: Threshold
    tested: int
    """Comparisons of the metric that were tested."""
    untested: tuple[Unmatched, ...] = ()
    """Matched configurations of which the metric could not be tested."""
    blunt: tuple[Unmatched, ...] = ()
    """Those without a difference shown, whose runs would have shown only a larger one than the threshold."""
    regressions: tuple[Regression, ...] = ()


class ComparisonOfResults(Strict):
    """The content of ``compare.json``."""

    schema_version: Literal[1] = COMPARISON_VERSION
    name: str
    """By the convention of :mod:`analysis.naming`; the sweep's part is ``<baseline>-vs-<candidate>``."""
    made_at: datetime
    """UTC."""
    chimera: str | None
    """Version that compared."""
    command: str
    """How to compare again."""
    baseline: Provenance
    candidate: Provenance
    comparable: bool
    conditions: tuple[Condition, ...]
    matched: tuple[Match, ...]
    only_baseline: tuple[Unmatched, ...] = ()
    only_candidate: tuple[Unmatched, ...] = ()
    floor: SweepFloor | None
    """The larger of both results'; ``None``: not known of either."""
    comparisons: tuple[Comparison, ...] = ()
    """Empty where the results are not comparable."""
    tests: int
    """Size of the family that the p-values are adjusted for."""
    gates: tuple[Gate, ...] = ()
    warnings: tuple[str, ...] = ()
    untested: str | None = None
    """Why no comparison was tested, where none was: then the exit code 0 says nothing of a difference."""
    why_not: tuple[str, ...] = ()
    """Why they are not comparable, a sentence each with what would allow it."""

    @property
    def regressions(self) -> int:
        """How many regressions all gates found."""
        return sum(len(gate.regressions) for gate in self.gates)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the exit code is 2, or what 0 does not say: a sentence each."""
        return (
            *((self.untested,) if self.untested else ()),
            *(f"not comparable: {why}" for why in self.why_not),
            *(
                f"--fail-on {gate.threshold.text}: could not be checked: the metric could be tested in no configuration"
                for gate in self.gates
                if not gate.tested
            ),
        )

    @property
    def exit_code(self) -> Literal[0, 1, 2]:
        """1: a regression; 2: not comparable, or a gate that could be tested nowhere; else 0."""
        if not self.comparable:
            return 2
        if self.regressions:
            return 1
        return 2 if any(not gate.tested for gate in self.gates) else 0
