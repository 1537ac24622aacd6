"""tools/bootstrap.py says in one line what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def bootstrap(folder: Path, **environment: str) -> tuple[int, str]:
    (folder / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "bootstrap.py", folder / "tools")
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "x.lock").write_text("nothing-of-this-name==1.0 --hash=sha256:" + "0" * 64 + "\n")
    done = subprocess.run(
        [sys.executable, str(folder / "tools" / "bootstrap.py"), "x.lock"],
        env={
            **os.environ,
            "PIP_RETRIES": "1",
            "PIP_TIMEOUT": "2",
            "PIP_CONFIG_FILE": os.devnull,
            **environment,
        },
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PIP_INDEX_URL": "http://127.0.0.1:1/simple"}, "no network: the package index can't be reached"),
        ({"PIP_NO_INDEX": "1"}, "a package has no prebuilt wheel for this Python and platform"),
    ],
)
def test_a_failed_installation_is_one_line(
    tmp_path: Path, environment: dict[str, str], expected: str
) -> None:
    code, said = bootstrap(tmp_path, **environment)
    assert code == 2
    assert said.startswith(f"chimera: {expected}"), said
    assert said.count("\n") == 1


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    code, said = bootstrap(tmp_path, CHIMERA_BOOTSTRAP_NEEDS_MB=str(10**9))
    assert code == 2
    assert said.startswith("chimera: the disk is too full: ")
