"""Whole sweeps over real model servers: the demo's own parts, only shorter, and a real Ollama."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.stages_io import read_stages
from contracts.failures import SetupError
from producer.local_server import MODEL, check_installed
from tests.support.cluster import Shell
from tests.support.real_ollama import RealOllama, real_ollama
from tests.support.sweeps import write_sweep

__all__ = ["real_ollama"]


@pytest.fixture
def local_model() -> None:
    """The embedded model server can be started here."""
    try:
        check_installed()
    except SetupError as error:
        pytest.skip(str(error))


def test_a_real_model_is_measured_end_to_end(shell: Shell, corpus: Path, local_model: None) -> None:
    sweep = write_sweep(
        shell.folder,
        server={"kind": "openai", "api": "completions", "prompt_cache": False},
        model=MODEL,
        axes={"temperature": [0.0, 0.8], "num_predict": [12], "repeat_penalty": [1.1], "seed": [7]},
        runs=1,
        warmup=1,
        deadline=120,
    )
    code, output = shell.run("run", str(sweep), "--slots", "2", seconds=280)
    assert code == 0, output
    (folder,) = (shell.folder / "results" / "test").iterdir()
    stages = read_stages(folder)
    assert {s.slot for s in stages} == {"local0", "local1"}
    calls = [s for s in stages if s.stage in ("analysis", "report")]
    assert len(calls) == 4
    for call in calls:
        assert call.outcome == "truncated", call.reason
        assert call.tokens == 12 and call.eval_tokens == 11
        assert call.throughput_source == "server" and call.throughput_tok_s
        assert call.cached_tokens == 0
        assert call.load_ms is None  # llama.cpp does not say
        assert call.quantisation == "Q4_K - Medium" and call.context == 4096
        assert call.ttft_ms is not None and call.prompt_eval_ms is not None
        assert call.ttft_ms >= call.prompt_eval_ms
    assert shell.left_over() == []


def test_a_real_ollama_is_measured_cold_and_its_inert_axis_is_told(
    shell: Shell, corpus: Path, real_ollama: RealOllama
) -> None:
    sweep = write_sweep(
        shell.folder,
        server="ollama",
        model=MODEL,
        workload={"kind": "agent", "paths": ["corpus"], "digest_tokens": 64, "structured": "off"},
        axes={"num_gpu": [60, 99], "num_ctx": [2048], "num_predict": [12], "temperature": [0.0]},
        runs=1,
        warmup="unload",
        deadline=120,
    )
    code, output = shell.run("run", str(sweep), "--server", real_ollama.url, "--no-calibrate", seconds=280)
    assert code == 0, output
    (folder,) = (shell.folder / "results" / "test").iterdir()
    stages = read_stages(folder)
    calls = {(s.config, s.stage): s for s in stages if s.stage in ("analysis", "report")}
    assert len(calls) == 4
    for call in calls.values():
        assert call.outcome == "truncated", call.reason
        assert call.tokens == 12 and call.throughput_source == "server"
        assert (call.context, call.quantisation) == (2048, "Q4_K_M")
        assert call.server_version == real_ollama.version
        assert call.ttft_ms is not None and call.load_ms is not None and call.prompt_eval_ms is not None
        assert call.ttft_ms >= call.load_ms + call.prompt_eval_ms
    texts = {stage: {c.text for (_, s), c in calls.items() if s == stage} for stage in ("analysis", "report")}
    assert {len(found) for found in texts.values()} == {1}, (
        "the same seedless greedy text in both configurations"
    )
    summary = json.loads((folder / "summary.json").read_text())
    (inert,) = (entry for entry in summary["inert"] if entry["axis"] == "num_gpu")
    assert inert["asked"] == [60, 99]
    for configuration in summary["configurations"]:
        assert [entry["stage"] for entry in configuration["cold_calls"]] == ["analysis"]
    assert shell.left_over() == []


PAIR = {"kind": "agent-pair", "paths": ["corpus"], "digest_tokens": 64, "structured": "off"}


def pairs_of(folder: Path) -> list[dict[str, Any]]:
    pairs: list[dict[str, Any]] = json.loads((folder / "summary.json").read_text())["pairs"]
    return pairs


def test_two_agents_share_a_real_model(shell: Shell, corpus: Path, local_model: None) -> None:
    sweep = write_sweep(
        shell.folder,
        workload=PAIR,
        server={"kind": "llama.cpp", "prompt_cache": False},
        model=MODEL,
        axes={"num_predict": [12], "repeat_penalty": [1.1], "seed": [7]},
        runs=1,
        warmup=1,
        deadline=120,
    )
    code, output = shell.run("run", str(sweep), seconds=280)
    assert code == 0, output
    assert "2 requests at a time" in output
    (folder,) = (shell.folder / "results" / "test").iterdir()
    calls = [s for s in read_stages(folder) if s.stage in ("analysis", "report")]
    assert {(c.config, c.agent, c.agents) for c in calls} == {
        ("default", "A", 2),
        ("default", "B", 2),
        ("solo=A", "A", 1),
        ("solo=B", "B", 1),
    }
    for call in calls:
        assert call.outcome == "truncated", call.reason
        assert call.tokens == 12 and call.tokens_source == "server"
    # The persona is in the prompt that the server counted, and differs.
    prompts = {
        c.agent: c.prompt_tokens for c in calls if c.config.startswith("solo") and c.stage == "analysis"
    }
    assert prompts["A"] != prompts["B"]
    (pair,) = pairs_of(folder)
    assert pair["agents"] == ["A", "B"]
    begins = [
        min(c.sent_ns or 0 for c in calls if (c.config, c.agent) == ("default", agent)) for agent in "AB"
    ]
    first = min(c.ttft_ms or 0.0 for c in calls)
    assert abs(begins[0] - begins[1]) / 1e6 < first


def test_a_real_model_under_a_load(shell: Shell, local_model: None) -> None:
    sweep = write_sweep(
        shell.folder,
        workload={
            "kind": "prompts",
            "synthetic": {"input_tokens": 24, "output_tokens": 6},
            "requests": 8,
            "slo": {"ttft_ms": 60_000},
        },
        server={"kind": "llama.cpp", "prompt_cache": False},
        model=MODEL,
        axes={"concurrency": [2]},
        runs=1,
        warmup=1,
        deadline=120,
    )
    code, output = shell.run("run", str(sweep), seconds=280)
    assert code == 0, output
    (folder,) = (shell.folder / "results" / "test").iterdir()
    requests = [s for s in read_stages(folder) if s.stage == "request"]
    assert [r.request for r in sorted(requests, key=lambda r: r.due_ns or 0)] == list(range(1, 9))
    for request in requests:
        # After words without sense a small model may write six tokens of white space.
        assert request.outcome in ("truncated", "degenerate"), request.reason
        assert request.tokens == 6 and request.tokens_source == "server"
        # One word is about one token; the server adds one or two of its own.
        assert request.prompt_tokens is not None and 20 <= request.prompt_tokens <= 30
    (load,) = json.loads((folder / "summary.json").read_text())["loads"]
    assert load["config"] == "default"


def test_two_agents_on_a_real_ollama(shell: Shell, corpus: Path, real_ollama: RealOllama) -> None:
    sweep = write_sweep(
        shell.folder,
        server="ollama",
        model=MODEL,
        workload={**PAIR, "solo": False},
        axes={"num_ctx": [2048], "num_predict": [12], "temperature": [0.0]},
        runs=1,
        warmup=1,
        deadline=120,
    )
    code, output = shell.run("run", str(sweep), "--server", real_ollama.url, "--no-calibrate", seconds=280)
    assert code == 0, output
    (folder,) = (shell.folder / "results" / "test").iterdir()
    calls = [s for s in read_stages(folder) if s.stage in ("analysis", "report")]
    assert {(c.agent, c.stage) for c in calls} == {(a, s) for a in "AB" for s in ("analysis", "report")}
    assert all(c.tokens == 12 and c.load_ms is not None for c in calls)
    (pair,) = pairs_of(folder)
    assert pair["legacy"]["wall_s"] is not None
