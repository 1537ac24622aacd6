"""What a user writes is typed: ``make check`` has mypy (strict) read this file, and each ``ignore`` must be needed.

The functions are called too, as far as they need no cluster.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from producer import ChimeraError, InputError, Plan, Results, Sweep, load_results, run


def sweep() -> Sweep:
    return Sweep(
        name="typed",
        workload={"kind": "agent", "paths": ["corpus"]},
        server={"kind": "ollama", "retries": 0},
        model="gemma3",
        axes={"temperature": [0.2, "default"], "num_ctx": [1024, None]},
        exclude=[{"temperature": 0.2, "num_ctx": "default"}],
        runs={"until": {"throughput": "1%"}},
        baseline={"temperature": 0.2, "num_ctx": 1024},
        warmup="unload",
    )


def best(results: Results) -> dict[str, float | None]:
    rates: dict[str, float | None] = {
        c.config: c.over_runs.throughput_tok_s.mean for c in results.configurations
    }
    times: list[float | None] = [record.ttft_ms for record in results.stages]
    place: int | None = results.ranking[0].rank
    return rates if times and place else {}


def test_a_sweep_and_its_plan_are_typed(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(corpus.parent)
    made = sweep()
    text: str = made.to_yaml()
    plan: Plan = made.plan()
    jobs: int = plan.size
    names: list[str] = [configuration.name for configuration in plan.configurations]
    assert (jobs, len(names), text[:5]) == (9, 3, "name:")


def test_results_are_typed(tmp_path: Path) -> None:
    with pytest.raises(ChimeraError) as caught:
        best(load_results(tmp_path))
    code: int = caught.value.exit_code
    assert code == 2


def test_wrong_types_are_told_before_it_runs() -> None:
    with pytest.raises(TypeError):
        Sweep(name="x", workload={}, server="ollama", runz=3)  # type: ignore[call-arg]
    with pytest.raises(InputError):
        Sweep(name="x", workload={}, server="vllm")  # type: ignore[arg-type]
    with pytest.raises(InputError):
        Sweep(name="x", workload={}, server="ollama", warmup="none")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        run(sweep(), progres=print)  # type: ignore[call-arg]
