"""The command line as shells, pipes, terminals and real model servers meet it."""

from __future__ import annotations

import fcntl
import http.server
import json
import os
import pty
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click
import httpx
import pytest

from contracts.failures import SetupError
from contracts.settings import BROKER, HOME
from contracts.slots import SlotStatus
from contracts.store import Store
from producer.cli import cli
from producer.cli.completing import ASK_S
from producer.documents import ExecutionDocument, InitDocument
from producer.embedded_redis import free_port
from producer.local_server import MODEL, check_installed, model_file
from producer.plan import make_plan
from producer.processes import Child
from producer.sweep_file import load
from tests.support.cluster import Cluster, start_reference_server, wait_for
from tests.support.command_line import http_server
from tests.support.real_ollama import RealOllama, real_ollama
from tests.support.sweeps import write_sweep
from tests.support.watched import NOW, begun

__all__ = ["real_ollama"]

ESCAPE = "\x1b"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A shell's, with ``chimera`` on its PATH and no broker."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "chimera"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m producer "$@"\n')
    program.chmod(0o755)
    kept = ("CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", BROKER)
    clean = {name: value for name, value in os.environ.items() if name not in kept}
    root = str(Path(__file__).resolve().parents[2])
    return clean | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": root,
        "TERM": "xterm",
        HOME: str(tmp_path / "home"),
    }


# --- completion ---------------------------------------------------------------------------------

_SCRIPTS = {
    "bash": (
        'eval "$(chimera completion bash)"',
        'COMPREPLY=(); COMP_WORDS=({words}); COMP_CWORD={at}; _chimera_completion chimera; echo "${{COMPREPLY[@]}}"',
    ),
    "zsh": (
        'autoload -Uz compinit && compinit -u; eval "$(chimera completion zsh)"; whence -w _chimera_completion',
        "COMP_WORDS='{words}' COMP_CWORD={at} _CHIMERA_COMPLETE=zsh_complete chimera | tr '\\n' ' '; echo",
    ),
    "fish": ("chimera completion fish | source", "complete -C '{words}' | cut -f 1 | tr '\\n' ' '; echo"),
}
"""What installs the completion in a shell, and what then completes a line."""


def completed(shell: str, environment: dict[str, str], *lines: str) -> list[list[str]]:
    """Return what a real shell completes of the last word of each line."""
    install, complete = _SCRIPTS[shell]
    script = [complete.format(words=line, at=len(line.split()) - 1) for line in lines]
    done = subprocess.run(
        [shell, "-c", "\n".join([install, *script])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    return [line.split() for line in done.stdout.splitlines()[-len(lines) :]]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_real_shell_completes_commands_and_options(shell: str, environment: dict[str, str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on PATH")
    commands, options = completed(shell, environment, "chimera st", "chimera status --wa")
    assert "status" in commands and "--watch" in options


def test_names_of_the_store_are_completed(environment: dict[str, str], store: Store, redis_url: str) -> None:
    begun(store, execution="x1")
    status = SlotStatus(
        slot="g7", pool="p", host="h", pid=1, server="http://h", max_deadline_s=60, models={}, seen_at=NOW
    )
    store.put_slot(status, ttl_s=60)
    lines = ("chimera status x", "chimera status te", "chimera cancel x", "chimera calibrate --slot g")
    found = completed("bash", environment | {BROKER: redis_url}, *lines)
    assert found == [["x1"], ["test"], ["x1"], ["g7"]]


def test_a_broker_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        monkeypatch.setenv(BROKER, f"redis://127.0.0.1:{deaf.getsockname()[1]}/0")
        command = cli.commands["calibrate"]
        slot = next(parameter for parameter in command.params if parameter.name == "names")
        began = time.monotonic()
        assert slot.shell_complete(click.Context(command), "g") == []
        # Redis' own client would wait for ever.
        assert time.monotonic() - began < ASK_S + 4


# --- pipes and terminals ------------------------------------------------------------------------


def in_terminal(command: list[str], environment: dict[str, str], seconds: float = 120) -> tuple[int, str]:
    """Run a command on a real terminal of 120 columns; return its exit code and all that it wrote."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written, until = bytearray(), time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    written += os.read(ours, 65536)
                except OSError:  # the last one has closed it
                    break
        return process.wait(10), written.decode(errors="replace").replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_a_run_in_pipes_and_on_terminals(
    cluster: Cluster, tmp_path: Path, corpus: Path, environment: dict[str, str]
) -> None:
    cluster.slot("s0", cluster.reference_server(ttft_ms=5, itl_ms=1, tokens=10))
    cluster.aggregator()
    sweep = write_sweep(tmp_path, runs=1)
    known = environment | {BROKER: cluster.url}
    run = ["chimera", "run", str(sweep), "--no-calibrate", "--results", str(tmp_path / "results")]

    done = subprocess.run(
        [*run, "--json"], env=known | {"FORCE_COLOR": "1"}, capture_output=True, text=True, check=True
    )
    document = ExecutionDocument.model_validate_json(done.stdout)
    assert document.status == "reported" and document.sweep == "test"
    assert document.report is not None and Path(document.report).is_file()
    assert document.ending is not None and len(document.ending.places) == 2
    assert "jobs 2/2 · 0 running · 0 failed" in done.stderr
    uncoloured = re.sub(rf"{ESCAPE}\[[0-9;]*m", "", done.stderr)
    assert uncoloured != done.stderr and not [c for c in uncoloured if c in "\r\x1b\b"]

    code, text = in_terminal(run, known | {"TERM": "dumb"})
    assert code == 0, text
    assert "jobs 2/2" in text and "\r" not in text and ESCAPE not in text

    code, text = in_terminal(run, known)
    assert code == 0 and "2/2" in text
    assert f"{ESCAPE}[?25l" in text and f"{ESCAPE}[?25h" in text  # the cursor is hidden, and shown again


# --- init ---------------------------------------------------------------------------------------


def written_for(url: str, folder: Path, environment: dict[str, str], *more: str) -> InitDocument:
    """Have ``chimera init`` look at a server; its file can be planned, and run by the command that is told."""
    file = folder / "mine.yaml"
    command = ["chimera", "init", str(file), "--server", url, "--json", "--force", *more]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    document = InitDocument.model_validate_json(done.stdout)
    assert document.server is not None and document.server.url == url
    spec = make_plan(load(file), file).spec
    assert (spec.server.kind, spec.model) == (document.server.kind, document.model)
    assert document.next[1] == f"chimera run {file} --server {url}"
    return document


@pytest.fixture
def only() -> Iterator[Callable[[str, str], str]]:
    """A proxy that passes on some paths of a server that speaks several protocols; its address."""
    servers = ExitStack()

    def start(url: str, beginning: str) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                passes = self.path.startswith(tuple(beginning.split()))
                answer = httpx.get(url + self.path) if passes else httpx.Response(404)
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return servers.enter_context(http_server(Handler))

    with servers:
        yield start


def test_init_knows_every_protocol_of_the_reference_server(
    tmp_path: Path, corpus: Path, environment: dict[str, str], only: Callable[[str, str], str]
) -> None:
    vllm, url = start_reference_server(tmp_path, "vllm", flavour="vllm", max_context=2048)
    llama, llama_url = start_reference_server(tmp_path, "llama", flavour="llama.cpp")
    try:
        native = written_for(url, tmp_path, environment)
        assert native.server is not None and native.server.kind == "ollama"
        assert "num_ctx: [2048]" in (tmp_path / "mine.yaml").read_text()
        openai = written_for(only(url, "/v1/ /version"), tmp_path, environment, "--workload", "agent-pair")
        assert openai.server is not None and openai.server.kind == "openai"
        assert openai.server.software is not None and openai.server.software.startswith("vLLM ")
        own = written_for(only(llama_url, "/v1/ /props"), tmp_path, environment, "--workload", "prompts")
        assert own.server is not None and own.server.kind == "llama.cpp"
    finally:
        vllm.stop_now()
        llama.stop_now()


def test_init_of_a_real_llama_cpp(tmp_path: Path, corpus: Path, environment: dict[str, str]) -> None:
    try:
        check_installed()
    except SetupError as error:
        pytest.skip(str(error))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["-m", "producer.local_server", "--model-file", str(model_file()), "--threads", "1"]
    command += ["--port", str(port), "--parallel", "2"]
    server = Child("llama.cpp", [sys.executable, *command], log=tmp_path / "llama.log")
    try:
        wait_for(lambda: _lists_models(url), seconds=120, what="llama.cpp answers")
        document = written_for(url, tmp_path, environment, "--workload", "prompts")
        assert document.server is not None
        assert (document.server.kind, document.model) == ("llama.cpp", MODEL)
        assert "the server answers 2 at a time" in (tmp_path / "mine.yaml").read_text()
    finally:
        server.stop_now()


def _lists_models(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/models", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_init_of_a_real_ollama(
    real_ollama: RealOllama, tmp_path: Path, corpus: Path, environment: dict[str, str]
) -> None:
    document = written_for(real_ollama.url, tmp_path, environment)
    assert document.server is not None
    assert (document.server.kind, document.server.software) == ("ollama", f"Ollama {real_ollama.version}")
    text = (tmp_path / "mine.yaml").read_text()
    assert "the model takes up to 32768" in text and "num_ctx: [4096]" in text


def test_init_s_errors_are_documents_too(tmp_path: Path, environment: dict[str, str]) -> None:
    command = ["chimera", "init", str(tmp_path / "x.yaml"), "--server", "http://127.0.0.1:1", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["kind"] == "setup"
    assert "Start the server" in done.stderr and not (tmp_path / "x.yaml").exists()
