"""A results folder: ``manifest.json``, ``stages.jsonl``, ``facts.json``, ``summary.json`` and the reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from analysis.files import write_atomically, write_parts
from analysis.models import SweepSummary
from analysis.rendering import render_reports
from analysis.rendering.each import FOLDERS, Layout, render_each
from analysis.rendering.json_lines import json_parts
from analysis.stages_io import STAGES_FILE, read_stages
from contracts.facts import Facts
from contracts.failures import InputError
from contracts.manifest import Manifest
from contracts.records import StageRecord

MANIFEST_FILE = "manifest.json"
FACTS_FILE = "facts.json"
SUMMARY_FILE = "summary.json"
MARKDOWN_FILE = "report.md"
HTML_FILE = "report.html"

Model = TypeVar("Model", bound=BaseModel)


def read_results(path: Path) -> tuple[list[StageRecord], Manifest | None]:
    """Read what an offline report needs: a results folder, its ``stages.jsonl``, or any results file.

    The manifest is read for the first two, if it is there.

    Raises:
        InputError: one line that names the file and what is wrong; also where stages and manifest are of
            different executions.
    """
    records = read_stages(path)
    folder = path if path.is_dir() else path.parent
    if path.is_file() and path.name != STAGES_FILE:
        return records, None
    manifest = read_manifest(folder / MANIFEST_FILE) if (folder / MANIFEST_FILE).is_file() else None
    for record in records:
        check_execution(folder / STAGES_FILE, record, manifest)
    return records, manifest


def check_execution(stages: Path, record: StageRecord, manifest: Manifest | None) -> None:
    """Refuse a record of another execution than the manifest's.

    Raises:
        InputError: it is one.
    """
    if manifest is not None and record.execution not in (None, manifest.execution):
        raise InputError(
            f"{stages}: is of execution {record.execution}, but {MANIFEST_FILE} beside it is of {manifest.execution}"
        )


def read_facts(results: Path) -> Facts | None:
    """Read what is known of the ingested files, beside the stages; ``None``: nothing is.

    Raises:
        InputError: one line that names the file and what is wrong.
    """
    if results.is_file() and results.name != STAGES_FILE:
        return None
    path = (results if results.is_dir() else results.parent) / FACTS_FILE
    return _model(path, Facts) if path.is_file() else None


def read_manifest(path: Path) -> Manifest:
    """Read a ``manifest.json``.

    Raises:
        InputError: one line that names the file and the key.
    """
    return _model(path, Manifest)


def _model(path: Path, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror or error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}{f', key {key!r}' if key else ''}: {first['msg']}") from None


def documents(summary: SweepSummary) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield file name and text, in parts, of the summary and then of both reports: they may be large."""
    yield SUMMARY_FILE, json_parts(summary)
    markdown, html = render_reports(summary)
    yield MARKDOWN_FILE, (markdown,)
    yield HTML_FILE, (html,)


def write_report(summary: SweepSummary, folder: Path) -> list[Path]:
    """Write ``summary.json``, ``report.md`` and ``report.html``, each atomically; return their paths.

    The folder is made if it is missing.

    Raises:
        OSError: the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, parts in documents(summary):
        write_parts(folder / name, (part.encode() for part in parts))
        paths.append(folder / name)
    return paths


def write_each(summary: SweepSummary, folder: Path, layout: Layout) -> None:
    """Write one Markdown file for each configuration and agent into a subfolder.

    Raises:
        OSError: the folder can't be written.
    """
    into = folder / FOLDERS[layout]
    into.mkdir(parents=True, exist_ok=True)
    for name, text in render_each(summary, layout).items():
        write_atomically(into / name, text)
