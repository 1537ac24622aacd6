"""Runs tests under every supported Python that this machine has, but the one of ``.venv``: ``make versions``.

.venv/bin/python tools/versions.py TEST…

Looks for ``python3.11`` … on the PATH and for pyenv's. Each gets an environment from ``requirements/dev.lock``
(``.venv-3.12``, …), all modules are imported, and the tests are run. Exit code 1: something failed under one of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUPPORTED = ("3.11", "3.12", "3.13")
IMPORT_ALL = """
import importlib, pkgutil
for top in ("contracts", "dispatch", "analysis", "producer", "worker", "benchmarks"):
    for found in pkgutil.walk_packages(importlib.import_module(top).__path__, top + "."):
        if not found.name.endswith(("__main__", "flower_config")):
            importlib.import_module(found.name)
"""
"""Imports every module but those that do something when they are imported."""


def interpreter(version: str) -> Path | None:
    """Return an interpreter of a version that starts; ``None``: this machine has none."""
    named = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for path in ([Path(named)] if named else []) + sorted(pyenv.glob(f"{version}.*/bin/python{version}")):
        if not subprocess.run([path, "-c", "import venv"], capture_output=True).returncode:
            return path
    return None


def environment(version: str, python: Path) -> Path:
    """Return the interpreter of an environment with all that the tests need."""
    folder = ROOT / f".venv-{version}"
    lock = ROOT / "requirements" / "dev.lock"
    stamp = folder / "installed"
    if not stamp.is_file() or stamp.read_bytes() != lock.read_bytes():
        uv = [sys.executable, "-m", "uv"]
        options = ["--quiet", "--python", str(folder / "bin" / "python")]
        subprocess.run([*uv, "venv", "--quiet", "--clear", f"--python={python}", str(folder)], check=True)
        subprocess.run([*uv, "pip", "install", *options, "--require-hashes", "-r", str(lock)], check=True)
        subprocess.run(
            [*uv, "pip", "install", *options, "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
            check=True,
        )
        stamp.write_bytes(lock.read_bytes())
    return folder / "bin" / "python"


def passes(python: Path, tests: list[str]) -> bool:
    """Whether all modules can be imported and all tests pass."""
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    # The worker's module wants to know its broker when it is imported; it does not ask it.
    broker = {"CHIMERA_BROKER": "redis://127.0.0.1:1/0"}
    imports = subprocess.run([python, "-c", IMPORT_ALL], cwd=ROOT, env={**os.environ, **broker})
    command = [str(python), "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *tests]
    return (
        not imports.returncode
        and not subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}).returncode
    )


def main(tests: list[str]) -> int:
    failed = False
    for version in SUPPORTED:
        if version == f"{sys.version_info.major}.{sys.version_info.minor}":
            continue
        python = interpreter(version)
        if python is None:
            print(f"chimera: Python {version} is not tested: this machine has none", flush=True)
            continue
        begin_s = time.monotonic()
        print(f"chimera: Python {version}", flush=True)
        try:
            ok = passes(environment(version, python), tests)
        except subprocess.CalledProcessError:
            ok = False
        failed = failed or not ok
        took_s = time.monotonic() - begin_s
        print(f"chimera: Python {version}: {'passed' if ok else 'FAILED'} in {took_s:.0f} s", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
