"""What the factories of ``tests/unit/analysis/conftest.py`` are: keywords override what they make by default."""

from __future__ import annotations

from collections.abc import Callable

from contracts.manifest import Manifest
from contracts.outcome import JobOutcome
from contracts.records import StageRecord

RecordFactory = Callable[..., StageRecord]
OutcomeFactory = Callable[..., JobOutcome]
ManifestFactory = Callable[..., Manifest]
