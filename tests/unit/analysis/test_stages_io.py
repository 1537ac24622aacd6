"""Results files: what is read, and the one line that wrong ones give."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.export import csv_text
from analysis.stages_io import read_stages, write_stages
from contracts.call import Outcome
from contracts.diagnosis import Diagnosis
from contracts.failures import InputError
from contracts.records import StageRecord
from contracts.telemetry import GpuTelemetry, StageTelemetry
from tests.support.factories import RecordFactory
from tests.support.present import present

HEADER = "config,agent,run,stage,ttft_ms,tokens\n"
GOOD = '{"config":"c","agent":"a","run":1,"stage":"report"}\n'


def read(tmp_path: Path, content: str | bytes, name: str) -> list[StageRecord]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_stages(path)


def test_csv_empty_cell_is_none_and_zero_is_zero(tmp_path: Path) -> None:
    first, second = read(tmp_path, HEADER + "c,a,1,analysis,,7\nc,a,1,report,0.0, 8.0 \n", "x.csv")
    assert (first.ttft_ms, first.tokens, first.outcome) == (None, 7, None)
    assert (second.ttft_ms, second.tokens) == (0.0, 8)


def test_csv_takes_every_column(tmp_path: Path, record: RecordFactory) -> None:
    full = record(
        **{"findings": ["one, two", 'a "quoted"\nline'], "parameters": {"num_gpu": 80, "temperature": 0.6}},
        **{"gaps_ms": [1.5], "structured": True, "started_at": "2026-01-02T03:04:05Z", "text": "a\nb"},
        **{"outcome": "degenerate", "degeneration": "short", "suspect": ["late, by 2 %"], "sendings": 2},
        **{"reasoning_ttft_ms": 1.5, "connect_ms": 0.2, "arrival_clock": "kernel", "frame_tokens": "one"},
        **{"reasoning_chars": 3, "text_hash": "0123456789abcdef", "model_layers": 34},
        **{"model_context_max": 8192, "model_bytes": 2**32, "model_vram_bytes": 0},
        **{"applied": {"num_gpu": 35, "top_p": 0.95}, "diagnosis": Diagnosis(write_ns=9, suspect=("late",))},
        **{"telemetry": StageTelemetry(samples=2, period_s=0.1, gpus=(GpuTelemetry(index=0),))},
    )
    columns = {k: v for k, v in full.model_dump(mode="json").items() if v is not None}
    cells = [v if isinstance(v, str) else json.dumps(v) for v in columns.values()]
    row = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    assert read(tmp_path, ",".join(columns) + "\n" + row + "\n", "x.csv") == [full]


def test_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + (HEADER + "c,a,1,analysis,1.5,7\n").replace("\n", "\r\n").encode()
    assert read(tmp_path, content, "x.csv")[0].ttft_ms == 1.5


def test_results_folder(tmp_path: Path) -> None:
    (tmp_path / "stages.jsonl").write_text(GOOD)
    assert read_stages(tmp_path)[0].stage == "report"


def test_several_warmup_rows_of_one_run_are_no_duplicates(tmp_path: Path) -> None:
    line = '{"config":"c","agent":"a","run":1,"stage":"warmup","phase":"warmup"}\n'
    assert len(read(tmp_path, line * 2, "stages.jsonl")) == 2


WRONG_CSV = {
    "empty file": ("", "x.csv: the file is empty"),
    "no rows": (HEADER, "the file has a header but no rows"),
    "text for a number": (
        HEADER + "c,a,1,analysis,1,7\nc,a,1,report,abc,7\n",
        "line 3, column 'ttft_ms': 'abc' is not a number",
    ),
    "fraction of a token": (
        HEADER + "c,a,1,r,1,7.5\n",
        "line 2, column 'tokens': '7.5' is not a whole number",
    ),
    "nan": (HEADER + "c,a,1,r,nan,7\n", "line 2, column 'ttft_ms': 'nan' is not a finite number"),
    "infinity": (HEADER + "c,a,1,r,1e999,7\n", "column 'ttft_ms': '1e999' is not a finite number"),
    "negative": (HEADER + "c,a,1,r,-1,7\n", "column 'ttft_ms': -1.0 is out of range"),
    "too large": (HEADER + "c,a,1,r,1,1" + "0" * 30 + "\n", "column 'tokens': 1000"),
    "missing columns": ("config,run,stage\nc,1,r\n", "line 1: missing column: agent"),
    "another delimiter": (HEADER.replace(",", ";"), "line 1: missing columns: config, agent, run, stage"),
    "unknown column": (
        "config,agent,run,stage,ttft\nc,a,1,r,1\n",
        "line 1, column 'ttft': unknown; the columns are",
    ),
    "column twice": ("config,agent,run,stage,run\nc,a,1,r,1\n", "line 1, column 'run': stands twice"),
    "short row": (HEADER + "c,a,1,r\n", "line 2: has 4 cells, the header has 6"),
    "empty identity": (HEADER + "c,,1,r,1,7\n", "line 2, column 'agent': is empty"),
    "run is a word": (HEADER + "c,a,first,r,1,7\n", "line 2, column 'run': 'first' is not a whole number"),
    "row twice": (
        HEADER + "c,a,1,r,1,7\nc,a,2,r,1,7\nc,a,1,r,2,8\n",
        "line 4: second row of config 'c', agent 'a', run 1, stage 'r'; the first is in line 2",
    ),
    "unknown outcome": (
        "config,agent,run,stage,outcome\nc,a,1,r,fine\n",
        "column 'outcome': 'fine': Input should be",
    ),
    "open quote": (HEADER + 'c,a,1,"r,1,7\n', "line 2: not CSV"),
    "line of a long cell": (
        'config,agent,run,stage,text,tokens\nc,a,1,x,"1\n2\n3",5\nc,a,1,y,,z\n',
        "line 5, column 'tokens': 'z' is not a whole number",
    ),
    "a negative time to connect": (
        "config,agent,run,stage,connect_ms\nc,a,1,r,-1\n",
        "line 2, column 'connect_ms': -1.0 is out of range",
    ),
    "an unknown kind of degenerate text": (
        "config,agent,run,stage,degeneration\nc,a,1,r,dull\n",
        "line 2, column 'degeneration': 'dull': Input should be 'empty', 'short' or 'repetition'",
    ),
    "suspect without a list": (
        "config,agent,run,stage,suspect\nc,a,1,r,yes\n",
        "line 2, column 'suspect': 'yes' is not JSON",
    ),
    "broken JSON cell": (
        "config,agent,run,stage,findings\nc,a,1,r,[one\n",
        "column 'findings': '[one' is not JSON",
    ),
    "version": (
        "config,agent,run,stage,schema_version\nc,a,1,r,2\n",
        "column 'schema_version': 2: another version of Chimera wrote it, this one reads 1",
    ),
}


@pytest.mark.parametrize(("content", "message"), WRONG_CSV.values(), ids=WRONG_CSV.keys())
def test_wrong_csv(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content, "x.csv")
    assert message in str(caught.value)
    assert str(tmp_path / "x.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


WRONG_JSON = {
    "bad JSON": (GOOD + '{"config": \n', "line 2: not JSON"),
    "a list": ("[" + GOOD.strip() + "]\n", "line 1: must be a JSON object, is [{"),
    "not an object": (GOOD + "[1]\n", "line 2: must be a JSON object"),
    "missing key": ('{"config":"c","agent":"a","run":1}\n', "line 1, key 'stage': is missing"),
    "unknown key": (GOOD.replace("}", ',"ttft":1}'), "line 1, key 'ttft': unknown; the keys are"),
    "NaN": (GOOD.replace("}", ',"ttft_ms":NaN}'), "line 1: not usable JSON: NaN is not a number"),
    "infinite": (GOOD.replace("}", ',"ttft_ms":1e999}'), "key 'ttft_ms': inf is not a finite number"),
    "truth as a number": (GOOD.replace("}", ',"tokens":true}'), "key 'tokens': True is not a number"),
    "deep": ('{"config":' + "[" * 100_000 + "\n", "line 1: not usable JSON"),
    "digits": (GOOD.replace("}", ',"tokens":' + "9" * 5000 + "}"), "line 1: not usable JSON"),
    "twice": (GOOD * 2, "line 2: second row of"),
}


@pytest.mark.parametrize(("content", "message"), WRONG_JSON.values(), ids=WRONG_JSON.keys())
def test_wrong_json_lines(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content, "stages.jsonl")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_encoding_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2: not UTF-8"):
        read(tmp_path, HEADER.encode() + b"c,\xff,1,r,1,7\n", "x.csv")


def test_missing_file_and_foreign_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_stages(tmp_path / "absent.csv")
    with pytest.raises(InputError, match=r"holds no stages\.jsonl"):
        read_stages(tmp_path)


text = st.text(st.characters(codec=None, categories=None), max_size=40)
number = st.one_of(st.none(), st.floats(0, 1e15))


@given(
    st.lists(
        st.builds(
            StageRecord,
            config=text.filter(bool),
            agent=st.just("a"),
            run=st.integers(0, 9),
            stage=st.just("warmup"),
            phase=st.just("warmup"),
            outcome=st.one_of(st.none(), st.sampled_from(Outcome)),
            ttft_ms=number,
            throughput_tok_s=number,
            tokens=st.one_of(st.none(), st.integers(0, 10**15)),
            text=st.one_of(st.none(), text),
            findings=st.one_of(st.none(), st.lists(text, max_size=3).map(tuple)),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_was_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, records: list[StageRecord]
) -> None:
    path = tmp_path_factory.mktemp("io") / "stages.jsonl"
    write_stages(path, records)
    assert read_stages(path) == records
    assert [p.name for p in path.parent.iterdir()] == ["stages.jsonl"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stages.jsonl"
    write_stages(path, [record()])
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_stages(path, [record(run=2)])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["stages.jsonl"]


def test_a_long_answer_reads_back_and_other_readers_keep_their_limit(
    tmp_path: Path, record: RecordFactory
) -> None:
    text, _ = csv_text([record(text="x" * 140_000)])
    (tmp_path / "long.csv").write_text(text)
    before = csv.field_size_limit()
    assert len(present(read_stages(tmp_path / "long.csv")[0].text)) == 140_000
    assert csv.field_size_limit() == before
