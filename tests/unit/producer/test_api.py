"""``from producer import Sweep, run``: what needs no cluster."""

from __future__ import annotations

import inspect
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import yaml

import producer
from contracts.settings import BROKER
from contracts.sweep import SweepSpec
from contracts.workloads import AgentWorkload
from producer import InputError, Sweep, execution, load_results, run
from producer.cli.sweeps import run as run_command
from producer.sweep_file import load
from tests.support.sweeps import sweep_tree, write_sweep

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "examples").rglob("*.yaml"))


def problems(**changes: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        Sweep(**sweep_tree(**changes))
    return str(caught.value).splitlines()


def test_the_arguments_are_the_keys_of_a_sweep_file() -> None:
    known = [name for name in SweepSpec.model_fields if name != "schema_version"]
    assert list(inspect.signature(Sweep).parameters) == known


def test_the_arguments_of_run_are_the_options_of_the_command() -> None:
    options = {parameter.name for parameter in run_command.params}
    assert set(inspect.signature(run).parameters) - {"sweep", "progress"} < options


def test_a_sweep_of_python_is_that_of_its_file(tmp_path: Path, corpus: Path) -> None:
    tree = sweep_tree(
        axes={"num_gpu": [60, "default"], "temperature": [0.2]},
        runs={"min": 3, "until": {"ttft": "5%"}, "max_time": "2h"},
        baseline={"num_gpu": "default"},
    )
    written = write_sweep(tmp_path, **tree)
    made = Sweep(**tree)
    assert made == Sweep.read(written)
    assert made.spec == load(written)
    assert made != Sweep(**sweep_tree())


def test_arrays_paths_and_none_are_taken() -> None:
    made = Sweep(
        name="x",
        workload={"paths": (Path("corpus"),), "digest_tokens": np.int64(300)},
        server="ollama",
        model="ref",
        axes={"temperature": np.array([0.25, 0.5]), "num_ctx": range(1024, 3072, 1024), "top_k": [None, 20]},
    )
    assert made.spec.axes.given() == {
        "num_ctx": (1024, 2048),
        "temperature": (0.25, 0.5),
        "top_k": (None, 20),
    }
    assert isinstance(made.spec.workload, AgentWorkload)
    assert (made.spec.workload.paths, made.spec.workload.digest_tokens) == (("corpus",), 300)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_written_reads_back_as_the_same_sweep(name: str, tmp_path: Path) -> None:
    sweep = Sweep.read(ROOT / name)
    path = tmp_path / "again.yaml"
    path.write_text(sweep.to_yaml(), encoding="utf-8")
    assert Sweep.read(path) == sweep
    assert Sweep(**yaml.safe_load(sweep.to_yaml())) == sweep


def test_what_was_not_given_is_not_written() -> None:
    tree = sweep_tree(axes={"temperature": [0.2, "default"]}, deadline=None, pool=None, warmup=None)
    assert yaml.safe_load(Sweep(**tree).to_yaml()) == tree


def test_problems_name_the_sweep_and_the_key() -> None:
    assert problems(runs="three", axes={"temprature": [1]}) == [
        "Sweep('test'): axes.temprature: unknown key; did you mean 'temperature'?",
        "Sweep('test'): runs: must be a whole number (got 'three')",
    ]


def test_relative_paths_are_relative_to_the_working_directory(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = Sweep(**sweep_tree())
    monkeypatch.chdir(tmp_path)
    plan = sweep.plan()
    assert plan.base_dir == tmp_path and plan.files == 3 and plan.size == 6
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"^Sweep\('test'\): workload\.paths: "):
        sweep.plan()


def test_a_wrong_baseline_is_named_without_a_file(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^Sweep\('test'\): baseline: no configuration agrees"):
        Sweep(**sweep_tree(baseline={"temperature": 0.5})).plan()


class InterruptedTwice:
    """Stands for the embedded parts: Ctrl-C comes while a job runs, and again while they are stopped."""

    stopped: ClassVar[list[str]] = []

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> None:
        raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        self.stopped.append("all")


def test_a_second_interrupt_does_not_cut_the_stopping_short(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(BROKER, raising=False)
    monkeypatch.setattr(execution, "Embedded", InterruptedTwice)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(Sweep(**sweep_tree()))
    assert InterruptedTwice.stopped == ["all"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no stages\.jsonl"):
        load_results(tmp_path)


def test_a_summary_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stages.jsonl").write_text("")
    (tmp_path / "summary.json").write_text('{"schema_version": 0}')
    with pytest.raises(InputError, match="is of another version; 'chimera report"):
        _ = load_results(tmp_path).summary


def test_every_name_is_there_and_no_other() -> None:
    assert [name for name in producer.__all__ if not hasattr(producer, name)] == []
    assert set(producer.__all__) <= set(dir(producer))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = producer.nothing  # type: ignore[attr-defined]  # it is the point


def fresh_modules(statement: str) -> set[str]:
    """Return the modules that a new process has after a statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_importing_is_cheap() -> None:
    heavy = {"celery", "numpy", "pydantic", "redis", "rich", "scipy", "yaml"}
    assert fresh_modules("import producer") & heavy == set()
    assert fresh_modules("from producer import Sweep") & {"celery", "scipy"} == set()
