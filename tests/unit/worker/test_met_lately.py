"""Who the server is: asked for anew by time, by configuration, and where a call speaks for a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts.jobs import JobMaker
from contracts.outcome import JobOutcome
from contracts.settings import WorkerSettings
from producer.manifest import make_manifest
from producer.plan import make_plan
from producer.sweep_file import load
from tests.support.cluster import start_reference_server
from tests.support.sweeps import write_sweep
from worker import identifying as module
from worker.job import Started, measure
from worker.servers.ollama import OllamaServer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that a server was asked for."""
    found: list[str] = []
    identify = OllamaServer.identify

    async def counted(self: OllamaServer, model: str) -> object:
        found.append(model)
        return await identify(self, model)

    monkeypatch.setattr(OllamaServer, "identify", counted)
    monkeypatch.setattr(module, "_lately", {})
    return found


@pytest.fixture
def run(tmp_path: Path, corpus: Path) -> Iterator[Callable[..., JobOutcome]]:
    server, url = start_reference_server(tmp_path, ttft_ms=5, itl_ms=1, tokens=50)
    settings = WorkerSettings("s0", "test", url, None, 60.0)

    def once(**changes: object) -> JobOutcome:
        sweep = write_sweep(tmp_path, **({"axes": {"temperature": [0.5]}, "runs": 1} | changes))
        maker = JobMaker.of(make_manifest(make_plan(load(sweep), sweep)), str(tmp_path))
        outcome = measure(maker.job(next(maker.units()).jobs[0]), Started.now(settings, 1))
        assert outcome.server is not None and outcome.server.software == "Ollama"
        return outcome

    yield once
    server.stop_now()


def test_jobs_of_one_load_ask_once(asked: list[str], run: Callable[..., JobOutcome]) -> None:
    first = run()
    assert len(asked) == 2, "before and after: only then it is known what the model was loaded with"
    assert run(axes={"temperature": [0.9]}).server == first.server
    assert len(asked) == 2


def test_another_load_asks_anew(asked: list[str], run: Callable[..., JobOutcome]) -> None:
    run()
    run(axes={"num_ctx": [2048]})
    assert len(asked) == 4


def test_after_a_while_it_is_asked_anew(
    asked: list[str], run: Callable[..., JobOutcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LATELY_NS", -1)
    run()
    run()
    assert len(asked) == 4


def test_a_load_seen_in_a_call_asks_anew(
    asked: list[str], run: Callable[..., JobOutcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    monkeypatch.setattr(module, "LOADED_NS", -1)
    run()
    assert len(asked) == 3, "before: who it was lately; after: asked"
