"""tools/ollama.py: what is there is not built again; what is missing is one clear line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.ollama import GO_MINIMUM, VERSION, binary

TOOL = Path(__file__).resolve().parents[3] / "tools" / "ollama.py"


def program(path: Path, says: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)


def run(prefix: Path, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, TOOL, "--prefix", prefix, "--limit", "1"],
        env={**os.environ, "PATH": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder for PATH with a shell and nothing else."""
    folder = tmp_path / "path"
    folder.mkdir()
    shell = shutil.which("sh")
    assert shell is not None
    (folder / "sh").symlink_to(shell)
    return folder


def test_what_is_there_is_not_built_again(tmp_path: Path, path: Path) -> None:
    program(binary(tmp_path), f"ollama version is {VERSION}")
    done = run(tmp_path, path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{binary(tmp_path)}\n", "")


def test_no_go(tmp_path: Path, path: Path) -> None:
    done = run(tmp_path, path)
    assert (done.returncode, done.stdout) == (2, "")
    wanted = ".".join(map(str, GO_MINIMUM))
    assert done.stderr.startswith(f"chimera: Go {wanted} or newer is needed to build Ollama")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("said", ["go1.19.8", "go1.24", "devel", ""])
def test_an_old_go(tmp_path: Path, path: Path, said: str) -> None:
    program(path / "go", said)
    done = run(tmp_path, path)
    assert done.returncode == 2
    assert f"this is {said or 'unknown'}" in done.stderr and done.stderr.count("\n") == 1


def test_no_compiler(tmp_path: Path, path: Path) -> None:
    program(path / "go", "go1.26.8")
    program(path / "gcc", "gcc")
    done = run(tmp_path, path)
    assert done.returncode == 2
    assert done.stderr == "chimera: g++ is needed to build Ollama (Debian: apt-get install g++)\n"


def test_a_build_that_takes_too_long_leaves_nothing_running(tmp_path: Path, path: Path) -> None:
    for name in ("gcc", "g++"):
        program(path / name, name)
    go = path / "go"
    go.write_text(
        '#!/bin/sh\n[ "$1" = env ] && echo go1.26.8 && exit\n'
        f'echo $$ > {tmp_path}/pid\nexec {sys.executable} -c "import time; time.sleep(600)"\n'
    )
    go.chmod(0o755)
    for name in ("miniaudio/miniaudio.h", "nlohmann/json.hpp", "nlohmann/json_fwd.hpp", "stb/stb_image.h"):
        header = tmp_path / "include" / name
        header.parent.mkdir(parents=True, exist_ok=True)
        header.touch()
    done = run(tmp_path, path)
    assert done.returncode == 2
    assert "Ollama can't be built: not done in time, run it again to go on" in done.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
