"""A store filled as producer and workers fill it, and metrics read as Prometheus reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from contracts.base import content_hash
from contracts.call import Outcome
from contracts.configuration import Configuration, Parameters
from contracts.manifest import Manifest
from contracts.outcome import JobOutcome, StageResult
from contracts.slots import SlotStatus
from contracts.store import Store, claim_key, lease_key
from contracts.sweep import SweepSpec
from tests.support.sweeps import sweep_tree

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Samples:
    """Parse what Prometheus would; return each sample by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def sample(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def begun(store: Store, *, temperatures: int = 3, execution: str = "x1", **changes: Any) -> Manifest:
    """Record an execution that runs, as the producer does."""
    changes = {"axes": {"temperature": [n / 10 for n in range(temperatures)]}, "runs": 3} | changes
    spec = SweepSpec.model_validate(sweep_tree(**changes))
    values = spec.axes.temperature or (None,)
    manifest = Manifest(
        sweep=spec.name,
        execution=execution,
        sweep_id=content_hash(execution),
        corpus_digest="0",
        created_at=NOW,
        spec=spec,
        configurations=tuple(
            Configuration(
                name=f"temperature={v}", model=spec.model or "", parameters=Parameters(temperature=v)
            )
            for v in values
        ),
        order_seed=0,
        versions={},
    )
    store.begin(manifest)
    store.next_generation(execution)
    return manifest


def outcome(
    manifest: Manifest, at: int, run: int, *, ms: float = 1000, slot: str = "g0", **changes: Any
) -> JobOutcome:
    """Return the outcome of a run of the configuration at an index."""
    why = Outcome(changes.get("why", "ok"))
    stage = StageResult(stage="report", outcome=why, started_at=NOW, started_ns=0, ended_ns=1)
    return JobOutcome(
        job_id=f"j{at}-{run}",
        execution=manifest.execution,
        sweep=manifest.sweep,
        configuration=manifest.configurations[at],
        run=run,
        block=run,
        slot=slot,
        pool="test",
        attempt=1,
        started_at=NOW,
        ended_at=NOW + timedelta(milliseconds=ms),
        started_ns=0,
        ended_ns=int(ms * 1e6),
        stages=(stage,),
    )


def live_slot(store: Store, name: str = "g0", *, pool: str = "test", problem: str | None = None) -> None:
    store.put_slot(
        SlotStatus(
            slot=name,
            pool=pool,
            host="h",
            pid=1,
            server="http://127.0.0.1:1",
            max_deadline_s=60,
            models={},
            problem=problem,
            seen_at=NOW,
        ),
        ttl_s=60,
    )


def runs_on(store: Store, manifest: Manifest, at: int, run: int, slot: str) -> None:
    """Record that a job runs on a slot, as its worker does."""
    name = manifest.configurations[at].name
    store.start_job(
        manifest.execution, f"j{at}-{run}", title=f"{manifest.sweep} / {name} / run {run}", slot=slot
    )
    for key in (lease_key(slot), claim_key(manifest.execution, f"j{at}-{run}")):
        store.client.set(key, "token", ex=60)
