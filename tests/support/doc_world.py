"""The prepared folder and cluster in which the commands of the documentation are executed as they stand."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from contracts.redis_client import connect
from contracts.settings import BROKER, HOME
from producer.embedded_redis import EmbeddedRedis, free_port
from tests.support.cluster import ROOT, Cluster
from tests.support.preloaded import client
from tests.support.synthetic import synthetic
from tests.support.synthetic_pairs import pair_sweep

LIMIT_S = 90.0
"""For one block; the slow ones are to be named in the table of what is not executed."""
COPIED = (
    "examples",
    "deploy",
    "k8s",
    "docker-compose.yml",
    ".env.example",
    "Makefile",
    "LICENSE",
    "requirements",
)
"""What the commands may read and change of a checkout."""
MODELS = ("ref", "gemma3-270m", "gemma3:latest", "gemma3:1b", "my-model")
PORTS = (5555, 9100, 9101, 9102, 11500, 11501)
"""Of the documentation; each becomes a free one."""

# ``chimera`` and ``python`` as the shell sees them: what serves until it is stopped is started beside the block, which goes on
# when that says that it is ready, and ends it politely when it is over itself: a worker's name is free again when it has left.
PREAMBLE = r"""
set -euo pipefail
SERVING=()
over() {
  local code=$?
  trap - EXIT
  [ -z "${EXECUTION:-}" ] || command chimera cancel "$EXECUTION" --now --no-wait >/dev/null 2>&1 || true
  [ ! -e "$DOC_LOGS/before.yaml" ] || mv "$DOC_LOGS/before.yaml" "$CHANGED"
  if [ ${#SERVING[@]} -gt 0 ]; then
    kill "${SERVING[@]}" 2>/dev/null || true
    (sleep 20 && kill -9 "${SERVING[@]}") 2>/dev/null &
    wait "${SERVING[@]}" || true
  fi
  exit $code
}
trap over EXIT
beside() {
  local log=$1; shift
  "$@" >"$log" 2>&1 </dev/null &
  SERVING+=($!)
}
still() { kill -0 "${SERVING[-1]}" 2>/dev/null || { cat "$1"; return 1; }; }
serve() {
  local ready=$1 log; shift
  log=$(mktemp "$DOC_LOGS/XXXXXX.log")
  beside "$log" "$@"
  until grep -q -e "$ready" "$log"; do still "$log" || return 1; sleep 0.05; done
}
chimera() {
  case " $* " in
    *" --help "*) command chimera "$@" ;;
    " worker "* | " aggregator "*) serve ' ready' chimera-program "$@" ;;
    " flower "*) serve 'Connected to' chimera-program "$@" ;;  # 'Visit me at' it says while it still imports
    " run "*" --server "*) (unset CHIMERA_BROKER && command chimera "$@" --no-calibrate) ;;
    " run "*) command chimera "$@" --no-calibrate ;;
    *) command chimera "$@" ;;
  esac
}
python() {
  case " $* " in
    *" --help "* | *" --list "*) command python "$@" ;;
    *" benchmarks.reference_server "*) serve '^http' python-program "$@" ;;
    *) command python "$@" ;;
  esac
}
running() {  # an execution of this sweep, long enough to be under way; it is cancelled when the block is over
  local log="$DOC_LOGS/running.log"
  CHANGED=$1
  cp "$1" "$DOC_LOGS/before.yaml"
  sed -i 's/^runs: .*/runs: 500/; s/^pool: .*/pool: rtx4080/' "$1"
  beside "$log" command chimera run "$1" --fresh --no-calibrate
  until EXECUTION=$(command chimera status "$1" --json | command python -c "$DOC_EXECUTION" 2>/dev/null); do
    still "$log" || return 1
    sleep 0.1
  done
}
"""

EXECUTION = """
import json, sys
print(next(e["execution"] for e in json.load(sys.stdin)["executions"] if e["status"] == "running" and e["done"]))
"""
"""Reads ``chimera status --json``: the id of what runs, once a job of it is done."""


@dataclass(frozen=True)
class Done:
    """What became of a block; ``returncode`` is bash's."""

    returncode: int
    output: str
    seconds: float


class World:
    """A folder like a fresh clone, in which a sweep has been measured, beside a Redis, an aggregator, slots and a model server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "chimera"
        self._logs = folder / "logs"
        self._home = folder / "home"
        for made in (self.folder, self._logs, self._home / "logs"):
            made.mkdir(parents=True)
        self._redis = EmbeddedRedis(self._home)
        self._cluster = Cluster(self._redis.url, self._logs)
        self._socket = str(self._logs / "chimera.socket")
        self._ports = {port: free_port() for port in PORTS}
        self._environment = self._make_environment()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        models = [f"--model={name}" for name in MODELS]
        server = self._cluster.python(
            "server",
            "-m",
            "benchmarks.reference_server",
            "--ttft-ms=2",
            "--itl-ms=0.2",
            "--tokens=16",
            *models,
        )
        server.wait_until(lambda: server.log.read_text().startswith("http"), seconds=30)
        self.server = server.log.read_text().split()[0]
        self._fill()
        starting = [
            self._cluster.python("preloaded", "-m", "tests.support.preloaded", self._socket),
            self._cluster.python("aggregator", "-m", "worker", "--aggregator"),
            *(
                self._cluster.python(
                    f"worker-{pool}",
                    "-m",
                    "worker",
                    "--slot",
                    f"slot-{pool}",
                    "--server",
                    self.server,
                    "--pool",
                    pool,
                )
                for pool in ("rtx4080", "local")
            ),
        ]
        store = self._cluster.store
        starting[0].wait_until(lambda: "ready" in starting[0].log.read_text(), seconds=60)
        csv = self.run("chimera export A --format csv --out stages.csv")
        assert csv.returncode == 0, csv.output
        starting[1].wait_until(lambda: store.has_aggregator() and len(store.slots()) == 2, seconds=60)

    def _fill(self) -> None:
        """The files: those of a checkout, and results and a text under the names that the documentation uses."""
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.folder / name)
            elif source.exists():
                shutil.copy(source, self.folder / name)
        (self.folder / ".venv").symlink_to(sys.prefix)
        quickstart = self.folder / "results" / "quickstart"
        for seed, names in enumerate((("A", "RESULTS", "BASELINE"), ("B", "CANDIDATE"))):
            measured = synthetic({"temperature": (0.2, 0.8)}, runs=5, seed=seed).write(quickstart / names[0])
            for name in names:
                (self.folder / name).symlink_to(measured)
        (quickstart / "quickstart_gemma3-270m_20261122T104207Z_1f2e3d4c").symlink_to(measured)
        pair = self.folder / "results" / "pair"
        pair_sweep().write(pair / "A")
        for name in ("TEXT.md", "report.md", "notes.md"):
            (self.folder / name).write_text("The dataset holds 3 CSV files.\n")
        for name in ("corpus", "data", "DIR"):
            (self.folder / name).symlink_to(self.folder / "examples" / "corpus")
        (self.folder / "flower.auth").write_text("watcher:a-long-password\n")
        (self.folder / "flower.auth").chmod(0o600)

    def _write_sweeps(self) -> None:
        sweep = {
            "name": "temperature",
            "workload": {"kind": "agent", "paths": ["examples/corpus/reports"]},
            "server": "ollama",
            "model": "ref",
            "axes": {"temperature": [0.2, 0.8]},
            "runs": 3,
            "deadline": 20,
            "pool": "rtx4080",
        }
        for name in ("sweep.yaml", "SWEEP.yaml"):
            (self.folder / name).write_text(yaml.safe_dump(sweep, sort_keys=False))

    def of_here(self, text: str) -> str:
        """Put this world's addresses in the place of those that the documentation shows."""
        text = re.sub(r"rediss?://[^\s'\"]*", self._redis.url, text)
        text = re.sub(
            r"http://(127\.0\.0\.1|localhost|[\w.-]+\.example):(11434|115\d\d|80\d\d)\b", self.server, text
        )
        text = re.sub(r"(?<=--address )\d+\.\d+\.\d+\.\d+", "127.0.0.1", text)
        text = re.sub(r"\b\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{8}\b", "$EXECUTION", text)
        for port, free in self._ports.items():
            text = re.sub(rf"(?<=[: ]){port}\b", str(free), text)
        if re.search(r"chimera flower(?!.*--port)", text):
            text = re.sub(r"(chimera flower)", rf"\1 --port {self._ports[5555]}", text)
        text = re.sub(r"\brun\((?=\w+[,)])(?!.*calibrate)", "run(calibrate=False, sweep=", text)
        return text.replace("/etc/chimera/", f"{self.folder}/").replace(
            "/var/lib/chimera/", f"{self.folder}/"
        )

    def run(self, script: str) -> Done:
        """Execute a block by bash; it ends what it has started, even where these tests are killed meanwhile."""
        said = self._logs / "said.log"
        self._write_sweeps()
        begun = time.monotonic()
        with said.open("w") as output:
            process = subprocess.Popen(
                ["timeout", "--kill-after=10", f"{LIMIT_S:g}", "bash", "-c", PREAMBLE + self.of_here(script)],
                cwd=self.folder,
                env=self._environment | {"DOC_LOGS": str(self._logs), "DOC_EXECUTION": EXECUTION},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                process.wait()
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        seconds = time.monotonic() - begun
        over = f"\nnot over after {LIMIT_S:g} s" if seconds >= LIMIT_S else ""
        return Done(process.returncode, said.read_text(errors="replace") + over, seconds)

    def _make_environment(self) -> dict[str, str]:
        """Programs on PATH: this Python's, and the same under names that no function of the shell hides."""
        programs = self._logs / "bin"
        programs.mkdir()
        (self._logs / "client.py").write_text(client(self._socket))
        self._program(programs / "chimera", f'exec {sys.executable} -IS {self._logs}/client.py "$@"')
        self._program(programs / "chimera-program", f'exec {sys.executable} -m producer "$@"')
        for name in ("python", "python3", "python-program"):
            self._program(programs / name, f'exec {sys.executable} "$@"')
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CHIMERA_")}
        return kept | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            BROKER: self._redis.url,
            HOME: str(self.folder / ".chimera"),
            "COLUMNS": "160",
        }

    @staticmethod
    def _program(path: Path, line: str) -> None:
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def stop(self) -> None:
        self._cluster.stop()
        connect(self._redis.url, retries=0).close()
        self._redis.child.stop_now()
