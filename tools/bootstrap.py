"""Makes ``.venv`` from a lock file; standard library only, one clear line where something is missing.

python3 tools/bootstrap.py requirements/demo.lock
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOG = ROOT / ".venv-install.log"
NEEDED_MB = int(os.environ.get("CHIMERA_BOOTSTRAP_NEEDS_MB", "1500"))
MINIMUM = (3, 11)


def main() -> None:
    lock = ROOT / sys.argv[1]
    if sys.version_info < MINIMUM:
        fail(f"Python {'.'.join(map(str, MINIMUM))} or newer is needed, this is {sys.version.split()[0]}")
    stamp = VENV / f"installed-{lock.stem}"
    wanted = hashlib.sha256(lock.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    free_mb = shutil.disk_usage(ROOT).free // 2**20
    if free_mb < NEEDED_MB:
        fail(f"the disk is too full: {free_mb} MB free in {ROOT}, {NEEDED_MB} MB are needed")
    say(f"setting up .venv from {lock.relative_to(ROOT)} (the first time this downloads about 350 MB)")
    python = VENV / "bin" / "python"
    if not has_pip(python):
        make_venv()
    if not install_by_uv(python, lock):
        pip(python, "--require-hashes", "--only-binary", ":all:", "-r", str(lock))
    pip(python, "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    stamp.write_text(wanted)
    say(".venv is ready")


def has_pip(python: Path) -> bool:
    """Whether the environment is whole: one whose making was cut off is made again."""
    return (
        python.exists()
        and not subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode
    )


def make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    done = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        words = done.stdout + done.stderr
        if "ensurepip" in words:
            fail(
                "this Python can't make virtual environments: install its venv package (Debian: python3-venv)"
            )
        fail(f"can't make {VENV}: {last_line(words)}")


def install_by_uv(python: Path, lock: Path) -> bool:
    """Install with uv where the lock file has it: for the developers' it takes a tenth of pip's processor time.

    Returns whether all is installed. uv does not read pip's settings, such as an index of one's own: where it fails,
    pip tries, and says what is wrong.
    """
    pinned = re.search(r"^uv==.*(?:\n +--hash=.*)*", lock.read_text(), re.MULTILINE)
    if pinned is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        only_uv = Path(folder, "uv.lock")
        only_uv.write_text(pinned.group() + "\n")
        pip(python, "--require-hashes", "--only-binary", ":all:", "-r", str(only_uv))
    command = [str(python), "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    command += ["--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
    return not subprocess.run(command, capture_output=True, env=environment()).returncode


def pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    with LOG.open("w") as log:
        code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment()).returncode
    if code:
        fail(explain(LOG.read_text(errors="replace")))
    LOG.unlink()


def environment() -> dict[str, str]:
    # A PYTHONPATH of the user's would reach into the new environment.
    return {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}


def explain(words: str) -> str:
    where = f"(details: {LOG.name})"
    if "No space left" in words:
        return f"the disk is full {where}"
    if any(
        x in words
        for x in ("NewConnectionError", "Name or service not known", "Max retries", "ProxyError", "timed out")
    ):
        return f"no network: the package index can't be reached {where}"
    if "No matching distribution" in words or "Could not find a version" in words:
        return f"a package has no prebuilt wheel for this Python and platform: {last_line(words)} {where}"
    return f"pip failed: {last_line(words)} {where}"


def last_line(words: str) -> str:
    lines = [x.strip() for x in words.splitlines() if x.strip()]
    errors = [x for x in lines if x.startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[-1]


def say(line: str) -> None:
    print(f"chimera: {line}", flush=True)


def fail(line: str) -> None:
    print(f"chimera: {line}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
