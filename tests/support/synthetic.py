"""Synthetic results with known effects: records and a manifest, as a real sweep would leave them.

``python -m tests.support.synthetic OUT`` writes a results folder of one to look at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from analysis.models import SweepSummary
from analysis.results_folder import FACTS_FILE, MANIFEST_FILE, write_report
from analysis.stages_io import write_stages
from analysis.summary import summarise_records
from contracts.base import content_hash
from contracts.blocks import shuffled
from contracts.configuration import Configuration
from contracts.facts import Facts, FileFact
from contracts.floor import MeasurementFloor
from contracts.job import PROMPTS_VERSION
from contracts.manifest import Manifest, OrderedJob, SlotIdentity
from contracts.outcome import HostIdentity, ServerIdentity
from contracts.plots import plot_of
from contracts.records import StageRecord
from contracts.sweep import SweepSpec
from contracts.telemetry import GpuTelemetry, StageTelemetry
from producer.plan import configurations

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
AXES: Mapping[str, Sequence[Any]] = {"num_gpu": (40, 80), "temperature": (0.2, 0.8)}

Factor = Callable[[Configuration], float]
Change = Callable[[dict[str, Any]], dict[str, Any] | None]


def _one(_: Configuration) -> float:
    return 1.0


@dataclass(frozen=True)
class Synthetic:
    """Records and manifest of one synthetic sweep."""

    records: tuple[StageRecord, ...]
    manifest: Manifest
    facts: Facts | None = None
    """What is known of the ingested files; ``None``: no text is checked."""

    def summary(self, **options: Any) -> SweepSummary:
        return summarise_records(self.records, manifest=self.manifest, **{"facts": self.facts, **options})

    def write(self, folder: Path) -> Path:
        """Write a results folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST_FILE).write_text(self.manifest.model_dump_json(indent=2))
        if self.facts is not None:
            (folder / FACTS_FILE).write_text(self.facts.model_dump_json(indent=2))
        write_stages(folder / "stages.jsonl", self.records)
        write_report(self.summary(), folder)
        return folder


@dataclass(frozen=True)
class Shape:
    """What is planted."""

    speed: Factor = _one
    """Factor on the configuration's throughput."""
    ttft: Factor = _one
    """Factor on its warm TTFT of either stage."""
    cv: float = 0.01
    """Of the noise between runs, log-normal."""
    slots: Mapping[str, float] = field(default_factory=lambda: {"s0": 1.0})
    """Slot → factor on throughput."""
    drift: float = 0.0
    """Change of throughput from the first job to the last, as a fraction."""
    loads: int | None = None
    """Loads of each plot, shared by its runs; ``None``: the order knows no plots."""
    load_cv: float = 0.0
    """Of what loading does to throughput and TTFT of all runs of a load, log-normal."""
    cold_first: bool = True
    """The very first call of each configuration on a slot loads the model."""
    gpu: bool = False
    """Telemetry of a GPU."""
    text: Callable[[Configuration, int], str] = lambda c, run: f"Report of run {run}. 3 files were read."
    change: Change = dict
    """Last word on a record's columns; ``None`` drops the record."""


def synthetic(
    axes: Mapping[str, Sequence[Any]] = AXES,
    *,
    runs: int = 5,
    seed: int = 0,
    shape: Shape | None = None,
    name: str = "synthetic",
    model: str = "m:1",
    pool: str = "default",
    start: datetime = START,
    digest: str = "abc",
    version: str = "0.12",
    corpus: str = "0" * 16,
    **spec_fields: Any,
) -> Synthetic:
    """Make a sweep over ``axes`` in randomised blocks, its jobs dealt to the slots in turn.

    Warm throughput is 100 tok/s × factors, warm TTFT 50 ms × factors and of the report's stage twice that (its
    prompt is longer), so that a mix of stages is seen. Each has log-normal noise between runs, and throughput a
    tenth of it between the calls of a run.
    """
    made = shape or Shape()
    spec = SweepSpec.model_validate(
        {
            **{
                "name": name,
                "workload": {"paths": ["corpus"]},
                "server": "ollama",
                "axes": axes,
                "runs": runs,
            },
            **({} if "model" in axes else {"model": model}),
            **{"order": {"seed": seed}, "pool": pool},
            **spec_fields,
        }
    )
    points = configurations(spec)
    execution = f"{start:%Y%m%dT%H%M%S}.000Z-{content_hash([name, seed], 8)}"
    jobs = [(c, block) for block in range(1, runs + 1) for c in shuffled(points, seed, block)]
    rng = np.random.default_rng(seed)
    names = list(made.slots)
    records: list[StageRecord] = []
    seen: set[tuple[str, str]] = set()
    loading: dict[tuple[str, int], float] = {}
    for index, (c, block) in enumerate(jobs):
        load = None if made.loads is None else 1 + (block - 1) * made.loads // runs
        # One slot has all runs of a load.
        slot = (
            names[index % len(names)]
            if load is None
            else names[(load + sum(map(ord, plot_of(c)))) % len(names)]
        )
        place = index / max(len(jobs) - 1, 1)
        rate = 100 * made.speed(c) * made.slots[slot] * (1 + made.drift * place)
        rate *= float(np.exp(rng.normal(0, made.cv)))
        ttft = 50 * made.ttft(c) * float(np.exp(rng.normal(0, made.cv)))
        if load is not None:
            off = loading.setdefault((plot_of(c), load), float(rng.normal(0, 1)))
            rate *= float(np.exp(made.load_cv * off))
            ttft *= float(np.exp(-made.load_cv * off))
        cold = made.cold_first and (c.name, slot) not in seen
        seen.add((c.name, slot))
        for columns in _stages(
            made, rng, c, block, rate, ttft, cold, slot, start + timedelta(seconds=30 * index)
        ):
            changed = made.change(
                columns
                | {"execution": execution, "sweep": name, "pool": pool, "model_digest": digest}
                | {"server_version": version, "job_id": f"{c.id}-{block}", "load": load}
            )
            if changed is not None:
                records.append(StageRecord.model_validate(changed))
    manifest = Manifest(
        sweep=name,
        execution=execution,
        sweep_id=content_hash([spec.model_dump(mode="json"), corpus]),
        corpus_digest=corpus,
        created_at=start,
        finished_at=start + timedelta(seconds=30 * len(jobs)),
        spec=spec,
        configurations=points,
        order_seed=seed,
        order=tuple(
            OrderedJob(job_id=f"{c.id}-{block}", configuration=c.name, run=block, block=block)
            for c, block in jobs
        ),
        versions={"python": "3.11.7", "chimera-bench": "0.1.0", "prompts": PROMPTS_VERSION},
        git_commit="0123456789abcdef0123456789abcdef01234567",
        slots=tuple(_slot(slot, pool, version) for slot in names),
    )
    return Synthetic(tuple(records), manifest)


def _stages(
    made: Shape,
    rng: np.random.Generator,
    c: Configuration,
    run: int,
    rate: float,
    ttft: float,
    cold: bool,
    slot: str,
    at: datetime,
) -> list[dict[str, Any]]:
    common = {
        **{
            "config": c.name,
            "config_id": c.id,
            "agent": "chimera",
            "run": run,
            "block": run,
            "model": c.model,
        },
        **{"parameters": c.parameters.given(), "slot": slot, "host": f"node-{slot}", "boot_id": slot},
        **{"attempt": 1, "outcome": "ok", "wall_s": 25.0},
    }
    found = [
        common
        | {"stage": "ingest", "started_at": at, "total_duration_ms": 30.0, "files_total": 3}
        | {"data_summary": "Total files analyzed: 3"}
    ]
    for place, stage in enumerate(("analysis", "report")):
        tokens = 900 + 100 * place + int(rng.integers(0, 40))
        own_rate = rate * float(np.exp(rng.normal(0, made.cv / 10)))
        load = 4800.0 if cold and not place else 20.0 + float(rng.normal(0, 1))
        own_ttft = ttft * (1 + place)
        prompt = 0.7 * own_ttft
        eval_ms = 1e3 * tokens / own_rate
        first = load + own_ttft
        found.append(
            common
            | {"stage": stage, "started_at": at + timedelta(seconds=1 + 12 * place), "ttft_ms": first}
            | {"throughput_tok_s": own_rate, "throughput_source": "server", "tokens": tokens}
            | {
                "prompt_tokens": 300 * (1 + place),
                "total_duration_ms": first + eval_ms,
                "prompt_eval_ms": prompt,
            }
            | {"eval_ms": eval_ms, "eval_tokens": tokens, "load_ms": load, "itl_mean_ms": eval_ms / tokens}
            | {"response_chars": 4 * tokens, "arrival_clock": "kernel", "suspect": (), "sendings": 1}
            | {
                "frame_tokens": "one",
                "text": made.text(c, run),
                "context": c.parameters.num_ctx or 2048,
                "quantisation": "Q4_K_M",
            }
            | ({"telemetry": _telemetry(eval_ms, rng)} if made.gpu else {})
            | ({"findings": ("A finding.",), "recommendations": ()} if stage == "analysis" else {})
        )
    return found


def _telemetry(eval_ms: float, rng: np.random.Generator) -> StageTelemetry:
    power = 300 + float(rng.normal(0, 3))
    gpu = GpuTelemetry(
        **{"index": 0, "uuid": "GPU-0", "energy_j": power * eval_ms / 1e3, "energy_source": "counter"},
        **{"mean_power_w": power, "peak_memory_bytes": 5 * 2**30, "peak_temperature_c": 66},
        **{"throttle_reasons": (), "throttled": False},
    )
    return StageTelemetry(samples=60, period_s=0.1, max_gap_s=0.11, gpus=(gpu,), cpu_busy_percent=20.0)


def _slot(slot: str, pool: str, version: str) -> SlotIdentity:
    host = HostIdentity(
        **{"host": f"node-{slot}", "pid": 4711, "os": "linux", "machine": "x86_64", "cpu": "Test CPU"},
        **{"cpu_count": 8, "python": "3.11.7", "chimera": "0.1.0", "gpus": ()},
    )
    server = ServerIdentity(kind="ollama", url="http://127.0.0.1:11434", software="Ollama", version=version)
    floor = MeasurementFloor(
        **{"slot": slot, "host": f"node-{slot}", "boot_id": slot, "measured_at": START, "duration_s": 12.0},
        **{"chimera": "0.1.0", "python": "3.11.7", "clock": "kernel", "concurrency": 1, "calls": 120},
        **{"timer_resolution_ns": 40, "ttft_error_median_ms": 0.02, "ttft_error_p99_ms": 0.1},
        **{"ttft_error_max_ms": 0.3, "itl_error_median_percent": -0.01, "itl_error_p99_percent": 0.05},
        **{
            "itl_error_max_percent": 0.1,
            "gap_error_p99_ms": 0.1,
            "suspect_calls": 0,
            "server_late_p99_ms": 0.1,
        },
    )
    return SlotIdentity(slot=slot, pool=pool, host=host, server=server, floor=floor)


def demo() -> Synthetic:
    """A sweep with something to see in every section."""

    def change(columns: dict[str, Any]) -> dict[str, Any] | None:
        at = (columns["config"], columns["run"], columns["stage"])
        if at == ("num_gpu=80,num_ctx=2048,temperature=0.8", 2, "report"):
            zero = {
                "tokens": 0,
                "throughput_tok_s": 0.0,
                "prompt_eval_ms": 0.0,
                "eval_ms": 0.0,
                "load_ms": 0.0,
            }
            return (
                columns | zero | {"outcome": "aborted", "reason": "the stream ended without the final record"}
            )
        if at == ("num_gpu=40,num_ctx=1024,temperature=0.2", 3, "analysis"):
            return columns | {"suspect": ("late wake-up of 12 ms before the first token",)}
        if at[0] == "num_gpu=40,num_ctx=2048,temperature=0.8" and at[1] == 6 and at[2] != "ingest":
            return columns | {
                "throughput_tok_s": columns["throughput_tok_s"] * 0.8,
                "eval_ms": columns["eval_ms"] / 0.8,
            }
        return columns

    made = synthetic(
        {"num_gpu": (40, 80), "num_ctx": (1024, 2048), "temperature": (0.2, 0.8)},
        runs=8,
        name="demo",
        shape=Shape(
            speed=lambda c: 1.12 if c.parameters.num_gpu == 80 else 1.0,
            ttft=lambda c: 1.3 if c.parameters.num_ctx == 2048 else 1.0,
            slots={"gpu-1": 1.0, "gpu-2": 1.0, "gpu-7": 0.94},
            gpu=True,
            text=lambda c, run: (
                f"Report of run {run}: A total of 4 files were analyzed, 3 CSV files. It took 12.5 seconds."
            ),
            change=change,
        ),
    )
    return replace(made, facts=_FACTS)


# The demo's texts say that there are 4, 3 of them CSV.
_FACTS = Facts(
    files_total=3,
    counts={"csv": 2, "json": 1, "md": 0},
    modified={},
    files=tuple(
        FileFact(path=f"corpus/{name}", kind=kind)
        for name, kind in (("a.csv", "csv"), ("b.csv", "csv"), ("c.json", "json"))
    ),
    dates=(),
    series=(),
)


if __name__ == "__main__":
    print(demo().write(Path(sys.argv[1])))
