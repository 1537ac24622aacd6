"""docs/results.md names every column and key that is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from analysis.models import Aggregates, ConfigurationSummary, SweepSummary, ValidAggregates
from contracts.records import StageRecord

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
NAMED = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "results.md").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "model", [StageRecord, SweepSummary, ConfigurationSummary, Aggregates, ValidAggregates]
)
def test_every_field_is_documented(model: type[BaseModel]) -> None:
    assert set(model.model_fields) - NAMED == set()


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", *DOCS])
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []
