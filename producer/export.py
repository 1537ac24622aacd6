"""``chimera export``: results → JSON lines, CSV or Parquet, with their provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from analysis.export import Changed, csv_text, parquet_bytes, read_parquet
from analysis.files import json_text, write_atomically
from analysis.provenance import Provenance, provenance_of_records
from analysis.results_folder import read_results
from analysis.stages_io import write_stages
from contracts.failures import InputError, SetupError
from contracts.manifest import Manifest
from contracts.records import StageRecord
from producer.documents import ExportDocument

Format = Literal["jsonl", "csv", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)


def export(results: Path, out: Path | None, form: Format | None) -> ExportDocument:
    """Write the stages of ``results`` and return what was written.

    ``form`` defaults to the ending of ``out``; ``out`` to the result's name in this folder, and where it is a
    folder, to that name in it. A Parquet file holds its provenance; beside the others stands
    ``<file>.provenance.json``.

    Raises:
        InputError: the results can't be read, no format is told, or ``form`` contradicts the ending of ``out``.
        SetupError: the disk takes no more, or pyarrow is not installed.
    """
    form = _format(out, form)
    records, manifest = _read(results)
    made = provenance_of_records(records, manifest)
    path = _path(out, made, form)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        changed, written = _write(path, form, records, made)
    except OSError as error:
        raise SetupError(
            f"can't write {path}: {error.strerror or error}; give another place with --out"
        ) from None
    return ExportDocument(
        file=str(path),
        format=form,
        stages=len(records),
        provenance=tuple(map(str, written)),
        changed=tuple(changed.sentences()),
    )


def in_words(exported: ExportDocument) -> list[str]:
    """Return the lines that say what was written."""
    return [
        f"{exported.stages} stages: {exported.file}",
        *(f"provenance: {path}" for path in exported.provenance),
        *exported.changed,
    ]


def _read(results: Path) -> tuple[list[StageRecord], Manifest | None]:
    if results.is_file() and results.suffix == ".parquet":
        return read_parquet(results), None
    return read_results(results)


def _format(out: Path | None, asked: Format | None) -> Format:
    ending = "" if out is None or out.is_dir() else out.suffix.removeprefix(".").lower()
    told = next((known for known in FORMATS if known == ending), None)
    if asked is not None and told is not None and asked != told:
        raise InputError(
            f"--out {out} is a {told} file by its ending, but --format says {asked}; give one of them"
        )
    form = asked or told
    if form is not None:
        return form
    if ending:
        known = ", ".join(f".{name}" for name in FORMATS)
        raise InputError(
            f"--out {out}: the ending .{ending} is unknown; the known ones are {known}, or give --format "
            f"{'|'.join(FORMATS)}"
        )
    raise InputError(f"which format? Give --format {'|'.join(FORMATS)}, or --out FILE with that ending")


def _path(out: Path | None, made: Provenance, form: Format) -> Path:
    if out is not None and not out.is_dir():
        return out
    return (out or Path()) / f"{made.name or 'stages'}.{form}"


def _write(
    path: Path, form: Format, records: list[StageRecord], made: Provenance
) -> tuple[Changed, list[Path]]:
    changed = Changed()
    if form == "parquet":
        content, changed = parquet_bytes(records, made)
        write_atomically(path, content)
        return changed, []
    if form == "csv":
        text, changed = csv_text(records)
        write_atomically(path, text)
    else:
        write_stages(path, records)
    beside = path.with_name(f"{path.name}.provenance.json")
    write_atomically(beside, json_text(made.model_dump(mode="json"), indent=2) + "\n")
    return changed, [beside]
