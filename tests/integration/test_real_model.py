"""The demo's own parts: embedded Redis, llama.cpp with a real model, workers; only shorter."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.stages_io import read_stages
from contracts.failures import SetupError
from producer.local_server import MODEL, check_installed
from tests.support.cluster import Shell
from tests.support.sweeps import write_sweep


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
