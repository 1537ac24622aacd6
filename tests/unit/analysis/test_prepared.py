"""A run's prepared form: the same summary as from its records, whichever way it comes."""

from __future__ import annotations

import json
import random
import zlib
from pathlib import Path

import msgpack
import numpy as np
import pytest

from analysis import prepared
from analysis.gaps import gap_quantiles, packed_gaps
from analysis.models import ConfigurationSummary
from analysis.offline import summarise_results
from analysis.prepared import pack_rows, prepare, prepare_records, unpack_rows
from analysis.rendering import render_json
from analysis.results_folder import MANIFEST_FILE, write_report
from analysis.rows import row_of
from analysis.stages_io import read_stages, write_stages
from analysis.stored import read_stored, stored
from analysis.summary import summarise_configuration, summarise_records, summarise_rows, summarise_sweep
from benchmarks.aggregation import manifest, outcome
from contracts.call import Outcome
from contracts.failures import InputError
from contracts.outcome import JobOutcome
from contracts.records import StageRecord, records_of
from tests.support.factories import RecordFactory
from tests.support.present import present
from tests.support.synthetic import demo

RUNS = 6
PLAN = manifest(10, RUNS)


def broken(one: JobOutcome, rng: random.Random) -> JobOutcome:
    """A run in which something went wrong, by chance."""
    at = rng.randrange(2, len(one.stages))
    stage = one.stages[at]
    assert stage.call is not None
    match rng.randrange(5):
        case 0:
            call = stage.call.model_copy(update={"outcome": Outcome.TIMEOUT, "reason": "late", "text": ""})
            stage = stage.model_copy(update={"call": call, "outcome": Outcome.TIMEOUT, "reason": "late"})
        case 1:
            diagnosis = present(stage.call).diagnosis and present(present(stage.call).diagnosis).model_copy(
                update={"suspect": ("late",)}
            )
            stage = stage.model_copy(
                update={"call": present(stage.call).model_copy(update={"diagnosis": diagnosis})}
            )
        case 2:
            stage = stage.model_copy(
                update={"telemetry": None, "started_at": stage.started_at.replace(microsecond=7)}
            )
        case 3:
            call = present(stage.call).model_copy(
                update={"applied": {"temperature": 0.1}, "text": "\ud800 lone"}
            )
            stage = stage.model_copy(update={"call": call})
        case _:
            return one.model_copy(
                update={"stages": one.stages[:at], "attempt": 2, "server": None, "host": None}
            )
    return one.model_copy(update={"stages": (*one.stages[:at], stage, *one.stages[at + 1 :])})


def outcomes(seed: int = 3) -> list[JobOutcome]:
    rng = random.Random(seed)
    made = []
    for place, c in enumerate(PLAN.configurations):
        for run in range(1, RUNS + 1):
            one = outcome(c, run, run * 10 + place, rng).model_copy(update={"execution": PLAN.execution})
            made.append(broken(one, rng) if rng.random() < 0.3 else one)
    rng.shuffle(made)
    return made


MADE = outcomes()


def online(room: int) -> list[ConfigurationSummary]:
    """As the aggregator does it: prepared by the worker, summarised by the callback, read by the finaliser."""
    found: list[ConfigurationSummary] = []
    for c in PLAN.configurations:
        own = sorted((one for one in MADE if one.configuration == c), key=lambda one: one.run)
        rows = [row for one in own for row in unpack_rows(prepare(one)) or ()]
        summary = summarise_rows(
            rows,
            lambda run, own=own: [r for one in own if one.run == run for r in records_of(one)],  # type: ignore[misc]
            configuration=c,
            runs_planned=RUNS,
            room=room,
        )
        found += read_stored(*stored([summary]))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results as they are written: stages in the order in which the jobs ended."""
    made = tmp_path_factory.mktemp("results")
    write_stages(made / "stages.jsonl", (record for one in MADE for record in records_of(one)))
    (made / MANIFEST_FILE).write_text(PLAN.model_dump_json())
    return made


def test_prepared_rows_are_those_of_the_records_that_are_written(folder: Path) -> None:
    written = iter(read_stages(folder))
    for one in MADE:
        rows = unpack_rows(prepare(one))
        assert rows == [row_of(next(written)) for _ in one.stages]


def test_the_aggregator_the_offline_report_and_memory_give_the_same_bytes(folder: Path) -> None:
    in_memory = summarise_records([r for one in MADE for r in records_of(one)], PLAN)
    streamed, stages = summarise_results(folder)
    assert stages == sum(len(one.stages) for one in MADE)
    of_online = summarise_sweep(online(2_000), PLAN)
    assert render_json(of_online) == render_json(streamed) == render_json(in_memory)
    assert streamed == in_memory


def test_a_results_folder_of_every_kind_reads_as_before(tmp_path: Path) -> None:
    made = demo()
    made.write(tmp_path)
    summary, stages = summarise_results(tmp_path)
    assert stages == len(made.records)
    assert render_json(summary) == (tmp_path / "summary.json").read_text(encoding="utf-8")


def test_the_offline_path_refuses_what_it_refused(tmp_path: Path, folder: Path) -> None:
    lines = (folder / "stages.jsonl").read_text(encoding="utf-8").splitlines()
    measured = next(line for line in lines if json.loads(line)["phase"] == "measured")
    for text, complaint in (
        ("", "the file is empty"),
        ("\n".join([*lines, measured]), f"line {len(lines) + 1}: second row of config"),
        ("\n".join([*lines[:3], "{", *lines[3:]]), "line 4: not JSON"),
        (lines[0].replace('"agent": "chimera", ', ""), "key 'agent': is missing"),
    ):
        (tmp_path / "stages.jsonl").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=complaint):
            summarise_results(tmp_path)
    (tmp_path / "stages.jsonl").write_text("\n".join(lines), encoding="utf-8")
    other = PLAN.model_copy(update={"execution": "another"})
    (tmp_path / MANIFEST_FILE).write_text(other.model_dump_json())
    with pytest.raises(InputError, match="is of execution"):
        summarise_results(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        summarise_results(tmp_path / "absent.jsonl")


def test_another_version_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = prepare(MADE[0])
    monkeypatch.setattr(prepared, "VERSION", prepared.VERSION + 1)
    assert unpack_rows(packed) is None


def test_foreign_rows_that_differ_within_a_run_are_kept_as_they_are(record: RecordFactory) -> None:
    records = [record(run=1, stage="analysis", slot="a"), record(run=1, stage="report", slot="b")]
    assert unpack_rows(prepare_records(records)) == [row_of(one) for one in records]
    assert unpack_rows(pack_rows([])) == []


def test_a_prepared_run_is_small() -> None:
    """What the store holds of a run beside its outcome: some 100,000 of them must not weigh."""
    one = outcome(PLAN.configurations[0], 1, 1, random.Random(1))
    packed = prepare(one)
    whole = zlib.compress(one.model_dump_json().encode(), 1)
    assert len(packed) < 1_200 and len(packed) < len(whole)


# --- gaps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls", [1, 7])
@pytest.mark.parametrize("n", [1, 3, 64, 65, 900])
def test_counted_gaps_are_within_a_two_thousandth(n: int, calls: int) -> None:
    rng = np.random.default_rng(n)
    gaps = [rng.lognormal(2, 0.5, n).tolist() for _ in range(calls)]
    found = gap_quantiles([packed for one in gaps if (packed := packed_gaps(one))])
    values = np.concatenate([np.array(one) for one in gaps])
    assert found is not None
    assert (found.n, found.max_ms, found.p99_ms) == (values.size, values.max(), None)
    assert found.median_ms == pytest.approx(float(np.median(values)), rel=2**-11)


def test_enough_gaps_carry_a_p99() -> None:
    gaps = np.random.default_rng(0).lognormal(2, 0.5, 300_000).tolist()
    found = gap_quantiles([packed_gaps(gaps) or b""])
    assert found is not None
    assert found.p99_ms == pytest.approx(float(np.quantile(gaps, 0.99)), rel=2**-11)
    assert len(packed_gaps(gaps) or b"") < 60_000


def test_no_gap_is_none() -> None:
    assert packed_gaps(()) is None and gap_quantiles([]) is None
    found = gap_quantiles([packed_gaps([0.0, -1e-9, 0.0]) or b""])
    assert found is not None and (found.median_ms, found.max_ms) == (0.0, 0.0)
    assert isinstance(msgpack.unpackb(packed_gaps([1.0]) or b""), list)


# --- bounds -----------------------------------------------------------------------------------------


def many_calls(runs: int) -> list[StageRecord]:
    rng = random.Random(1)
    c = PLAN.configurations[0]
    return [r for run in range(1, runs + 1) for r in records_of(outcome(c, run, run, rng))]


def test_what_a_summary_leaves_out_is_counted_and_said() -> None:
    records = many_calls(30)
    whole, cut = summarise_configuration(records), summarise_configuration(records, room=20)
    assert len(whole.calls) == 120 and whole.left_out == {}
    assert cut.left_out == {"calls": 120 - len(cut.calls), "warmup_calls": 10}
    # Whole runs from the first, and the one that is shown.
    assert sorted({call.run for call in cut.calls}) == [1, 2, 3, 4, 5, 30]
    assert cut.shown is not None and cut.shown.run == 30
    assert cut.call_count == whole.call_count == 120
    same = cut.model_copy(
        update={"calls": whole.calls, "warmup_calls": whole.warmup_calls, "left_out": whole.left_out}
    )
    assert same == whole  # no figure changes


def test_exclusions_beyond_the_room_are_counted(record: RecordFactory) -> None:
    late = [record(run=run, outcome="timeout", reason="late") for run in range(1, 41)]
    found = summarise_configuration(late, room=10)
    assert (len(found.excluded), found.total("excluded"), found.runs_complete) == (10, 40, 0)


def test_the_lists_of_a_large_sweep_are_bounded_in_the_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis import room

    monkeypatch.setattr(room, "MOST_ENTRIES", 4 * len(PLAN.configurations))
    summary = summarise_records([r for one in MADE for r in records_of(one)], PLAN)
    there = [len(c.over_runs.runs) for c in summary.configurations]
    assert max(there) == RUNS and min(there) > 4
    write_report(summary, tmp_path)
    written = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert {len(c["over_runs"]["runs"]) for c in written["configurations"]} == {4}
    assert [c["left_out"]["runs"] for c in written["configurations"]] == [n - 4 for n in there]
    assert "Shown: the first" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_large_summary_has_a_line_for_each_configuration_and_is_the_same_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from analysis.rendering import json_lines

    summary = summarise_records([r for one in MADE for r in records_of(one)], PLAN)
    indented = render_json(summary)
    monkeypatch.setattr(json_lines, "INDENTED", 1)
    lined = render_json(summary)
    assert json.loads(lined) == json.loads(indented)
    assert len(lined.splitlines()) < len(indented.splitlines()) / 5
    assert list(json.loads(lined)) == list(json.loads(indented))


def test_the_quick_way_over_whole_runs_gives_the_same_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis import over_runs

    records = many_calls(7)
    quick = summarise_configuration(records)
    monkeypatch.setattr(over_runs, "_of_whole_runs", lambda *_: None)
    assert summarise_configuration(records) == quick
    assert quick.over_runs.runs[0].joules_per_token is not None
