"""A reference server on a port of its own, to be killed, frozen, and started again as another one.

``python -m benchmarks.chaos.model_server`` is the reference server with one scenario more: ``out-of-memory``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.chaos.ports import steady_port
from benchmarks.reference_server.__main__ import main
from benchmarks.reference_server.scenarios import SCENARIOS
from benchmarks.reference_server.scene import Scene
from benchmarks.reference_server.script import Script
from producer.processes import Child

READY_S = 60.0


class ModelServer:
    """One slot's server. It is not waited for: a worker waits for its server."""

    def __init__(self, folder: Path, name: str, **schedule: float) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._port = steady_port()
        self._schedule = schedule
        self._before: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self._port}"
        self.child = self._start("normal")

    def start(self, scenario: str = "normal") -> None:
        """Start it again on its port; every call goes as ``scenario`` says."""
        self.stop()
        self.child = self._start(scenario)

    def freeze(self) -> None:
        """Stop it in its tracks: connections stay, nothing is sent."""
        os.kill(self.child.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.child.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it with SIGKILL, as a crash would."""
        with contextlib.suppress(httpx.HTTPError):
            self._before = self._logged()
        self.child.stop_now()

    def calls(self) -> list[dict[str, Any]]:
        """Return the log of its generations (:class:`benchmarks.reference_server.log.RequestLog`), also of those
        before it was stopped; waits for a server that has just been started."""
        until = time.monotonic() + READY_S
        while self.child.alive:
            try:
                return self._logged()
            except httpx.ConnectError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        return self._before

    def _logged(self) -> list[dict[str, Any]]:
        now: list[dict[str, Any]] = httpx.get(f"{self.url}/log", timeout=5).json()["requests"]
        return self._before + now

    def _start(self, scenario: str) -> Child:
        options = {"port": self._port, "scenario": scenario, **self._schedule}
        arguments = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        command = [sys.executable, "-m", "benchmarks.chaos.model_server", *arguments]
        return Child(f"the server {self.name}", command, log=self._log)


def out_of_memory(scene: Scene) -> Script:
    """Status 500, as Ollama says that a GPU's memory does not do."""
    return scene.refusal(
        500, "llama runner process has terminated: cudaMalloc failed: out of memory", "server_error"
    )


if __name__ == "__main__":
    SCENARIOS["out-of-memory"] = out_of_memory
    sys.exit(main())
