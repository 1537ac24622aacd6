"""Jobs of the workload ``prompts``, and running them against a reference server in this process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.reference_server import ReferenceServer, Settings
from contracts.configuration import Configuration, Parameters
from contracts.job import JobSpec
from contracts.outcome import StageResult
from contracts.records import LOAD_STAGE, REQUEST_STAGE
from contracts.sweep import ServerSpec
from contracts.workloads import PromptsWorkload
from worker.servers import ModelServer, open_server
from worker.workloads.prompts import PromptsRun, run_prompts

ENOUGH_S = 30.0
SYNTHETIC = {"input_tokens": 20, "output_tokens": 4}


def job(
    workload: dict[str, Any],
    *,
    kind: str = "ollama",
    digest: str = "",
    run: int = 1,
    name: str = "c",
    **parameters: float,
) -> JobSpec:
    """Return a job; its prompts are made unless ``workload`` names a file."""
    source = {} if "file" in workload else {"synthetic": SYNTHETIC}
    return JobSpec(
        kind="prompts",
        sweep="s",
        execution="e",
        configuration=Configuration(name=name, model="ref", parameters=Parameters.model_validate(parameters)),
        run=run,
        block=1,
        workload=PromptsWorkload.model_validate({"kind": "prompts", **source, **workload}),
        corpus_digest=digest,
        base_dir="/",
        server=ServerSpec.model_validate({"kind": kind}),
        warmup=0,
        deadline_s=60,
        pool="default",
    )


@asynccontextmanager
async def serving(spec: JobSpec, **settings: Any) -> AsyncIterator[tuple[ReferenceServer, ModelServer]]:
    """Open a reference server and a client that knows who it is."""
    async with ReferenceServer(Settings(**{"ttft_ms": 20, "itl_ms": 2, **settings})) as reference:
        client = open_server(spec.server, reference.url)
        try:
            await client.models()
            yield reference, client
        finally:
            await client.aclose()


def left(seconds: float = ENOUGH_S) -> Callable[[], float]:
    """Return what tells the time left of a deadline that begins now."""
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()


async def run(
    spec: JobSpec, file: Path | None = None, left_s: float = ENOUGH_S, **settings: Any
) -> PromptsRun:
    """Perform the job against a reference server of its own."""
    async with serving(spec, **settings) as (_, client):
        return await run_prompts(spec, client, file=file, left_s=left(left_s))


def loads(run: PromptsRun) -> list[StageResult]:
    return [stage for stage in run.stages if stage.stage == LOAD_STAGE]


def requests(run: PromptsRun) -> list[StageResult]:
    return [stage for stage in run.stages if stage.stage == REQUEST_STAGE]
