"""Reading and writing ``stages.jsonl``, and CSV of the same columns (:mod:`contracts.records`)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from analysis.files import json_text, write_parts
from contracts.base import SCHEMA_VERSION
from contracts.failures import InputError
from contracts.records import COLUMNS_REQUIRED, StageRecord

STAGES_FILE = "stages.jsonl"

Rows: TypeAlias = Generator[tuple[int, StageRecord], None, None]
"""Line of the file and its record."""

_LARGEST_CELL = 2**31 - 1
"""Characters. csv's own limit is 131,072: a long answer, or the times of its tokens, are more."""
_LARGEST = 1e15
"""Above any time (ms) or count that can be meant; its squares still fit a double."""
_JSON_COLUMNS = (
    *("schema_version", "suspect", "gaps_ms", "parameters", "applied", "timing", "diagnosis", "telemetry"),
    *("findings", "recommendations"),
)
_NOT_NEGATIVE = (
    *("run", "ttft_ms", "throughput_tok_s", "tokens", "prompt_tokens", "cached_tokens"),
    *("total_duration_ms", "prompt_eval_ms", "eval_ms", "eval_tokens", "load_ms", "itl_mean_ms"),
    *("reasoning_ttft_ms", "connect_ms", "response_chars", "reasoning_chars", "sendings"),
    *("context", "model_layers", "model_context_max", "model_bytes", "model_vram_bytes"),
    *(
        "exec_s",
        "wall_s",
        "files_total",
        "agents",
        "step",
        "request",
        "turn",
        "asked_concurrency",
        "asked_rate",
    ),
    *("asked_input_tokens", "asked_output_tokens"),
)
_LOADS = (("asked_concurrency", 1), ("asked_rate", None))
"""Column and the least that can be asked for; ``None``: anything above 0."""
_NUMBER_ERRORS = ("int_parsing", "int_type", "int_from_float", "float_parsing", "float_type")


def read_stages(path: Path) -> list[StageRecord]:
    """Read a ``stages.jsonl``, a CSV with the same columns, or a results folder that holds the former.

    A missing or empty optional column is ``None``.

    Raises:
        InputError: one line that names file, line and column (CSV) or key (JSON lines).
    """
    if path.is_dir():
        if not (path / STAGES_FILE).is_file():
            raise InputError(f"{path}: this folder holds no {STAGES_FILE}; is it a results folder?")
        path = path / STAGES_FILE
    text = _text(path)
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    is_json = path.suffix in (".jsonl", ".json") or text.lstrip().startswith("{")
    lines = _json_lines(path, text) if is_json else _csv_rows(path, text)
    records: list[StageRecord] = []
    seen: dict[tuple[object, ...], int] = {}
    with closing(lines):  # it puts csv's limit back
        for line, record in lines:
            refuse_second(path, line, record, seen)
            records.append(record)
    if not records:
        raise InputError(f"{path}: the file has a header but no rows")
    return records


def stream_stages(path: Path) -> Iterator[tuple[int, int, StageRecord]]:
    """Yield (line, offset in bytes, record) of a ``stages.jsonl``, one at a time: it may be larger than memory.

    A second row of what is there already is for the caller to refuse (:func:`refuse_second`): that takes what all of a
    configuration's rows are.

    Raises:
        InputError: as of :func:`read_stages`.
    """
    offset = number = 0
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                at, offset = offset, offset + len(raw)
                line = _decoded(path, number, raw)
                if line.strip():
                    yield number, at, _json_line(path, number, line)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror or error}") from None
    if not number:
        raise InputError(f"{path}: the file is empty")


def record_at(file: BinaryIO, path: Path, offset: int) -> StageRecord:
    """Return the record of a line that :func:`stream_stages` told the offset of."""
    file.seek(offset)
    return _json_line(path, 0, _decoded(path, 1 if offset == 0 else 0, file.readline()))


def _decoded(path: Path, number: int, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, line {number}: not UTF-8 text ({error.reason})") from None


def write_stages(path: Path, records: Iterable[StageRecord]) -> None:
    """Write one JSON object a line, atomically; keys that are ``None`` are left out."""
    lines = (json_text(record.model_dump(mode="json", exclude_none=True)) + "\n" for record in records)
    write_parts(path, (line.encode() for line in lines))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text ({error.reason})") from None


def _json_lines(path: Path, text: str) -> Rows:
    # Not splitlines(): JSON strings may hold U+2028 and its like as they are.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, _json_line(path, number, line)


def _json_line(path: Path, number: int, line: str) -> StageRecord:
    try:
        fields = json.loads(line, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {number}: not JSON: {error.msg} (column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}, line {number}: not usable JSON: {error}") from None
    if not isinstance(fields, dict):
        raise InputError(f"{path}, line {number}: must be a JSON object, is {line.strip()[:40]}")
    for key in COLUMNS_REQUIRED:
        if fields.get(key) in (None, ""):
            raise InputError(f"{path}, line {number}, key {key!r}: is missing or empty")
    return _record(path, number, "key", fields)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number that JSON knows")


def _csv_rows(path: Path, text: str) -> Rows:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    usual = csv.field_size_limit(_LARGEST_CELL)  # one for the whole process: put back below
    try:
        header = [name.strip() for name in next(reader)]
        _check_header(path, header)
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                yield line, _record(path, line, "column", _fields(path, line, header, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {line}: not CSV: {error}") from None
    finally:
        csv.field_size_limit(usual)


def _check_header(path: Path, header: list[str]) -> None:
    for name in header:
        if header.count(name) > 1:
            raise InputError(f"{path}, line 1, column {name!r}: stands twice in the header")
    missing = [name for name in COLUMNS_REQUIRED if name not in header]
    if missing:
        raise InputError(f"{path}, line 1: missing column{'s' * (len(missing) > 1)}: {', '.join(missing)}")
    for name in header:
        if name not in StageRecord.model_fields:
            known = ", ".join(StageRecord.model_fields)
            raise InputError(f"{path}, line 1, column {name!r}: unknown; the columns are: {known}")


def _fields(path: Path, line: int, header: list[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) != len(header):
        raise InputError(f"{path}, line {line}: has {len(cells)} cells, the header has {len(header)}")
    fields: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        if not cell.strip():
            if name in COLUMNS_REQUIRED:
                raise InputError(f"{path}, line {line}, column {name!r}: is empty")
        elif name in _JSON_COLUMNS:
            fields[name] = _json_cell(path, line, name, cell)
        else:
            fields[name] = cell
    return fields


def _json_cell(path: Path, line: int, name: str, cell: str) -> Any:
    try:
        return json.loads(cell, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise InputError(f"{path}, line {line}, column {name!r}: {_shown(cell)} is not JSON") from None


def _record(path: Path, line: int, what: str, fields: dict[str, Any]) -> StageRecord:
    for name in _NOT_NEGATIVE:
        if isinstance(fields.get(name), bool):
            raise InputError(f"{path}, line {line}, {what} {name!r}: {fields[name]} is not a number")
    try:
        record = StageRecord.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = first["loc"][0] if first["loc"] else "?"
        raise InputError(f"{path}, line {line}, {what} {where!r}: {_reason(what, first)}") from None
    for name in _NOT_NEGATIVE:
        value = getattr(record, name)
        if value is not None and not 0 <= value <= _LARGEST:
            raise InputError(
                f"{path}, line {line}, {what} {name!r}: {_shown(value)} is out of range (0 … 1e15)"
            )
    for name, least in _LOADS:
        value = getattr(record, name)
        if value is not None and not (value > 0 if least is None else value >= least):
            wanted = "be above 0" if least is None else f"be at least {least}"
            raise InputError(
                f"{path}, line {line}, {what} {name!r}: {_shown(value)} is no load, it must {wanted}"
            )
    return record


def _reason(what: str, error: ErrorDetails) -> str:
    kind, value = error["type"], _shown(error["input"])
    if error["loc"] == ("schema_version",):
        return f"{value}: another version of Chimera wrote it, this one reads {SCHEMA_VERSION}: use that version, or measure again"
    if kind == "extra_forbidden":
        return f"unknown; the {what}s are: {', '.join(StageRecord.model_fields)}"
    if kind == "finite_number":
        return f"{value} is not a finite number"
    if kind in _NUMBER_ERRORS:
        return f"{value} is not {'a whole' if kind.startswith('int') else 'a'} number"
    return f"{value}: {error['msg']}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def refuse_second(path: Path, line: int, record: StageRecord, seen: dict[tuple[object, ...], int]) -> None:
    """Refuse a second row of one measured stage; ``seen``: what was seen so far, and in which line.

    Raises:
        InputError: it is a second one.
    """
    if record.phase == "warmup":  # a run may have several
        return
    stage = record.stage if record.step is None else f"{record.stage} {record.step}.{record.request or 0}"
    refuse_same(path, line, (record.config, record.agent, record.run, stage), seen)


def refuse_same(
    path: Path, line: int, key: tuple[str, str, int, str], seen: dict[tuple[object, ...], int]
) -> None:
    """Refuse a second line of one (configuration, agent, run, stage)."""
    first = seen.setdefault(key, line)
    if first != line:
        config, agent, run, stage = key
        named = f"config {config!r}, agent {agent!r}, run {run}, stage {stage!r}"
        raise InputError(f"{path}, line {line}: second row of {named}; the first is in line {first}")
