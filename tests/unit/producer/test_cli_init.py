"""``chimera init``: real wire formats of the reference server, servers that are none, and what is written."""

from __future__ import annotations

import http.server
import io
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from contracts.failures import InputError, SetupError
from contracts.sweep import ServerKind, SweepSpec
from producer import init as module
from producer.init import InitOptions, init
from producer.init.servers import MAX_BYTES, NOTHING, USUAL, Server, look_at
from producer.init.sweep import EMBEDDED, WorkloadKind, found_paths, sweep_text
from producer.plan import make_plan
from producer.sweep_file import load
from tests.support.command_line import http_server

WORKLOADS: tuple[WorkloadKind, ...] = get_args(WorkloadKind)
KINDS: tuple[ServerKind, ...] = get_args(ServerKind)


def silent() -> Console:
    return Console(file=io.StringIO(), width=200)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens where servers usually do: a port that is bound, and not listened to, refuses."""
    monkeypatch.setattr(module, "USUAL", {"http://127.0.0.1:1": "nobody"})


# --- what is written ----------------------------------------------------------------------------


def server(kind: ServerKind, **more: object) -> Server:
    told = {"software": "Ollama 0.12", "model": "gemma3:1b", "url": "http://127.0.0.1:11434"} | more
    return Server(kind=kind, **told)  # type: ignore[arg-type]


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("context", [None, 512, 2048, 131_072])
def test_what_is_written_can_be_planned(
    tmp_path: Path, corpus: Path, workload: WorkloadKind, kind: ServerKind, context: int | None
) -> None:
    path = tmp_path / "mine.yaml"
    asked = server(kind, context=context, others=("b", "c: d"), parallel=2)
    path.write_text(sweep_text("mine", workload, asked, found_paths(tmp_path), ["chimera plan mine.yaml"]))
    spec = load(path)
    plan = make_plan(spec, path)
    assert (spec.name, spec.workload.kind, spec.server.kind) == ("mine", workload, kind)
    assert plan.baseline is not None and len(plan.configurations) >= 2
    values = spec.axes.given()
    assert max(value or 0 for value in values.get("num_ctx", (0,))) <= (context or 4096)
    assert max(value or 0 for value in values.get("num_predict", (0,))) <= (context or 4096)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_embedded_default_can_be_planned(tmp_path: Path, corpus: Path, workload: WorkloadKind) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(sweep_text("mine", workload, EMBEDDED, ["corpus"], []))
    assert make_plan(load(path), path).spec.model == "gemma3-270m"


@settings(max_examples=30, deadline=None)
@given(name=st.text(max_size=80), model=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_whatever_a_model_or_a_file_is_called_it_is_yaml(name: str, model: str) -> None:
    text = sweep_text(name, "prompts", server("openai", model=model, others=(model, "x")), [], [])
    spec = SweepSpec.model_validate(yaml.safe_load(text))
    assert spec.model == model


def test_every_key_that_one_changes_first_has_a_comment() -> None:
    for line in sweep_text("x", "agent", server("ollama"), ["corpus"], []).splitlines():
        if line and not line.startswith(("#", "name:", "workload:", "server:")):
            assert "  # " in line, line


def test_lines_are_not_too_long() -> None:
    asked = server("ollama", others=tuple(f"model-{n}:latest" for n in range(50)))
    for workload in WORKLOADS:
        text = sweep_text("x", workload, asked, ["corpus"], [])
        assert max(map(len, text.splitlines())) <= 130
        assert "and 40 more" in text


# --- what an agent could read -------------------------------------------------------------------


def test_a_folder_that_is_there_is_named_and_else_files(tmp_path: Path) -> None:
    assert found_paths(tmp_path) == []
    for name in ("b.md", "a.csv", ".hidden.json", "c.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "docs").mkdir()
    assert found_paths(tmp_path) == ["a.csv", "b.md"]
    (tmp_path / "docs" / "x.md").write_text("x")
    assert found_paths(tmp_path) == ["docs"]


# --- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize("files", [True, False], ids=["files", "no files"])
def test_without_a_server_it_is_for_the_embedded_one(tmp_path: Path, nobody: None, files: bool) -> None:
    if files:
        (tmp_path / "notes.md").write_text("# Notes")
    path, console = tmp_path / "sweep.yaml", silent()
    document = init(InitOptions(path), console)
    assert (document.server, document.model) == (None, "gemma3-270m")
    assert document.workload == ("agent" if files else "prompts")
    assert document.looked_at == {"http://127.0.0.1:1": NOTHING}
    assert "no model server at the usual ports" in said(console) and "next: chimera plan" in said(console)
    make_plan(load(path), path)


def test_an_agent_that_has_nothing_to_read_is_told(tmp_path: Path, nobody: None) -> None:
    console = silent()
    init(InitOptions(tmp_path / "sweep.yaml", workload="agent"), console)
    assert "name yours under 'paths'" in said(console)
    with pytest.raises(InputError, match="no csv, json or md file"):
        make_plan(load(tmp_path / "sweep.yaml"), tmp_path / "sweep.yaml")


def test_it_never_overwrites_unless_it_is_forced(tmp_path: Path, nobody: None) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("mine")
    with pytest.raises(InputError, match="exists: give another FILE, or --force"):
        init(InitOptions(path), silent())
    assert path.read_text() == "mine"
    init(InitOptions(path, force=True), silent())
    assert path.read_text().startswith("# ")
    link = tmp_path / "link.yaml"
    link.symlink_to(tmp_path / "nowhere.yaml")
    with pytest.raises(InputError, match="exists"):
        init(InitOptions(link), silent())


@pytest.mark.parametrize(
    ("file", "expected"),
    [("nowhere/s.yaml", "no such folder: make it"), (".", "is a folder: give the name of a file in it")],
    ids=["no folder", "a folder"],
)
def test_a_place_that_is_none_is_told_before_anybody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, expected: str
) -> None:
    monkeypatch.setattr(module, "look_at", None)
    with pytest.raises(InputError, match=expected):
        init(InitOptions(tmp_path / file), silent())


def test_standard_output_is_the_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nobody: None, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    init(InitOptions(Path("-"), workload="prompts"), silent())
    assert SweepSpec.model_validate(yaml.safe_load(capsys.readouterr().out)).name == "sweep"
    with pytest.raises(InputError, match="both want standard output"):
        init(InitOptions(Path("-"), as_json=True), silent())


@pytest.mark.parametrize("url", ["127.0.0.1:1", "ftp://h", "http://", "http://[::1", "x"])
def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="--server must be an http:// or https:// address"):
        init(InitOptions(tmp_path / "s.yaml", server=url), silent())


# --- servers that are none ----------------------------------------------------------------------

Answers = Callable[[http.server.BaseHTTPRequestHandler], None]


@pytest.fixture
def serving() -> Iterator[Callable[[Answers], str]]:
    """A real HTTP server whose every GET and POST is answered by a function; its address."""
    servers = ExitStack()

    def start(answer: Answers) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        return servers.enter_context(http_server(Handler))

    with servers:
        yield start


def body(handler: http.server.BaseHTTPRequestHandler, content: bytes, status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def by_path(**answers: object) -> Answers:
    """Answer JSON by path, ``api_tags`` for /api/tags; else 404."""

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        found = answers.get(handler.path.strip("/").replace("/", "_"))
        body(handler, json.dumps(found).encode(), 404 if found is None else 200)

    return answer


def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass


def dripping(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" ")
            time.sleep(0.05)
    except OSError:
        pass


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda h: body(h, b"<html>hello</html>"), "not as Ollama, llama.cpp or OpenAI do (HTTP 200)"),
        (lambda h: body(h, b"oops", 500), "not as Ollama, llama.cpp or OpenAI do (HTTP 500)"),
        (lambda h: body(h, b"", 401), "it wants a password or a key"),
        (lambda h: body(h, b"[" * 100_000), "not as Ollama"),
        (lambda h: body(h, b'{"version": ["x"], "models": 7, "data": {"id": 1}}'), "not as Ollama"),
        (endless, f"more than {MAX_BYTES >> 20} MiB"),
        (lambda h: h.wfile.write(b"SSH-2.0-x\r\n"), "no HTTP as a model server speaks it"),
        (by_path(api_version={"version": "1"}, api_tags={"models": []}), "ollama pull"),
        (by_path(v1_models={"data": []}), "has no model"),
        (
            by_path(v1_models={"data": [{"id": "\x1b[2J"}, {"id": "x" * 999}, 7, {"id": None}]}),
            "has no model",
        ),
    ],
    ids=["html", "500", "401", "nested", "types", "huge", "ssh", "no model", "no model openai", "hostile"],
)
def test_what_is_no_model_server_is_said_to_be_none(
    serving: Callable[[Answers], str], tmp_path: Path, answer: Answers, expected: str
) -> None:
    url = serving(answer)
    (look,) = look_at([url], 10)
    assert look.server is None and expected in look.said
    with pytest.raises(SetupError, match="leave --server ") as caught:
        init(InitOptions(tmp_path / "s.yaml", server=url), silent())
    assert expected in str(caught.value) and not (tmp_path / "s.yaml").exists()
    with pytest.raises(SetupError, match="without /v1"):  # as clients of OpenAI take it
        init(InitOptions(tmp_path / "s.yaml", server=f"{url}/v1/"), silent())


@pytest.mark.parametrize("answer", [dripping, None], ids=["a byte now and then", "nothing at all"])
def test_a_slow_server_is_not_waited_for(serving: Callable[[Answers], str], answer: Answers | None) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}" if answer is None else serving(answer)
        began = time.monotonic()
        (look,) = look_at([url], 0.3)
        assert time.monotonic() - began < 5
    assert look.server is None and look.said == "no answer within 0.3 s"


def test_no_password_is_shown_or_written(serving: Callable[[Answers], str], tmp_path: Path) -> None:
    url = serving(by_path(v1_models={"data": [{"id": "m", "owned_by": "vllm", "max_model_len": 1024}]}))
    secret = url.replace("http://", "http://user:geheim123@")
    console = silent()
    document = init(InitOptions(tmp_path / "s.yaml", server=secret, workload="prompts"), console)
    everything = said(console) + document.model_dump_json() + (tmp_path / "s.yaml").read_text()
    assert "geheim123" not in everything and url in everything
    assert document.server is not None
    assert (document.server.kind, document.server.software) == ("openai", "vLLM")


def test_embedding_models_are_passed_over_and_the_loaded_one_comes_first(
    serving: Callable[[Answers], str],
) -> None:
    models = [{"name": name} for name in ("embed", "small", "large")]

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        if handler.path == "/api/show":
            asked = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))["model"]
            info = {"general.architecture": "g", "g.context_length": 8192, "g.block_count": 26}
            able = ["embedding"] if asked == "embed" else ["completion"]
            return body(handler, json.dumps({"model_info": info, "capabilities": able}).encode())
        answers = {"api_version": {"version": "0.12"}, "api_tags": {"models": models}, "api_ps": loaded}
        return by_path(**answers)(handler)

    loaded: dict[str, object] = {"models": []}
    url = serving(answer)
    first = look_at([url], 10)[0].server
    assert first is not None and (first.model, first.context, first.layers) == ("small", 8192, 26)
    assert first.others == ("embed", "large")
    loaded["models"] = [{"name": "large"}]
    second = look_at([url], 10)[0].server
    assert second is not None and second.model == "large"


def test_the_usual_addresses_are_of_this_machine() -> None:
    assert all(url.startswith("http://127.0.0.1:") for url in USUAL)
