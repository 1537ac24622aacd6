"""The model's analysis answer → analysis text, findings, recommendations; tolerant, and never raises.

Tried in this order: a JSON object (bare, fenced, or inside prose); a JSON object that was cut off;
Markdown with headings and lists. Every step is linear in the length of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from worker.workloads.agent.answer_json import from_cut_json, from_json
from worker.workloads.agent.answer_lines import items
from worker.workloads.agent.answer_markdown import from_markdown
from worker.workloads.agent.text import block

MAX_ANALYSIS_CHARS = 6_000
MAX_ANSWER_CHARS = 100_000
"""What stands beyond it is not looked at."""


@dataclass(frozen=True)
class Answer:
    """What the answer holds; empty where it holds nothing of the kind."""

    analysis: str = ""
    findings: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()


def parse_answer(text: str) -> Answer:
    """Return what ``text`` holds; at most 10 findings and 10 recommendations of 300 characters each."""
    text = text[:MAX_ANSWER_CHARS]
    raw = from_json(text) or from_cut_json(text) or from_markdown(text)
    seen: set[str] = set()
    return Answer(
        analysis=block(raw.analysis, MAX_ANALYSIS_CHARS).strip(),
        findings=items(raw.findings, seen),
        recommendations=items(raw.recommendations, seen),
    )
