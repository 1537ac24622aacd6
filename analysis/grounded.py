"""What the model wrote in the runs of one configuration, checked against the ingested data and the run's figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from analysis.grounding import Grounder, grounding_rate, measured_of_run, ungrounded_rate
from analysis.models import GroundingRate, RunFigures, TextGrounding
from analysis.table import Calls
from contracts.records import StageRecord

RecordsOfRun: TypeAlias = Callable[[int], Sequence[StageRecord]]
"""Run → its records, for what is in no row: texts."""


@dataclass(frozen=True)
class Grounded:
    """Every text of a valid call."""

    texts: tuple[TextGrounding, ...] = ()
    rate: GroundingRate | None = None
    """``None``: nothing could be checked."""

    def of_run(self, run: int) -> tuple[TextGrounding, ...]:
        return tuple(self._by_run.get(run, ()))

    @cached_property
    def _by_run(self) -> dict[int, list[TextGrounding]]:
        found: dict[int, list[TextGrounding]] = {}
        for text in self.texts:
            found.setdefault(text.run, []).append(text)
        return found

    def rated(self, runs: Sequence[RunFigures]) -> tuple[RunFigures, ...]:
        """Return the runs with the fraction of their figures that is not supported."""
        if self.rate is None:
            return tuple(runs)
        return tuple(replace(run, ungrounded_rate=ungrounded_rate(self.of_run(run.run))) for run in runs)


def ground_texts(
    valid: Calls,
    runs: Sequence[RunFigures],
    parameters: Mapping[str, int | float] | None,
    grounder: Grounder | None,
    records: RecordsOfRun,
) -> Grounded:
    """Check the texts of the valid calls; nothing where ``grounder`` is ``None``: the data are not known."""
    if grounder is None:
        return Grounded()
    figures = {run.run: run for run in runs}
    texts: list[TextGrounding] = []
    for run, rows in valid.by_run().items():
        calls = Calls(rows)
        stages = [stage for stage, has_text in zip(calls.stage, calls.has_text, strict=True) if has_text]
        if not stages:
            continue
        of_run = grounder.with_measured(measured_of_run(figures[run], parameters, len(runs)))
        written = {record.stage: record.text for record in records(run) if record.phase == "measured"}
        texts += [
            TextGrounding(run=run, stage=stage, figures=of_run.ground(text))
            for stage in stages
            if (text := written.get(stage))
        ]
    return Grounded(tuple(texts), grounding_rate(texts) if texts else None)
