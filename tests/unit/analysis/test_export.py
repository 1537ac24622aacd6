"""What is exported reads back as the same records."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.export import csv_text, parquet_bytes, read_parquet, storable
from analysis.export.columns import columns
from analysis.provenance import Provenance, provenance_of_records
from analysis.stages_io import _JSON_COLUMNS, read_stages
from contracts.configuration import Configuration
from contracts.failures import InputError, SetupError
from contracts.records import StageRecord, records_of
from tests.support.factories import OutcomeFactory, RecordFactory
from tests.support.synthetic import Shape, synthetic

MADE = synthetic(runs=2, shape=Shape(gpu=True))
ORACLES = Path(__file__).resolve().parents[3].parent / "shared" / "oracles"

# Half characters and blank texts are what a format can't hold: they have tests of their own.
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).filter(lambda text: bool(text.strip()))
numbers = st.floats(0, 1e15)
counts = st.integers(0, 10**15)
records = st.builds(
    StageRecord,
    config=words,
    agent=words,
    run=counts,
    stage=st.just("report"),
    outcome=st.sampled_from([None, "ok", "aborted"]),
    reason=st.none() | words,
    suspect=st.none() | st.lists(words, max_size=2).map(tuple),
    ttft_ms=st.none() | numbers,
    gaps_ms=st.none() | st.lists(numbers, max_size=3).map(tuple),
    tokens=st.none() | counts,
    structured=st.none() | st.booleans(),
    parameters=st.none() | st.dictionaries(words, st.integers(0, 99) | numbers, max_size=2),
    started_at=st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    started_ns=st.none() | st.integers(-(2**63), 2**63 - 1),
    text=st.none() | words,
    findings=st.none() | st.lists(words, max_size=2).map(tuple),
)
# One file a example, no two rows of one key.
tables = st.lists(records, min_size=1, max_size=4, unique_by=lambda r: (r.config, r.agent, r.run))


Through = Callable[[list[StageRecord], Path], list[StageRecord]]


def origin(of: list[StageRecord] | tuple[StageRecord, ...]) -> Provenance:
    return provenance_of_records(of, None)


def through_csv(of: list[StageRecord], folder: Path) -> list[StageRecord]:
    path = folder / "stages.csv"
    path.write_text(csv_text(of)[0], encoding="utf-8", newline="")
    return read_stages(path)


def through_parquet(of: list[StageRecord], folder: Path) -> list[StageRecord]:
    path = folder / "stages.parquet"
    path.write_bytes(parquet_bytes(of, origin(of))[0])
    return read_parquet(path)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables)
def test_any_records_come_back_through_csv(tmp_path: Path, of: list[StageRecord]) -> None:
    assert through_csv(of, tmp_path) == of


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables)
def test_any_records_come_back_through_parquet(tmp_path: Path, of: list[StageRecord]) -> None:
    assert through_parquet(of, tmp_path) == of


@pytest.mark.parametrize("through", [through_csv, through_parquet])
def test_a_real_shape_with_every_nested_column_comes_back(
    tmp_path: Path, through: Through, outcome: OutcomeFactory
) -> None:
    configuration = Configuration(name="c", model="m:1")
    of = [*MADE.records, *records_of(outcome(configuration, 1, text='a,b\n"c"\r\n=1+1'))]
    assert {name for r in of for name, kind in columns().items() if kind == "json" and getattr(r, name)} == {
        *("parameters", "timing", "diagnosis", "telemetry")
    }
    assert through(of, tmp_path) == of


@pytest.mark.skipif(not ORACLES.is_dir(), reason=f"not here: {ORACLES}")
@pytest.mark.parametrize("through", [through_csv, through_parquet])
@pytest.mark.parametrize("name", ["seed_000_stages.csv", "seed_001_stages.csv", "rust_sweep_part_stages.csv"])
def test_published_figures_come_back(tmp_path: Path, through: Through, name: str) -> None:
    of = read_stages(ORACLES / name)
    assert through(of, tmp_path) == of


def test_csv_has_all_columns_and_json_where_the_reader_wants_it() -> None:
    header = next(csv.reader(io.StringIO(csv_text(MADE.records)[0])))
    assert header == list(StageRecord.model_fields)
    nested = {name for name, kind in columns().items() if kind in ("json", "texts", "numbers")}
    assert nested == set(_JSON_COLUMNS) - {"schema_version"}


def test_parquet_has_proper_types_and_its_provenance(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    made = provenance_of_records(MADE.records, MADE.manifest)
    path.write_bytes(parquet_bytes(MADE.records, made)[0])
    schema = pq.read_schema(path)
    assert schema.names == list(StageRecord.model_fields)
    types = {name: schema.field(name).type for name in schema.names}
    assert types["ttft_ms"] == pa.float64() and types["tokens"] == pa.int64()
    assert types["started_at"] == pa.timestamp("us", tz="UTC")
    assert types["findings"] == pa.list_(pa.string()) and types["gaps_ms"] == pa.list_(pa.float64())
    assert types["telemetry"] == types["parameters"] == pa.string()
    assert types["structured"] == pa.bool_()
    assert Provenance.model_validate_json(schema.metadata[b"chimera"]) == made
    table = pq.read_table(path)
    assert table["tokens"].null_count == sum(r.tokens is None for r in MADE.records) > 0
    assert json.loads(table["parameters"][0].as_py()) == MADE.records[0].parameters


def test_what_a_format_cannot_hold_is_counted_and_told(record: RecordFactory, tmp_path: Path) -> None:
    of = [record(text="half \ud83d character", findings=("\udc00",)), record(run=2, text=" ")]
    text, changed = csv_text(of)
    assert (changed.surrogates, changed.blank) == (2, 1)
    assert len(changed.sentences()) == 2
    assert "half \ufffd character" in text
    content, changed = parquet_bytes(of, origin(of))
    assert (changed.surrogates, changed.blank) == (2, 0)
    back = through_parquet(of, tmp_path)
    assert back == storable(of)[0] and back[1].text == " "
    assert content


def test_a_number_that_no_column_holds_is_named(record: RecordFactory) -> None:
    of = [record(started_ns=2**70)]
    with pytest.raises(InputError, match="column 'started_ns' does not fit"):
        parquet_bytes(of, origin(of))


def test_without_pyarrow_one_sentence_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for call in (lambda: parquet_bytes([], origin([])), lambda: read_parquet(tmp_path / "x.parquet")):
        with pytest.raises(SetupError) as caught:
            call()
        assert str(caught.value) == (
            "Parquet needs pyarrow, which the extra 'parquet' installs: pip install 'chimera-bench[parquet]'"
        )


def test_foreign_parquet_is_one_line(tmp_path: Path, record: RecordFactory) -> None:
    path = tmp_path / "x.parquet"
    with pytest.raises(InputError, match=r"x\.parquet: can't be read"):
        read_parquet(path)
    path.write_bytes(b"PAR1 is not all it takes")
    with pytest.raises(InputError, match=r"x\.parquet: not a Parquet file") as caught:
        read_parquet(path)
    assert "\n" not in str(caught.value)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(InputError, match=r"row 1, column 'config': Field required"):
        read_parquet(path)
    pq.write_table(
        pa.table({"config": ["c"], "agent": ["c"], "stage": ["c"], "run": [1], "timing": ["{"]}), path
    )
    with pytest.raises(InputError, match="row 1: not usable JSON"):
        read_parquet(path)
