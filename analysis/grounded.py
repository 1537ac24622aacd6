"""What the model wrote in the runs of one configuration, checked against the ingested data and the run's figures.

Checking a text takes milliseconds, and a summary needs no more of most than how many figures got which verdict. So a run
can be checked when its outcome arrives (:func:`check_ahead`), long before its configuration is summarised. What was found
then is used only where it was found against the same: the key of it is of all that the verdicts depend on beside the facts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import msgpack

from analysis.grounding import (
    Grounder,
    Verdicts,
    grounding_rate,
    measured_of_run,
    ungrounded_rate,
    verdicts_of,
)
from analysis.models import GroundingRate, RunFigures, TextGrounding
from analysis.table import Calls
from contracts.records import StageRecord

RULES = 1
"""Raised when the rules of checking change: what other rules found ahead is not used."""
RecordsOfRun: TypeAlias = Callable[[int], Sequence[StageRecord]]
"""Run → its records, for what is in no row: texts."""


@dataclass(frozen=True)
class Grounded:
    """Every text of a valid call."""

    verdicts: Mapping[int, Sequence[Verdicts]]
    """Run → those of each text."""
    shown: tuple[TextGrounding, ...] = ()
    """The texts of the run that is shown, in full."""

    @property
    def rate(self) -> GroundingRate | None:
        """All texts' figures by verdict; ``None``: nothing could be checked."""
        texts = [text for of_run in self.verdicts.values() for text in of_run]
        return grounding_rate(texts) if texts else None

    def rated(self, runs: Sequence[RunFigures]) -> tuple[RunFigures, ...]:
        """Return the runs with the fraction of their figures that is not supported; unknown where they hold none."""
        return tuple(
            replace(run, ungrounded_rate=ungrounded_rate(self.verdicts.get(run.run, ()))) for run in runs
        )


def ground_texts(
    valid: Calls,
    runs: Sequence[RunFigures],
    parameters: Mapping[str, int | float] | None,
    grounder: Grounder | None,
    records: RecordsOfRun,
    *,
    shown: int | None = None,
    ahead: Mapping[int, bytes] | None = None,
) -> Grounded:
    """Check the texts of the valid calls; nothing where ``grounder`` is ``None``: the data are not known.

    ``shown``: the run whose texts are wanted in full. ``ahead``: run → what :func:`check_ahead` found of it.
    """
    if grounder is None:
        return Grounded({})
    figures = {run.run: run for run in runs}
    verdicts: dict[int, Sequence[Verdicts]] = {}
    in_full: tuple[TextGrounding, ...] = ()
    for run, rows in valid.by_run().items():
        calls = Calls(rows)
        if not any(calls.has_text):
            continue
        found = None
        if run != shown and ahead and run in ahead:
            found = _found(ahead[run], _key(calls, figures[run], parameters, len(runs)))
        if found is None:
            texts = _texts(run, calls, figures[run], parameters, len(runs), grounder, records)
            found = [verdicts_of(text.figures) for text in texts]
            in_full = texts if run == shown else in_full
        if found:
            verdicts[run] = found
    return Grounded(verdicts, in_full)


def check_ahead(
    valid: Calls,
    figures: RunFigures,
    parameters: Mapping[str, int | float] | None,
    runs: int,
    grounder: Grounder,
    records: Sequence[StageRecord],
) -> bytes:
    """Check the texts of one run's valid calls, for :func:`ground_texts`; ``runs``: how many its configuration will have."""
    texts = _texts(figures.run, valid, figures, parameters, runs, grounder, lambda _: records)
    packed: bytes = msgpack.packb(
        (_key(valid, figures, parameters, runs), [verdicts_of(text.figures) for text in texts])
    )
    return packed


def _texts(
    run: int,
    calls: Calls,
    figures: RunFigures,
    parameters: Mapping[str, int | float] | None,
    runs: int,
    grounder: Grounder,
    records: RecordsOfRun,
) -> tuple[TextGrounding, ...]:
    of_run = grounder.with_measured(measured_of_run(figures, parameters, runs))
    written = {record.stage: record.text for record in records(run) if record.phase == "measured"}
    return tuple(
        TextGrounding(run=run, stage=stage, figures=of_run.ground(text))
        for stage, has_text in zip(calls.stage, calls.has_text, strict=True)
        if has_text and (text := written.get(stage))
    )


def _key(calls: Calls, figures: RunFigures, parameters: Mapping[str, int | float] | None, runs: int) -> bytes:
    """Return the digest of what the verdicts depend on: the texts, and what :func:`measured_of_run` is made of.

    Empty where a text has no hash.
    """
    if any(text and not hashed for text, hashed in zip(calls.has_text, calls.text_hash, strict=True)):
        return b""
    made: tuple[Any, ...] = (
        RULES,
        runs,
        sorted((parameters or {}).items()),
        *(figures.throughput_tok_s, figures.mean_of_rates_tok_s, figures.ttft_ms, figures.itl_ms),
        *(figures.duration_ms, figures.tokens, figures.started_at),
        *zip(calls.stage, calls.has_text, calls.text_hash, strict=True),
    )
    return hashlib.blake2b(repr(made).encode(), digest_size=12).digest()


def _found(packed: bytes, key: bytes) -> list[Verdicts] | None:
    of, verdicts = msgpack.unpackb(packed)
    return [Verdicts(*one) for one in verdicts] if key and of == key else None
