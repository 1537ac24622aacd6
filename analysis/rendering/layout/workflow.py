"""What the agent did and wrote in the run that is shown."""

from __future__ import annotations

from analysis.models import ConfigurationSummary, ShownRun
from analysis.rendering.document import Block, Bullet, Bullets, Paragraph, Section, Verbatim
from analysis.rendering.layout.grounding import checked_words, grounding_of, marks
from analysis.rendering.layout.words import NOT_RECORDED
from analysis.rendering.numbers import count, seconds
from contracts.records import LOAD_STAGE, REQUEST_STAGE

_NONE_CAPTURED = "None captured"
_NO_RUN = Paragraph("No run of this configuration has any record.")
_BY_MODEL = (
    "Written by the model and not checked against the data: its figures may be invented. "
    "The measured figures are in the tables of this report."
)
_CHECKED = "Written by the model. {} The measured figures are in the tables of this report."
_WORDS = "The model's words, not Chimera's findings:"


def workflow_section(c: ConfigurationSummary) -> Section:
    """Files, execution times, data summary, findings and recommendations of the shown run."""
    shown = c.shown
    if shown is None:
        return Section("Workflow Summary", (_NO_RUN,))
    return Section(
        "Workflow Summary",
        (
            *summary_blocks(shown),
            Section("Key Findings", captured(shown.findings)),
            Section("Recommendations", captured(shown.recommendations)),
        ),
    )


def summary_blocks(shown: ShownRun) -> tuple[Block, ...]:
    """Which run is shown, its files and times, and the data summary; of a load its time alone."""
    if any(entry.stage in (LOAD_STAGE, REQUEST_STAGE) for entry in shown.stages):
        return (
            Paragraph(f"Of run {shown.run}."),
            Bullets((Bullet(f"Execution time: {_execution(shown)}"),)),
        )
    files = NOT_RECORDED if shown.files_total is None else count(shown.files_total)
    return (
        Paragraph(f"Of run {shown.run}: {shown.why}."),
        Bullets((Bullet(f"Files analyzed: {files}"), Bullet(f"Execution time: {_execution(shown)}"))),
        Section("Data Summary", (_verbatim(shown.data_summary),)),
    )


def technical_report_section(c: ConfigurationSummary) -> Section:
    """The model's text, marked and fenced off."""
    return Section("Technical Report (LLM Generated)", text_blocks(c))


def text_blocks(c: ConfigurationSummary) -> tuple[Block, ...]:
    """Where the shown text is from, whether it was checked, and the text."""
    shown = c.shown
    if shown is None:
        return (_NO_RUN,)
    if shown.text is None or shown.text_outcome is None:
        return (Paragraph(f"The text of run {shown.run} is {NOT_RECORDED}."),)
    checked = grounding_of(c, shown.run, shown.text_stage)
    by = _BY_MODEL if checked is None else _CHECKED.format(checked_words(checked))
    source = f"Run {shown.run}, stage {shown.text_stage}, outcome {shown.text_outcome.value}. {by}"
    return (Paragraph(source), Verbatim(shown.text, by_model=True, marks=marks(checked)))


def captured(texts: tuple[str, ...] | None) -> tuple[Block, ...]:
    """What was parsed from the model's answer, marked as the model's."""
    if texts is None:
        return (Paragraph("Not recorded."),)
    if not texts:
        return (Bullets((Bullet(_NONE_CAPTURED),)),)
    return (Paragraph(_WORDS), Bullets(tuple(Bullet(text) for text in texts)))


def _execution(shown: ShownRun) -> str:
    """``20.67s (ingest 0.03s | analysis 9.69s | report 10.95s)``, as the seeds write it.

    The requests of a load are its parts, at the same time: hundreds, whose times don't add up to it.
    """
    stages = " | ".join(
        f"{entry.stage} {seconds(entry.duration_ms)}"
        for entry in shown.stages
        if entry.stage != REQUEST_STAGE
    )
    total = NOT_RECORDED if shown.wall_s is None else f"{shown.wall_s:.2f}s"
    return f"{total} ({stages})" if stages else total


def _verbatim(text: str | None) -> Block:
    return Verbatim(text) if text else Paragraph(f"The data summary is {NOT_RECORDED}.")
