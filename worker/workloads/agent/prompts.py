"""The agent's versioned prompt files, filled. What a file or a model wrote is never expanded again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from contracts.job import PROMPTS_VERSION
from contracts.outcome import IngestResult
from worker.workloads.agent.findings import Answer

NONE_CAPTURED = "None captured"
"""What stands where a list or text is empty."""


@dataclass(frozen=True)
class Prompts:
    """The files of one version: templates with ``$name`` places, and the schema of the analysis."""

    analysis_template: Template
    report_template: Template
    persona_template: Template
    """Of the report by an agent whose persona says what it writes."""
    answer_schema: dict[str, Any]

    def analysis(self, digest: str) -> str:
        """Return the prompt of the analysis call."""
        return self.analysis_template.substitute(digest=digest)

    def report(self, ingest: IngestResult, digest: str, answer: Answer, *, persona: bool = False) -> str:
        """Return the prompt of the report call: counts by type, digest, and what the analysis said.

        ``persona``: the system prompt says what is to be written; without one the prompt names the sections.
        """
        template = self.persona_template if persona else self.report_template
        return template.substitute(
            files=ingest.files_total,
            csv=ingest.counts.get("csv", 0),
            json=ingest.counts.get("json", 0),
            markdown=ingest.counts.get("md", 0),
            digest=digest,
            analysis=answer.analysis or NONE_CAPTURED,
            findings=_bullets(answer.findings),
            recommendations=_bullets(answer.recommendations),
        )


@cache
def load_prompts(version: str = PROMPTS_VERSION) -> Prompts:
    """Return the prompts of a version.

    Raises:
        FileNotFoundError: this installation has no such version.
    """
    folder = Path(__file__).parent / "prompts" / f"v{version}"

    def text(name: str) -> str:
        # To the letter: a small model answers otherwise to a prompt without its last line break.
        return (folder / name).read_text(encoding="utf-8")

    return Prompts(
        Template(text("analysis.txt")),
        Template(text("report.txt")),
        Template(text("report_persona.txt")),
        json.loads(text("findings.schema.json")),
    )


def _bullets(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items) or NONE_CAPTURED
