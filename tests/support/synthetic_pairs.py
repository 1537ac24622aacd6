"""Synthetic results of several agents at the same time, with known slowdowns, as a real sweep would leave them.

``python -m tests.support.synthetic_pairs OUT`` writes a results folder of one to look at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from contracts.base import content_hash
from contracts.blocks import shuffled
from contracts.configuration import AgentRole, Configuration
from contracts.job import PROMPTS_VERSION
from contracts.manifest import Manifest
from contracts.records import StageRecord
from contracts.sweep import SweepSpec
from contracts.workloads import AgentPairWorkload
from producer.pairs import paired
from producer.plan import configurations
from tests.support.synthetic import Synthetic, _slot

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOMOGENEOUS: Mapping[str, Any] = {"kind": "agent-pair", "paths": ["corpus"]}

Change = Callable[[dict[str, Any]], dict[str, Any] | None]
OfAgent = Callable[[Configuration, AgentRole], float]


def _one(_: Configuration, __: AgentRole) -> float:
    return 1.0


@dataclass(frozen=True)
class PairShape:
    """What is planted. Alone an agent has 100 tok/s and a TTFT of 50 ms, of the report twice that."""

    rate: OfAgent = lambda c, role: 1.8 if len(c.agents) > 1 else 1.0
    """Slowdown of the rate."""
    ttft: OfAgent = lambda c, role: 1.5 if len(c.agents) > 1 else 1.0
    """Slowdown of the TTFT."""
    delay_s: OfAgent = lambda c, role: 0.0
    """How long after the barrier the agent's first call is sent."""
    tokens: OfAgent = _one
    """Factor on 900 tokens of the analysis and 1,000 of the report."""
    cv: float = 0.01
    """Of the noise between runs, log-normal."""
    token_cv: float = 0.02
    loads: int | None = None
    floor: bool = True
    change: Change = field(default=dict)
    """Last word on a record's columns; ``None`` drops the record."""


def pair_sweep(
    workload: Mapping[str, Any] = HOMOGENEOUS,
    *,
    axes: Mapping[str, Sequence[Any]] | None = None,
    runs: int = 5,
    seed: int = 0,
    shape: PairShape | None = None,
    name: str = "pairs",
) -> Synthetic:
    """Make a sweep of the workload ``agent-pair`` in randomised blocks on one slot."""
    made = shape or PairShape()
    spec = SweepSpec.model_validate(
        {
            **{"name": name, "workload": dict(workload), "server": "ollama", "model": "m:1", "runs": runs},
            **{"axes": dict(axes or {}), "order": {"seed": seed}},
        }
    )
    asked = spec.workload
    assert isinstance(asked, AgentPairWorkload)
    points = paired(configurations(spec), asked, Path())
    rng = np.random.default_rng(seed)
    records: list[StageRecord] = []
    index = 0
    for block in range(1, runs + 1):
        for c in shuffled(points, seed, block):
            load = None if made.loads is None else 1 + (block - 1) * made.loads // runs
            records += _job(made, rng, c, block, load, index)
            index += 1
    slot = _slot("s0", "default", "0.12")
    manifest = Manifest(
        sweep=name,
        execution=f"{START:%Y%m%dT%H%M%S}.000Z-{content_hash([name, seed], 8)}",
        sweep_id=content_hash([spec.model_dump(mode="json"), "0"]),
        corpus_digest="0" * 16,
        created_at=START,
        finished_at=START + timedelta(seconds=60 * index),
        spec=spec,
        configurations=points,
        order_seed=seed,
        versions={"python": "3.11.7", "chimera-bench": "0.1.0", "prompts": PROMPTS_VERSION},
        slots=(slot if made.floor else slot.model_copy(update={"floor": None}),),
    )
    return Synthetic(tuple(records), manifest)


def _job(
    made: PairShape, rng: np.random.Generator, c: Configuration, block: int, load: int | None, index: int
) -> list[StageRecord]:
    barrier = index * 60 * 10**9 + 10**9
    at = START + timedelta(seconds=60 * index)
    stages = {role.label: _agent(made, rng, c, role, barrier) for role in c.agents}
    ends = {label: found[-1]["ended_ns"] for label, found in stages.items()}
    wall_s = (max(ends.values()) - barrier) / 1e9
    records = []
    for role in c.agents:
        common = {
            **{"config": c.name, "config_id": c.id, "agent": role.label, "run": block, "block": block},
            **{"agents": len(c.agents), "server": role.server, "model": role.model, "load": load},
            **{"parameters": role.parameters.given(), "slot": "s0", "pool": "default", "host": "node-s0"},
            **{"boot_id": "s0", "attempt": 1, "outcome": "ok", "wall_s": wall_s, "job_id": f"{c.id}-{block}"},
            **{"exec_s": (ends[role.label] - barrier) / 1e9, "started_at": at, "model_digest": "abc"},
        }
        ingest = {"stage": "ingest", "total_duration_ms": 30.0, "files_total": 3, "data_summary": "3 files"}
        for columns in (ingest, *stages[role.label]):
            changed = made.change(common | columns)
            if changed is not None:
                records.append(StageRecord.model_validate(changed))
    return records


def _agent(
    made: PairShape, rng: np.random.Generator, c: Configuration, role: AgentRole, barrier: int
) -> list[dict[str, Any]]:
    noise = np.exp(rng.normal(0, made.cv, 2)) if made.cv else np.ones(2)
    rate = 100 / made.rate(c, role) * float(noise[0])
    ttft = 50 * made.ttft(c, role) * float(noise[1])
    at = barrier + round(made.delay_s(c, role) * 1e9)
    found = []
    for place, stage in enumerate(("analysis", "report")):
        drawn = float(np.exp(rng.normal(0, made.token_cv))) if made.token_cv else 1.0
        tokens = max(round((900 + 100 * place) * made.tokens(c, role) * drawn), 2)
        first, eval_ms = ttft * (1 + place), 1e3 * tokens / rate
        end = at + round((first + eval_ms) * 1e6)
        found.append(
            {"stage": stage, "sent_ns": at, "started_ns": at, "ended_ns": end, "ttft_ms": first}
            | {"throughput_tok_s": rate, "throughput_source": "server", "tokens": tokens}
            | {"tokens_source": "server", "total_duration_ms": (end - at) / 1e6, "eval_ms": eval_ms}
            | {"eval_tokens": tokens, "load_ms": 20.0, "prompt_eval_ms": 0.7 * first, "suspect": ()}
            | {"itl_mean_ms": eval_ms / tokens, "response_chars": 4 * tokens, "sendings": 1}
            | {"prompt_tokens": 300 * (1 + place), "text": f"Text of {role.label}: 3 files."}
            | (
                {"findings": (f"A finding of {role.label}.",), "recommendations": ("Do it.",)}
                if not place
                else {}
            )
        )
        at = end
    return found


HETEROGENEOUS: Mapping[str, Any] = {
    **{"kind": "agent-pair", "paths": ["corpus"], "scenario": "baseline-vs-candidate"},
    "agents": [
        {"label": "baseline", "persona": "collector"},
        {"label": "candidate", "persona": "insight"},
    ],
}


def demo() -> Synthetic:
    """A baseline against candidates: slowed down unevenly, not at all, and with a run that failed."""

    def slow(c: Configuration, role: AgentRole) -> float:
        if len(c.agents) < 2:
            return 1.0
        unevenly = c.parameters.num_gpu == 80
        return 2.4 if unevenly and role.label == "candidate" else 1.3 if unevenly else 1.0

    def change(columns: dict[str, Any]) -> dict[str, Any] | None:
        if (columns["config"], columns["run"], columns["agent"], columns["stage"]) == (
            *("num_gpu=80", 2, "candidate"),
            "report",
        ):
            return columns | {"outcome": "aborted", "reason": "the stream ended without the final record"}
        return columns

    return pair_sweep(
        HETEROGENEOUS,
        axes={"num_gpu": (40, 80)},
        runs=6,
        shape=PairShape(rate=slow, ttft=slow, change=change),
        name="pairs-demo",
    )


if __name__ == "__main__":
    demo().write(Path(sys.argv[1]))
