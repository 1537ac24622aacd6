"""Configurations with given figures of their runs, as far as statistics over runs look at them; no records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.models import ConfigurationSummary, OverRuns, RunFigures


def run(number: int, figures: Mapping[str, float | None], **fields: object) -> RunFigures:
    """Return one complete run with figures by metric's key; ``fields`` override its place."""
    none: dict[str, Any] = {"throughput_tok_s": None, "ttft_ms": None}
    made = {"run": number, "block": number, "complete": True, "calls": 2, "valid_calls": 2} | fields
    return RunFigures(**(none | dict(figures) | made))


def configuration(
    name: str,
    runs: Sequence[RunFigures],
    parameters: Mapping[str, int | float] | None = None,
    *,
    model: str | None = "m:1",
    agent: str = "chimera",
) -> ConfigurationSummary:
    """Return what :mod:`analysis.comparisons`, ``main_effects`` and ``host_effects`` read of a summary."""
    over_runs: dict[str, Any] = {"throughput_method": "tokens_over_eval_time", "runs": tuple(runs)}
    read: dict[str, Any] = {
        "config": name,
        "agent": agent,
        "model": model,
        "parameters": None if parameters is None else dict(parameters),
        "runs_complete": sum(one.complete for one in runs),
        "over_runs": OverRuns.model_construct(**over_runs),
        "calls": (),
    }
    return ConfigurationSummary.model_construct(**read)
