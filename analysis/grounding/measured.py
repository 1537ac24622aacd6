"""What was measured, as far as a text may cite it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pydantic import Field

from analysis.models.calls import RunFigures
from contracts.base import Strict


class MeasuredValue(Strict):
    """One measured figure."""

    label: str
    """As people write it: ``Average TTFT``. A line with this label alone and another value is contradicted."""
    value: float
    unit: str | None = None
    """``ms``, ``tok/s``, ``s``, ``%``, …; ``None``: a count or plain ratio."""


class Measured(Strict):
    """The measured results that stand behind a text."""

    values: tuple[MeasuredValue, ...] = ()
    parameters: dict[str, int | float] = Field(default_factory=dict)
    """Parameters of the configuration that were sent, by their names in the sweep file."""
    dates: tuple[date, ...] = ()
    """Days (UTC) of the measurement: the only right ones for the text's own date."""


def measured_of_run(
    figures: RunFigures | None, parameters: Mapping[str, int | float] | None, runs: int | None = None
) -> Measured:
    """Return what is known of one run and its configuration; what is not known is left out."""
    values: list[MeasuredValue] = []

    def add(label: str, value: float | None, unit: str | None) -> None:
        if value is not None:
            values.append(MeasuredValue(label=label, value=value, unit=unit))

    if figures is not None:
        add("Throughput", figures.throughput_tok_s, "tok/s")
        add("Average Throughput", figures.mean_of_rates_tok_s, "tok/s")
        add("TTFT", figures.ttft_ms, "ms")
        add("ITL", figures.itl_ms, "ms")
        add("Total Duration", figures.duration_ms, "ms")
        add("Tokens Generated", figures.tokens, None)
    add("Runs", runs, None)
    started = figures.started_at if figures is not None else None
    return Measured(
        values=tuple(values), parameters=dict(parameters or {}), dates=(started.date(),) if started else ()
    )
