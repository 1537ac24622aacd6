"""The results folder: where it can't be written, what an unfinished execution gives, and how the API reads it."""

from __future__ import annotations

import csv
from collections import namedtuple
from pathlib import Path

import pytest
from rich.console import Console

from contracts.failures import ChimeraError, InputError, SetupError
from contracts.store import Store
from producer import Sweep, load_results
from producer import run as run_sweep
from producer.api.results import Results
from producer.results import check_writable, write_results
from tests.support.cluster_in_thread import ClusterInThread
from tests.support.rounds import Execution
from tests.support.sweeps import sweep_tree


def test_a_folder_that_can_be_written_stays_empty(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "results")
    assert list((tmp_path / "new" / "results").iterdir()) == []


def test_a_folder_that_can_not_be_written_is_said_before_the_sweep(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(SetupError, match=r"can't write results to .*another folder with --results"):
        check_writable(tmp_path / "results")


def test_a_full_disk_is_said_before_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1, 1, 7 * 2**20))
    with pytest.raises(SetupError, match="only 7 MB free where the results go"):
        check_writable(tmp_path)


def test_an_unfinished_execution_has_no_results(tmp_path: Path, corpus: Path, store: Store) -> None:
    begun = Execution(tmp_path, store, runs=1)
    with pytest.raises(ChimeraError, match=f"no report of execution {begun.execution}"):
        write_results(store, begun.execution, tmp_path / "results")


def test_what_can_not_be_written_stays_in_the_store(tmp_path: Path, corpus: Path, store: Store) -> None:
    begun = Execution(tmp_path, store, runs=1)
    store.set_finished(begun.execution)
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ChimeraError, match=r"can't write the results to .*they stay in the store"):
        write_results(store, begun.execution, tmp_path / "results")


# --- from Python --------------------------------------------------------------------------------


@pytest.fixture
def sweep(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    monkeypatch.chdir(tmp_path)
    return Sweep(**sweep_tree(runs=2))


def test_a_run_from_python_tells_its_lines_to_a_function(
    sweep: Sweep, tmp_path: Path, redis_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    with ClusterInThread(redis_url):
        results = run_sweep(sweep, broker=redis_url, progress=said.append)
    assert said[0].startswith("test: 4 = 2 configurations × 2 runs") and not [x for x in said if "\n" in x]
    assert capfd.readouterr() == ("", "")
    assert results.folder.parent == Path("results/test")


def test_a_run_from_python_is_silent_or_prints_on_a_console(
    sweep: Sweep, redis_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with ClusterInThread(redis_url):
        run_sweep(sweep, broker=redis_url)
        assert capfd.readouterr() == ("", "")
        run_sweep(sweep, broker=redis_url, fresh=True, progress=Console(width=200))
    assert "on slot(s) s0" in capfd.readouterr().out


def test_results_are_read_from_their_folder(sweep: Sweep, tmp_path: Path, redis_url: str) -> None:
    with ClusterInThread(redis_url):
        folder = run_sweep(sweep, broker=redis_url, results=tmp_path / "out").folder
    results = load_results(str(folder))
    assert (sweep.name, repr(sweep)) == ("test", "<Sweep 'test'>") and sweep == Sweep(**sweep_tree(runs=2))
    assert hash(sweep) == hash(Sweep(**sweep_tree(runs=3))) and sweep.__eq__("test") is NotImplemented
    assert repr(results) == f"<Results {str(folder)!r}>"
    assert results.manifest.sweep == results.summary.sweep == "test"
    assert {c.config for c in results.configurations} == {place.config for place in results.ranking}
    assert len(list(results.stages)) == len(list(results.stages)) == len(results.to_rows()) == 4
    assert results.report_html.is_file() and results.report_markdown.is_file()
    with results.to_csv(tmp_path / "stages.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == [str(row["run"]) for row in results.to_rows()]


def test_a_summary_that_is_not_there_can_be_made_anew(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"can't be read: No such file.*chimera report .* makes it anew"):
        _ = Results(tmp_path).summary
