"""A small real cluster: reference servers, workers and an aggregator, each in its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from contracts.outcome import JobOutcome
from contracts.redis_client import connect
from contracts.settings import BROKER, HOME
from contracts.store import Store
from producer.processes import Child

try:
    import coverage
except ImportError:  # where nobody asks for it
    coverage = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parents[2]
POOL = "test"
READY_S = 60.0


def wait_for(condition: Callable[[], Any], *, seconds: float = 60.0, what: str = "") -> Any:
    """Wait until ``condition()`` is true and return its value; fail the test when the time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what or condition}")


def is_covered() -> bool:
    """Return whether the tests run under coverage."""
    return coverage is not None and coverage.Coverage.current() is not None


def measured(*arguments: str) -> list[str]:
    """Return the arguments of an interpreter that runs ``-m MODULE …``: under coverage, where the tests are.

    Not for processes that measure: a slot's worker and model servers would be slowed down.
    """
    if not is_covered():
        return [*arguments]
    options = [f"--rcfile={ROOT / 'pyproject.toml'}", f"--data-file={ROOT / '.coverage'}"]
    return ["-m", "coverage", "run", *options, *arguments]


def start_reference_server(
    folder: Path, name: str = "reference", **options: float | str
) -> tuple[Child, str]:
    """Start a reference server; return it and its address."""
    arguments = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
    log = folder / f"{name}.log"
    child = Child(name, [sys.executable, "-m", "benchmarks.reference_server", *arguments], log=log)
    child.wait_until(lambda: log.read_text().startswith("http"), seconds=READY_S)
    return child, log.read_text().split()[0]


def calls_of(server_url: str) -> list[dict[str, Any]]:
    """Return the reference server's log of its generations."""
    requests: list[dict[str, Any]] = httpx.get(f"{server_url}/log").json()["requests"]
    return requests


class Cluster:
    """Processes on one broker; all are stopped by :meth:`stop`."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.store = Store(connect(url))
        self.workers: dict[str, Child] = {}
        self._children: list[Child] = []

    def reference_server(self, name: str = "reference", **options: float | str) -> str:
        child, url = start_reference_server(self.folder, name, **options)
        self._children.append(child)
        return url

    def aggregator(self) -> Child:
        """Start the aggregator and wait until it is live."""
        aggregator = self.python("aggregator", *measured("-m", "worker", "--aggregator"))
        aggregator.wait_until(self.store.has_aggregator, seconds=READY_S)
        return aggregator

    def slot(self, name: str, server: str, *, pool: str = POOL, max_deadline: float = 60) -> Child:
        """Start a slot's worker and wait until it is live."""
        arguments = ["--slot", name, "--server", server, "--pool", pool, "--max-deadline", str(max_deadline)]
        worker = self.python(f"worker-{name}", "-m", "worker", *arguments)
        worker.wait_until(lambda: self.store.slot(name) is not None, seconds=READY_S)
        self.workers[name] = worker
        return worker

    def start_run(self, sweep: Path, *arguments: str) -> Child:
        """Start ``chimera run`` in the background."""
        command = ["-m", "producer", "run", str(sweep), "--results", str(self.folder / "results"), *arguments]
        if "--calibrate" not in arguments:
            command.append("--no-calibrate")
        return self.python(f"run-{len(self._children)}", *measured(*command))

    def run(self, sweep: Path, *arguments: str, seconds: float = 120) -> tuple[str, Path]:
        """Run a sweep to its end; return what was printed and the results folder."""
        run = self.start_run(sweep, *arguments)
        wait_for(lambda: not run.alive, seconds=seconds, what="chimera run ends")
        text = run.log.read_text()
        assert run.returncode == 0, text
        return text, Path(text.rpartition("report: ")[2].strip()).parent

    def outcomes(self, execution: str) -> list[JobOutcome]:
        return list(self.store.outcomes(execution, sorted(self.store.jobs_done(execution))))

    def stop(self) -> None:
        for child in reversed(self._children):
            if is_covered() and child.name == "aggregator":
                child.stop(signal.SIGTERM, seconds=10)  # what is killed does not tell what it has run
            else:
                child.stop_now()

    def python(self, name: str, *arguments: str) -> Child:
        environment = {BROKER: self.url, "COLUMNS": "200"}
        log = self.folder / f"{name}.log"
        child = Child(name, [sys.executable, *arguments], log=log, environment=environment)
        self._children.append(child)
        return child


class Shell:
    """``chimera`` as a user types it, with an embedded Redis in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.environment = {**os.environ, HOME: str(self.home), "COLUMNS": "200"}
        self.environment.pop(BROKER, None)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        if arguments[0] == "run" and "--calibrate" not in arguments:
            arguments = (*arguments, "--no-calibrate")
        return subprocess.Popen(
            [sys.executable, *measured("-m", "producer", *arguments)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, seconds: float = 120) -> tuple[int, str]:
        """Run to the end; return exit code and output."""
        process = self.start(*arguments)
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=30)
            raise AssertionError(f"not within {seconds:g} s: {output}") from None
        return process.returncode, output

    def left_over(self) -> list[str]:
        """Return the processes that still carry this shell's home in their environment."""
        marker = f"{HOME}={self.home}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if marker in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found
