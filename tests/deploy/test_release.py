"""What is built is whole, and measures from an environment of its own: the short form of ``make release``."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.release import (
    ROOT,
    ReleaseError,
    build,
    environment,
    install,
    make_environment,
    problems,
    run,
    wanted,
    write_sbom,
)

SWEEP = """
name: released
workload: {kind: prompts, file: prompts.jsonl, requests: 4}
server: ollama
model: ref
axes: {concurrency: [1]}
runs: 2
warmup: 1
deadline: 60
"""


@dataclass(frozen=True)
class Released:
    """A wheel, and an environment where it is installed."""

    wheel: Path
    python: Path
    folder: Path
    """An empty folder to work in."""

    def chimera(self, *arguments: str) -> str:
        command = [str(self.python.parent / "chimera"), *arguments]
        return run(command, self.folder, environment(self.folder.parent / "home"), limit_s=120)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Build once, and install beside this environment's dependencies: those are what the lock file says anyhow."""
    folder = tmp_path_factory.mktemp("release")
    tree = folder / "tree"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    wheel = build(tree, folder / "dist")
    assert problems(wheel, wanted(tree)) == []
    python = make_environment(folder / "venv")
    install(python, "--no-deps", "--no-index", "--find-links", str(wheel.parent), "chimera-bench")
    (site,) = folder.glob("venv/**/site-packages")
    # A path in a .pth file is only looked in: the editable installation of the tree does not come with it.
    (site / "dependencies.pth").write_text(f"{Path(pytest.__file__).resolve().parents[1]}\n")
    (folder / "empty").mkdir()
    return Released(wheel, python, folder / "empty")


@pytest.fixture
def server(released: Released) -> Iterator[str]:
    """The wheel's own reference server."""
    command = [str(released.python), "-m", "benchmarks.reference_server", "--tokens=8", "--itl-ms=2"]
    child = subprocess.Popen(command, cwd=released.folder, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield child.stdout.readline().strip()
    finally:
        child.terminate()
        child.communicate(timeout=30)


def test_the_commands_come_from_the_wheel(released: Released) -> None:
    code = "import producer, worker, benchmarks.reference_server as r; print(producer.__file__, worker.__file__, r.__file__)"
    printed = run([str(released.python), "-c", code], released.folder, environment(released.folder))
    assert all(Path(path).is_relative_to(released.folder.parent / "venv") for path in printed.split())
    version = released.wheel.name.split("-")[1]
    assert released.chimera("--version").split()[-1] == version


def test_it_plans_and_measures_in_an_empty_folder(released: Released, server: str) -> None:
    (released.folder / "sweep.yaml").write_text(SWEEP)
    (released.folder / "prompts.jsonl").write_text('{"prompt": "Say something."}\n')
    assert "released: 1 configurations" in released.chimera("plan", "sweep.yaml")
    released.chimera("run", "sweep.yaml", "--server", server, "--no-calibrate")
    (page,) = released.folder.glob("results/released/*/report.html")
    assert "released" in page.read_text(encoding="utf-8")
    summary = json.loads((page.parent / "summary.json").read_text(encoding="utf-8"))
    assert len(summary["configurations"]) == 1


def test_what_should_not_be_in_a_wheel_is_found(released: Released, tmp_path: Path) -> None:
    changed = tmp_path / released.wheel.name
    lost = "producer/personas/insight.txt"
    with zipfile.ZipFile(released.wheel) as archive, zipfile.ZipFile(changed, "w") as written:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        for name in archive.namelist():
            if name != lost and not name.endswith("/LICENSE"):
                data = archive.read(name)
                written.writestr(
                    name, data.replace(b"Name: chimera-bench", b"Name: -") if "METADATA" in name else data
                )
        written.writestr("tests/test_x.py", "")
    found = problems(changed, names)
    assert found[:3] == [
        f"{lost} is missing",
        "tests/test_x.py should not be in it",
        "the licence's text is missing",
    ]
    assert found[3].startswith("metadata: ")


def test_a_step_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"exit code 3\nno such thing"):
        run([sys.executable, "-c", "import sys; print('no such thing'); sys.exit(3)"], tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("cyclonedx_py") is None, reason="cyclonedx-bom is not installed")
def test_the_list_of_what_is_installed_is_the_same_each_time(released: Released, tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    for path in (first, second):
        write_sbom(released.python, ROOT, path, "--no-validate")  # that takes half a minute of a core
    assert first.read_bytes() == second.read_bytes()
    held = json.loads(first.read_text(encoding="utf-8"))
    assert held["metadata"]["component"]["name"] == "chimera-bench"
    assert {"celery", "redis", "pydantic"} <= {component["name"] for component in held["components"]}
