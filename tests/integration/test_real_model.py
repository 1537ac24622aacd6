"""Whole sweeps over real model servers: the demo's own parts, only shorter, and a real Ollama."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.stages_io import read_stages
from contracts.failures import SetupError
from producer.local_server import MODEL, check_installed
from tests.support.cluster import Shell
from tests.support.real_ollama import RealOllama, real_ollama
from tests.support.sweeps import write_sweep

__all__ = ["real_ollama"]


def test_a_real_model_is_measured_end_to_end(shell: Shell, corpus: Path) -> None:
    try:
        check_installed()
    except SetupError as error:
        pytest.skip(str(error))
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
