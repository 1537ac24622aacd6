"""The second seed's own report against the one made from its calls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analysis.rendering.layout import agent_report
from analysis.rendering.markdown import render_document
from analysis.stages_io import read_stages
from analysis.summary import summarise_records

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
STAGES = SHARED / "oracles" / "seed_001_stages.csv"
pytestmark = pytest.mark.skipif(not STAGES.is_file(), reason=f"not here: {STAGES}")
SEED = next(iter((SHARED / "seeds").glob("001_*.txt")), None) if (SHARED / "seeds").is_dir() else None


@pytest.fixture(scope="module")
def markdown() -> str:
    summary = summarise_records(read_stages(STAGES))
    (insight,) = [c for c in summary.configurations if c.agent == "insight"]
    return render_document(agent_report(insight, summary, "You are InsightAgent."))


def test_every_metric_to_the_printed_digit(markdown: str) -> None:
    for line in (
        *("- Throughput: 41.89 tok/s", "- TTFT: 657.74 ms", "- Total Duration: 55563.54 ms"),
        *("- Tokens Generated: 2235", "- Prompt Eval: 796.84 ms", "- Eval Duration: 53326.57 ms"),
        "- Load Duration: 500.91 ms",
    ):
        assert line in markdown.splitlines(), line
        assert SEED is None or line in SEED.read_text(encoding="utf-8").splitlines(), line


def test_sections_in_the_seeds_order(markdown: str) -> None:
    outside = re.sub(r"```text\n.*?\n```", "", markdown, flags=re.DOTALL)
    titles = [line for line in outside.splitlines() if line.startswith(("# ", "## "))]
    assert titles == [
        "# Chimera Agent insight",
        "## Technical Report: Chimera Agent insight Analysis",
        *("## Workflow Summary", "## Metrics", "## Key Findings", "## Recommendations", "## Persona Prompt"),
        "## Provenance",
    ]
    assert "```text\nYou are InsightAgent.\n```" in markdown


def test_one_run_shows_no_spread(markdown: str) -> None:
    assert "- Throughput: 41.91 tok/s (one run)" in markdown  # Σ tokens / Σ eval time, not the mean of rates
    assert "- Execution time: 55.59s (analysis 25.27s | report 30.29s)" in markdown
