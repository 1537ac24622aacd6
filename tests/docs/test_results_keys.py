"""docs/results.md names every column and key that is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from analysis.models import Aggregates, ConfigurationSummary, SweepSummary, ValidAggregates
from contracts.records import StageRecord

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results.md"
NAMED = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "model", [StageRecord, SweepSummary, ConfigurationSummary, Aggregates, ValidAggregates]
)
def test_every_field_is_documented(model: type[BaseModel]) -> None:
    assert set(model.model_fields) - NAMED == set()
