"""Several agents at the same time: slowdown against the same work alone, shared figures, and the legacy ones."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.models import ConfigurationSummary
from analysis.models.pairs import PairConfiguration, PairRun
from contracts.manifest import Manifest


def pairs_of(
    configurations: Sequence[ConfigurationSummary], manifest: Manifest | None
) -> tuple[tuple[PairRun, ...], tuple[PairConfiguration, ...]]:
    """Return the runs of several agents at the same time, and their configurations; empty where there are none."""
    return (), ()
