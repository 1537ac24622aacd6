"""Wrong input and missing parts: one clear message, exit code 2, nothing sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster import Cluster, Shell
from tests.support.sweeps import write_sweep


def test_a_wrong_sweep_file_ends_with_exit_code_2(shell: Shell, corpus: Path) -> None:
    sweep = write_sweep(shell.folder, runz=3)
    code, output = shell.run("run", str(sweep))
    assert code == 2
    assert (
        output
        == f"chimera: {sweep}:{len(sweep.read_text().splitlines())}: runz: unknown key; did you mean 'runs'?\n"
    )
    assert not shell.home.exists()


@pytest.mark.parametrize("command", [["run"], ["run", "x.yaml", "--slots", "0"], ["frobnicate"]])
def test_wrong_options_end_with_exit_code_2(shell: Shell, command: list[str]) -> None:
    code, output = shell.run(*command)
    assert code == 2
    assert "Traceback" not in output


def test_a_broker_that_does_not_answer(shell: Shell, corpus: Path) -> None:
    sweep = write_sweep(shell.folder)
    code, output = shell.run("run", str(sweep), "--broker", "redis://:secret@127.0.0.1:1/0")
    assert code == 2
    assert output.startswith("chimera: Redis at redis://127.0.0.1:1/0 can't be reached")
    assert "secret" not in output and "Traceback" not in output


def test_a_broker_that_is_no_redis_url(shell: Shell, corpus: Path) -> None:
    code, output = shell.run("run", str(write_sweep(shell.folder)), "--broker", "amqp://u:secret@h/")
    assert (code, output) == (2, "chimera: the broker must be a redis:// or rediss:// URL, got 'amqp'\n")


def test_a_server_that_does_not_answer(shell: Shell, corpus: Path) -> None:
    sweep = write_sweep(shell.folder)
    code, output = shell.run("run", str(sweep), "--server", "http://127.0.0.1:1")
    assert code == 2
    last = output.splitlines()[-1]
    assert (
        last.startswith(f"chimera: {sweep}:")
        and "server: " in last
        and "http://127.0.0.1:1: connection refused" in last
    )
    assert "Traceback" not in output
    assert shell.left_over() == []


def test_a_model_that_the_server_does_not_have(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server()
    cluster.slot("s0", server)
    run = cluster.start_run(write_sweep(tmp_path, model="gemma9"))
    run.wait(60)
    assert run.returncode == 2
    model, aggregator = run.log.read_text().splitlines()
    sweep = tmp_path / "sweep.yaml"
    line = sweep.read_text().splitlines().index("model: gemma9") + 1
    said = (
        f"chimera: {sweep}:{line}: model: slot s0: the server at {server} has no model 'gemma9' (it has: ref"
    )
    assert model.startswith(said)
    assert aggregator == "no aggregator is live. Start one: chimera aggregator"
    assert list(cluster.store.client.scan_iter("chimera:x:*")) == []


def test_a_pool_without_a_slot(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    run = cluster.start_run(write_sweep(tmp_path))
    run.wait(60)
    assert run.returncode == 2
    assert "pool 'test' has no live slot" in run.last_words()


def test_plan_sends_nothing_and_needs_no_broker(shell: Shell, corpus: Path) -> None:
    code, output = shell.run("plan", str(write_sweep(shell.folder)))
    assert code == 0, output
    assert "6 = 2 configurations × 3 runs" in output
    assert "not known: no earlier run" in output
    assert not shell.home.exists()


def test_results_that_cannot_be_written(shell: Shell, corpus: Path) -> None:
    (shell.folder / "taken").write_text("a file")
    code, output = shell.run("run", str(write_sweep(shell.folder)), "--results", "taken/results")
    assert code == 2
    assert output.startswith("chimera: can't write results to taken/results")
