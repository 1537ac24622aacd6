"""What the agent did and wrote in the run that is shown."""

from __future__ import annotations

from analysis.models import ConfigurationSummary, ShownRun
from analysis.rendering.document import Block, Bullet, Bullets, Paragraph, Section, Verbatim
from analysis.rendering.layout.words import NOT_RECORDED
from analysis.rendering.numbers import count, seconds

_NONE_CAPTURED = "None captured"
_NO_RUN = Paragraph("No run of this configuration has any record.")
_BY_MODEL = (
    "Written by the model and not checked against the data: its figures may be invented. "
    "The measured figures are in the tables of this report."
)


def workflow_section(c: ConfigurationSummary) -> Section:
    """Files, execution times, data summary, findings and recommendations of the shown run."""
    shown = c.shown
    if shown is None:
        return Section("Workflow Summary", (_NO_RUN,))
    files = NOT_RECORDED if shown.files_total is None else count(shown.files_total)
    return Section(
        "Workflow Summary",
        (
            Paragraph(f"Of run {shown.run}: {shown.why}."),
            Bullets((Bullet(f"Files analyzed: {files}"), Bullet(f"Execution time: {_execution(shown)}"))),
            Section("Data Summary", (_verbatim(shown.data_summary),)),
            Section("Key Findings", _captured(shown.findings)),
            Section("Recommendations", _captured(shown.recommendations)),
        ),
    )


def technical_report_section(c: ConfigurationSummary) -> Section:
    """The model's text, marked and fenced off."""
    title = "Technical Report (LLM Generated)"
    shown = c.shown
    if shown is None:
        return Section(title, (_NO_RUN,))
    if shown.text is None or shown.text_outcome is None:
        return Section(title, (Paragraph(f"The text of run {shown.run} is {NOT_RECORDED}."),))
    source = f"Run {shown.run}, stage {shown.text_stage}, outcome {shown.text_outcome.value}. {_BY_MODEL}"
    return Section(title, (Paragraph(source), Verbatim(shown.text, by_model=True)))


def _execution(shown: ShownRun) -> str:
    """``20.67s (ingest 0.03s | analysis 9.69s | report 10.95s)``, as the seeds write it."""
    stages = " | ".join(f"{entry.stage} {seconds(entry.duration_ms)}" for entry in shown.stages)
    total = NOT_RECORDED if shown.wall_s is None else f"{shown.wall_s:.2f}s"
    return f"{total} ({stages})"


def _verbatim(text: str | None) -> Block:
    return Verbatim(text) if text else Paragraph(f"The data summary is {NOT_RECORDED}.")


def _captured(texts: tuple[str, ...] | None) -> tuple[Block, ...]:
    if texts is None:
        return (Paragraph("Not recorded."),)
    if not texts:
        return (Bullets((Bullet(_NONE_CAPTURED),)),)
    return (Paragraph("The model's words, not checked:"), Bullets(tuple(Bullet(text) for text in texts)))
