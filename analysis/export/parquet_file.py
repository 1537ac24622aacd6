"""Records ↔ Parquet, by pyarrow (the extra ``parquet``).

Times in ms are doubles, counts and ns 64-bit integers, ``started_at`` a UTC timestamp in µs, ``suspect``,
``findings``, ``recommendations`` and ``gaps_ms`` lists. ``parameters``, ``applied``, ``timing``, ``diagnosis`` and
``telemetry`` are JSON strings and no structs: their keys differ from row to row and grow with versions, and their
numbers keep being whole or not. A null is not known. The file's metadata hold the provenance under ``chimera``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from analysis.export.columns import Kind, columns
from analysis.export.plain_text import Changed, storable
from analysis.files import json_text
from analysis.provenance import Provenance
from contracts.failures import InputError, SetupError
from contracts.records import StageRecord

METADATA_KEY = b"chimera"


def parquet_bytes(records: Sequence[StageRecord], provenance: Provenance) -> tuple[bytes, Changed]:
    """Return the file's content, compressed by zstd, and what it could not hold.

    Raises:
        SetupError: pyarrow is not installed.
        InputError: a value that the column's type can't hold; names it.
    """
    arrow, parquet = _pyarrow()
    whole, surrogates = storable(records)
    rows = [record.model_dump(mode="json", exclude={"started_at"}) for record in whole]
    arrays, fields = [], []
    for name, kind in columns().items():
        values = (
            [r.started_at for r in whole] if kind == "time" else [_value(row[name], kind) for row in rows]
        )
        try:
            arrays.append(arrow.array(values, type=_type(arrow, kind)))
        except (arrow.ArrowException, OverflowError) as error:
            raise InputError(
                f"column {name!r} does not fit Parquet's {_type(arrow, kind)}: {error}"
            ) from None
        fields.append(arrow.field(name, _type(arrow, kind)))
    schema = arrow.schema(fields, metadata={METADATA_KEY: provenance.model_dump_json().encode()})
    out = io.BytesIO()
    parquet.write_table(arrow.Table.from_arrays(arrays, schema=schema), out, compression="zstd")
    return out.getvalue(), Changed(surrogates)


def read_parquet(path: Path) -> list[StageRecord]:
    """Read what :func:`parquet_bytes` wrote.

    Raises:
        SetupError: pyarrow is not installed.
        InputError: one line that names the file and what is wrong.
    """
    arrow, parquet = _pyarrow()
    try:
        rows = parquet.read_table(path).to_pylist()
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror or error}") from None
    except arrow.ArrowException as error:
        raise InputError(f"{path}: not a Parquet file: {str(error).splitlines()[0]}") from None
    if not rows:
        raise InputError(f"{path}: the file holds no rows")
    kinds = columns()
    return [_record(path, number, row, kinds) for number, row in enumerate(rows, start=1)]


def _record(path: Path, number: int, row: dict[str, Any], kinds: dict[str, Kind]) -> StageRecord:
    known = {name: value for name, value in row.items() if value is not None}
    try:
        return StageRecord.model_validate(
            {name: json.loads(v) if kinds.get(name) == "json" else v for name, v in known.items()}
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = first["loc"][0] if first["loc"] else "?"
        raise InputError(f"{path}, row {number}, column {where!r}: {first['msg']}") from None
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}, row {number}: not usable JSON in a cell: {error}") from None


def _value(value: Any, kind: Kind) -> Any:
    return json_text(value) if kind == "json" and value is not None else value


def _type(arrow: Any, kind: Kind) -> Any:
    match kind:
        case "integer":
            return arrow.int64()
        case "number":
            return arrow.float64()
        case "boolean":
            return arrow.bool_()
        case "time":
            return arrow.timestamp("us", tz="UTC")
        case "texts":
            return arrow.list_(arrow.string())
        case "numbers":
            return arrow.list_(arrow.float64())
        case _:
            return arrow.string()


def _pyarrow() -> tuple[Any, Any]:
    """Import pyarrow late: it is an extra, and slow to load."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise SetupError(
            "Parquet needs pyarrow, which the extra 'parquet' installs: pip install 'chimera-bench[parquet]'"
        ) from None
