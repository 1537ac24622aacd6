"""What commands print with ``--json``: one document each, of these shapes.

A key that is added is no change of a shape; one that is removed or changes its meaning is, and is in the change log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from analysis.ending import Ending, ending_of
from analysis.models import SweepSummary
from analysis.results_folder import HTML_FILE, SUMMARY_FILE
from analysis.stages_io import STAGES_FILE
from contracts.base import Strict
from contracts.manifest import OrderedJob


class ErrorDetails(Strict):
    """Why a command did not do what it was asked."""

    kind: Literal["input", "setup", "incomplete", "usage", "interrupted", "defect"]
    """``input``: what was given is wrong; ``setup``: a part is missing or does not answer; ``incomplete``: a sweep ended
    without all its outcomes; ``usage``: the command line is wrong."""
    message: str
    """As on standard error."""
    exit_code: int


class ErrorDocument(Strict):
    """Of every command, in place of its own document, where the exit code is not that of a result."""

    error: ErrorDetails


class PlanDocument(Strict):
    """What a sweep would do."""

    sweep: str
    sweep_id: str
    """Content hash of the sweep and of the files that it reads."""
    corpus_digest: str
    files: int
    configurations: tuple[dict[str, Any], ...]
    """Each with ``id``, ``name``, ``model``, ``parameters`` and, where there are several, ``agents``."""
    baseline: str | None
    """Name of the configuration that the sweep file makes the baseline."""
    inert: tuple[str, ...]
    """Axes, or values of them, that the server would make one, in words."""
    runs: dict[str, int]
    """``min`` and ``max`` of each configuration."""
    until: dict[str, float] | None
    """Metric → precision, as a fraction, that ends the sweep; ``null``: the number of runs is fixed."""
    max_time: float | None
    """s; no block begins later."""
    job_s: float | None
    """Seconds that a job took when the sweep was last run; ``null``: there is no earlier run in the results folder."""
    jobs_min: int
    jobs_max: int
    jobs: tuple[OrderedJob, ...]
    """Of the start, in their order."""


class ExecutionDocument(Strict):
    """An execution and its results."""

    execution: str | None
    """``null``: the figures were read from a file that does not tell it."""
    sweep: str | None
    status: Literal["reported", "running", "paused", "cancelled"]
    """``reported``: the report is written. Else there is none yet, as with ``cancel --no-wait``."""
    cancelled: str | None = None
    """Why it was ended before its time."""
    folder: str | None = None
    """Of the results; ``null``, as the next three are, where none are written by this command."""
    report: str | None = None
    """Path of ``report.html``."""
    summary: str | None = None
    """Path of ``summary.json``, which holds all figures."""
    stages: str | None = None
    """Path of the stages."""
    ending: Ending | None = None
    """The short table: ranking, what was excluded, verdicts and warnings."""


class ExportDocument(Strict):
    """What was exported."""

    file: str
    format: Literal["jsonl", "csv", "parquet"]
    stages: int
    provenance: tuple[str, ...]
    """Files beside it that tell where the stages come from; of Parquet none, the file holds it."""
    changed: tuple[str, ...]
    """What the format could not take as it was, in words."""


class GroundedFigure(Strict):
    """One figure of a text."""

    figure: str
    context: str
    """The words around it."""
    verdict: str
    """``supported``, ``contradicted`` or ``not_found``."""
    truth: str | None
    """The true value, or where it stands."""


class FindingDetails(Strict):
    """What one part is like."""

    part: str
    good: bool | None
    """``null``: not good, but nothing that stops a sweep."""
    what: str
    advice: str | None
    """What to do where it is not good."""


class DoctorDocument(Strict):
    """What the doctor found."""

    healthy: bool
    """No part is red."""
    findings: tuple[FindingDetails, ...]


class FoundServer(Strict):
    """A model server that answered."""

    url: str
    """Without user and password."""
    kind: Literal["ollama", "openai", "llama.cpp"]
    software: str | None
    models: tuple[str, ...]


class InitDocument(Strict):
    """The sweep file that was written."""

    file: str
    workload: Literal["agent", "agent-pair", "prompts"]
    model: str
    server: FoundServer | None
    """Whose model it is; ``null``: none was found, the file is for the embedded server."""
    looked_at: dict[str, str]
    """Address → what answered there, in words."""
    next: tuple[str, ...]
    """Command lines."""


class VersionDocument(Strict):
    """What is installed."""

    chimera: str | None
    """``null``: it runs from a folder that was not installed."""
    python: str
    platform: str
    packages: dict[str, str]
    """Of those that a measurement depends on: name → version."""


def execution_document(folder: Path, stages: Path | None = None) -> ExecutionDocument:
    """Return the document of a folder that a report was written into; ``stages``: where these are, if not there."""
    summary = SweepSummary.model_validate_json((folder / SUMMARY_FILE).read_bytes())
    return ExecutionDocument(
        execution=summary.execution,
        sweep=summary.sweep,
        status="reported",
        cancelled=summary.cancelled,
        folder=str(folder),
        report=str(folder / HTML_FILE),
        summary=str(folder / SUMMARY_FILE),
        stages=str(stages or folder / STAGES_FILE),
        ending=ending_of(summary),
    )
