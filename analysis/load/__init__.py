"""Figures of loads: what a run came to, and what is made of several (docs/load.md)."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.load.described import load_configurations
from analysis.load.saturation import saturations_of
from analysis.models import ConfigurationSummary
from analysis.models.load import LoadConfiguration, Saturation
from contracts.manifest import Manifest


def loads_of(
    configurations: Sequence[ConfigurationSummary], manifest: Manifest | None
) -> tuple[tuple[LoadConfiguration, ...], tuple[Saturation, ...]]:
    """Return the loads over their runs, and where each model saturates; empty where there are none."""
    loads = load_configurations(configurations, manifest)
    return loads, saturations_of(configurations, loads, manifest)
