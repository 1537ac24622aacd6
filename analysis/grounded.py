"""What the model wrote in the runs of one configuration, checked against the ingested data and the run's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.grounding import Grounder, grounding_rate, measured_of_run, ungrounded_rate
from analysis.models import Call, GroundingRate, RunFigures, TextGrounding
from contracts.records import StageRecord


@dataclass(frozen=True)
class Grounded:
    """Every text of a valid call."""

    texts: tuple[TextGrounding, ...] = ()
    rate: GroundingRate | None = None
    """``None``: nothing could be checked."""

    def of_run(self, run: int) -> tuple[TextGrounding, ...]:
        return tuple(text for text in self.texts if text.run == run)

    def rated(self, runs: Sequence[RunFigures]) -> tuple[RunFigures, ...]:
        """Return the runs with the fraction of their figures that is not supported."""
        return tuple(
            run.model_copy(update={"ungrounded_rate": ungrounded_rate(self.of_run(run.run))}) for run in runs
        )


def ground_texts(
    calls: Sequence[Call],
    records: Sequence[StageRecord],
    runs: Sequence[RunFigures],
    parameters: Mapping[str, int | float] | None,
    grounder: Grounder | None,
) -> Grounded:
    """Check the texts of the valid calls; nothing where ``grounder`` is ``None``: the data are not known."""
    if grounder is None:
        return Grounded()
    by_run = {run.run: grounder.with_measured(measured_of_run(run, parameters, len(runs))) for run in runs}
    texts = tuple(
        TextGrounding(run=call.run, stage=call.stage, figures=by_run[call.run].ground(record.text))
        for call, record in zip(calls, records, strict=True)
        if call.valid and record.text
    )
    return Grounded(texts, grounding_rate(texts) if texts else None)
