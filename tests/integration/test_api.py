"""``producer.run`` over real parts: in a notebook's loop, in a thread, again, and interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.settings import BROKER, HOME
from producer import Results, Sweep, run
from tests.support.cluster import ROOT, Shell, start_reference_server, wait_for
from tests.support.sweeps import sweep_tree


@pytest.fixture
def here(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a corpus, and an embedded home of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(HOME, str(tmp_path / "home"))
    monkeypatch.delenv(BROKER, raising=False)
    return tmp_path


def examples() -> list[str]:
    return re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "python_api.md").read_text(encoding="utf-8"), re.S
    )


def carried_out(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "docs/python_api.md", "exec"), names)
    return names


async def test_the_pages_examples_run_in_a_notebook(
    here: Path, shell: Shell, capfd: pytest.CaptureFixture[str]
) -> None:
    """A running event loop, as a notebook has one; a second time in a thread; nothing is left of either."""
    (here / "examples").symlink_to(ROOT / "examples")
    run_one, plan_one, load_one, pandas_one, wrong_one = examples()
    server, url = start_reference_server(here, ttft_ms=5, itl_ms=1, tokens=20)
    own = f"servers=[{url!r}], calibrate=False"
    try:
        names = carried_out(
            run_one.replace("progress=print", f"progress=print, {own}").replace("gemma3-270m", "ref")
        )
        told = capfd.readouterr().out
        results: Results = names["results"]
        again = await asyncio.to_thread(
            run, names["sweep"], servers=[url], calibrate=False, results=here / "again"
        )
    finally:
        server.stop_now()
    assert "\njobs 6/6 · " in told and told.endswith(f"{results.summary.verdict}\n")
    assert capfd.readouterr() == ("", ""), "without progress nothing is printed"
    assert shell.left_over() == []
    assert results.folder.name != again.folder.name
    assert (results.folder.parent, again.folder.parent) == (
        Path("results/temperature"),
        here / "again" / "temperature",
    )

    carried_out(plan_one)
    assert capfd.readouterr().out == "6 ['temperature=0.2', 'temperature=0.8']\n"
    loaded = carried_out(load_one.replace("RESULTS", str(results.folder)))
    assert len(loaded["times"]) == 6
    capfd.readouterr()
    carried_out(wrong_one)
    (said,) = re.findall(r"# (Sweep.*)", wrong_one)
    assert capfd.readouterr().out == f"{said}\n"
    with contextlib.suppress(ModuleNotFoundError):  # pandas is no part of Chimera
        carried_out(pandas_one.replace("RESULTS", str(results.folder)))

    assert [c.runs for c in results.configurations] == [3, 3]
    assert {place.config for place in results.ranking} == {"temperature=0.2", "temperature=0.8"}
    assert results.summary.sweep == results.manifest.spec.name == "temperature"
    assert results.report_html.is_file() and results.report_markdown.is_file()
    rows = results.to_rows()
    assert len(rows) == len(list(results.stages)) == 6 * 4
    assert len({tuple(row) for row in rows}) == 1
    with results.to_csv(here / "stages.csv").open(newline="") as file:
        assert [row["stage"] for row in csv.DictReader(file)] == [row["stage"] for row in rows]
    assert loaded["results"].summary == results.summary


def test_an_exception_of_the_progress_ends_the_run(here: Path, shell: Shell) -> None:
    def stop(line: str) -> None:
        raise LookupError(line)

    with pytest.raises(LookupError, match="embedded Redis"):
        run(Sweep(**sweep_tree()), servers=["http://127.0.0.1:1"], progress=stop)
    assert shell.left_over() == []


INTERRUPTED = """
import sys
from producer import Results, Sweep, run

try:
    run(Sweep.read("sweep.yaml"), servers=[sys.argv[1]], calibrate=False, progress=lambda line: print(line, flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.stdin.read()  # a notebook's process lives on
"""


def test_an_interrupt_leaves_no_process_while_python_lives_on(here: Path, shell: Shell) -> None:
    server, url = start_reference_server(here, ttft_ms=2000, itl_ms=100, tokens=50)
    (here / "sweep.yaml").write_text(Sweep(**sweep_tree()).to_yaml())
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, url],
        cwd=here,
        env=shell.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    said = process.stdout
    assert said is not None

    def children() -> list[str]:
        return [c for c in shell.left_over() if "reference_server" not in c and "Sweep.read" not in c]

    try:
        wait_for(lambda: "1 running" in said.readline(), what="a job runs")
        assert len(children()) >= 3  # Redis, worker, aggregator
        process.send_signal(signal.SIGINT)
        wait_for(lambda: "interrupted" in said.readline(), what="it is interrupted")
        assert process.poll() is None
        assert children() == []
    finally:
        process.kill()
        process.communicate()
        server.stop_now()
