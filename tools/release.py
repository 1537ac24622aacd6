"""Builds what is released, checks it, and measures with it: ``make release``.

python tools/release.py [--out dist]

1. sdist out of a clean copy of the last commit; wheel out of that sdist.
2. The wheel holds every file of the packages and nothing else; its metadata are valid.
3. Two empty environments outside the tree are made from the lock files, the wheel is installed into them without
   an index, and what is in them is written down (CycloneDX).
4. In an empty folder, with the real model server: version, ``chimera init``, plan, and the run of the quickstart.

Exit code 1: something is wrong with what was built; it says what.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from packaging.metadata import Metadata

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("analysis", "contracts", "dispatch", "producer", "worker")
REFERENCE_SERVER = ("benchmarks/__init__.py", "benchmarks/reference_server/")
"""All of the benchmarks that is in the wheel: ``chimera calibrate`` needs it."""
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


class ReleaseError(Exception):
    """What was built can't be released."""


def build(root: Path, out: Path) -> Path:
    """Build the sdist from a folder, and the wheel from that sdist; return the wheel."""
    hatch(root, "sdist", out)
    (sdist,) = out.glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as temporary:
        with tarfile.open(sdist) as tar:
            tar.extractall(temporary, filter="data")
        (unpacked,) = Path(temporary).iterdir()
        hatch(unpacked, "wheel", out)
    (wheel,) = out.glob("*.whl")
    return wheel


def hatch(root: Path, target: str, out: Path) -> None:
    run([sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)], cwd=root)


@contextmanager
def last_commit(root: Path) -> Iterator[Path]:
    """Hold a clean copy of the last commit."""
    with tempfile.TemporaryDirectory() as temporary:
        archive = Path(temporary, "tree.tar")
        run(["git", "archive", "--format=tar", f"--output={archive}", "HEAD"], cwd=root)
        tree = Path(temporary, "tree")
        with tarfile.open(archive) as tar:
            tar.extractall(tree, filter="data")
        yield tree


def wanted(root: Path) -> set[str]:
    """Return the files that a wheel of this source tree must hold, relative to the tree."""
    folders = [root / name for name in PACKAGES] + [root / "benchmarks"]
    names = {
        path.relative_to(root).as_posix()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return {name for name in names if name.startswith((*(f"{p}/" for p in PACKAGES), *REFERENCE_SERVER))}


def problems(wheel: Path, files: set[str]) -> list[str]:
    """Return a line for each thing that is wrong with a wheel that should hold these files."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        about = {
            PurePosixPath(name).name: archive.read(name)
            for name in archive.namelist()
            if ".dist-info/" in name
        }
    found = [f"{name} is missing" for name in sorted(files - held)]
    found += [f"{name} should not be in it" for name in sorted(held - files)]
    found += [f"{name}/py.typed is missing" for name in PACKAGES if f"{name}/py.typed" not in held]
    if "LICENSE" not in about:
        found.append("the licence's text is missing")
    try:
        metadata = Metadata.from_email(about["METADATA"], validate=True)
    except ExceptionGroup as group:
        return [*found, *(f"metadata: {error}" for error in group.exceptions)]
    if metadata.description_content_type != "text/markdown" or not metadata.description:
        found.append("metadata: no description")
    if metadata.license_expression is None:
        found.append("metadata: no licence expression")
    return found


def make_environment(folder: Path) -> Path:
    """Make an empty virtual environment, without pip too; return its interpreter."""
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    return folder / SCRIPTS / "python"


def install(python: Path, *arguments: str) -> None:
    """Install with this interpreter's pip into another one's environment."""
    pip = [sys.executable, "-m", "pip", f"--python={python}", "--quiet", "--disable-pip-version-check"]
    run([*pip, "install", *arguments], cwd=python.parent)


def install_release(python: Path, wheel: Path, lock: str, extras: str) -> None:
    """Install a lock file by its hashes, then the wheel; what the wheel asks for must be in the lock file."""
    install(python, "--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "requirements" / lock))
    version = wheel.name.split("-")[1]
    install(python, "--no-index", "--find-links", str(wheel.parent), f"chimera-bench{extras}=={version}")


def write_sbom(python: Path, root: Path, path: Path, *arguments: str) -> None:
    """Write what is installed in an environment, with its licences, as CycloneDX; the same bytes each time.

    Raises:
        ReleaseError: it names a path of this machine.
    """
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--of", "JSON"]
    pyproject = str(root / "pyproject.toml")
    run([*command, *arguments, "--pyproject", pyproject, "-o", str(path), str(python)], cwd=path.parent)
    text = path.read_text(encoding="utf-8")
    places = {str(place) for place in (python.parents[1], root, Path.home(), Path(tempfile.gettempdir()))}
    if named := sorted(place for place in places if place in text):
        raise ReleaseError(f"{path.name} names a folder of this machine: {', '.join(named)}")


def environment(home: Path, **more: str) -> Mapping[str, str]:
    """Return this process's environment without anything that points at a tree, a broker or another home."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CHIMERA_", "PYTHON", "VIRTUAL_ENV"))}
    return kept | {"CHIMERA_HOME": str(home), "COLUMNS": "120"} | more


def run(command: list[str], cwd: Path, env: Mapping[str, str] | None = None, limit_s: float = 1200) -> str:
    """Run to the end and return what was printed.

    Raises:
        ReleaseError: it failed or took too long.
    """
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise ReleaseError(f"{' '.join(command[:4])}: not done in {limit_s:g} s") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-3000:]
        raise ReleaseError(f"{' '.join(command[:4])}: exit code {done.returncode}\n{said}")
    return done.stdout


def say(line: str) -> None:
    print(f"chimera: {line}", flush=True)


def release(out: Path) -> None:
    """Do all steps; what was built is left in ``out``."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with last_commit(ROOT) as tree, tempfile.TemporaryDirectory(prefix="chimera-release-") as temporary:
        say("building from the last commit")
        wheel = build(tree, out)
        if found := problems(wheel, wanted(tree)):
            raise ReleaseError(f"{wheel.name}:\n  " + "\n  ".join(found))
        stem = wheel.name.split("-py3-")[0]
        for lock, extras, name in (
            ("runtime.lock", "", "runtime"),
            ("demo.lock", "[local,parquet]", "local"),
        ):
            say(f"installing {wheel.name}{extras} into an empty environment")
            python = make_environment(Path(temporary, name))
            install_release(python, wheel, lock, extras)
            write_sbom(python, tree, out / f"{stem}-{name}.cdx.json")
        measure(python, tree, Path(temporary))
    say("ready: " + ", ".join(path.name for path in sorted(out.iterdir())))


def measure(python: Path, tree: Path, temporary: Path) -> None:
    """Do in an empty folder what a new user would do."""
    folder = temporary / "empty"
    folder.mkdir()
    env = environment(temporary / "home")
    chimera = str(python.parent / "chimera")
    say(run([chimera, "--version"], folder, env).strip())
    run([chimera, "init", "sweep.yaml"], folder, env)
    run([chimera, "plan", "sweep.yaml"], folder, env)
    shutil.copytree(tree / "examples", folder / "examples")
    say("running examples/quickstart.yaml with the embedded parts (some minutes)")
    printed = run([chimera, "run", "examples/quickstart.yaml"], folder, env)
    reports = list(folder.glob("results/*/*/report.html"))
    if len(reports) != 1:
        raise ReleaseError(f"{len(reports)} reports instead of one:\n{printed[-3000:]}")
    say("the run ended with its report")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/release.py", description="Build and check a release.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="default: dist")
    try:
        release(parser.parse_args().out.absolute())
    except ReleaseError as error:
        print(f"chimera: not to be released: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
