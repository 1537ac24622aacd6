"""What a job returns: its stages, and who measured them on what."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from contracts.base import SCHEMA_VERSION, Strict
from contracts.call import CallResult, Outcome
from contracts.configuration import AgentRole, Configuration
from contracts.telemetry import StageTelemetry

Phase = Literal["warmup", "measured"]


class AskedLoad(Strict):
    """Where a stage belongs in a load, and what was asked of the load."""

    step: int = 1
    """1-based: a search has several."""
    request: int | None = None
    """1-based, in the order of their being due; ``None``: the stage is the load as a whole."""
    turn: int | None = None
    """1-based turn of its conversation; ``None``: it is no conversation."""
    concurrency: int | None = None
    """Requests at a time, of a closed loop."""
    rate: float | None = None
    """Requests per second, of an open loop."""
    input_tokens: int | None = None
    """Asked length of a made prompt."""
    output_tokens: int | None = None
    """Asked length of the answer."""
    due_ns: int | None = None
    """When the request was scheduled; of a closed loop when its user was free for it."""


class StageResult(Strict):
    """One timed part of a run. An LLM stage holds one call, ``ingest`` none."""

    stage: str
    """``unload``, ``warmup``, ``ingest``, ``analysis``, ``report``; of a load, ``load`` (as a whole, no call) and
    ``request`` (each of its requests)."""
    agent: str = "chimera"
    asked: AskedLoad | None = None
    """Of a load and its requests: what was asked for."""
    phase: Phase = "measured"
    outcome: Outcome
    reason: str | None = None
    started_at: datetime
    started_ns: int
    ended_ns: int
    call: CallResult | None = None
    telemetry: StageTelemetry | None = None
    """``None``: nothing was sampled."""


class GpuIdentity(Strict):
    """One GPU by NVML; a field that NVML did not give is ``None``."""

    index: int
    name: str | None = None
    uuid: str | None = None
    driver: str | None = None
    memory_total_bytes: int | None = None


class HostIdentity(Strict):
    """The machine and process that measured."""

    host: str
    pid: int
    os: str
    machine: str
    cpu: str | None = None
    cpu_count: int | None = None
    memory_total_bytes: int | None = None
    python: str
    chimera: str
    gpus: tuple[GpuIdentity, ...] | None = None
    """``None``: no NVML here; empty: NVML is here and sees no GPU."""


class ServerIdentity(Strict):
    """The model server and the model, as the server itself tells."""

    kind: str
    """The protocol: ``ollama``, ``openai`` or ``llama.cpp``."""
    url: str
    """Without user and password."""
    software: str | None = None
    """Which server it is, where that is known: Ollama, llama.cpp, vLLM."""
    version: str | None = None
    model: str | None = None
    digest: str | None = None
    quantisation: str | None = None
    context: int | None = None
    """Context length that the server runs the model with, tokens."""
    parameter_size: str | None = None
    layers: int | None = None
    """Blocks of the model; see :mod:`contracts.applied` for what that means for ``num_gpu``."""
    context_max: int | None = None
    """Context length that the model was trained for, tokens: servers clamp ``num_ctx`` to it."""
    size_bytes: int | None = None
    """Memory that the loaded model takes."""
    vram_bytes: int | None = None
    """How much of it is on GPUs; 0: no layer is."""


class IngestResult(Strict):
    """What ingest read: counts, the data summary in the seeds' form, and what it left out."""

    files_total: int
    counts: dict[str, int]
    """Files by kind: ``csv``, ``json``, ``md``."""
    data_summary: str
    unparsed: dict[str, str] = Field(default_factory=dict)
    """Path → why it could not be parsed (the file still counts)."""


class AgentResult(Strict):
    """What the agent made of the files."""

    ingest: IngestResult | None = None
    findings: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()
    report_text: str = ""


class AgentOutcome(Strict):
    """One of the agents that ran at the same time."""

    role: AgentRole
    server: ServerIdentity | None = None
    result: AgentResult = AgentResult()
    exec_s: float | None = None
    """From the barrier, at which the calls of all agents begin, to the end of its last stage, s."""


class JobOutcome(Strict):
    """What became of a job: always an object, never an exception."""

    schema_version: Literal[1] = SCHEMA_VERSION
    job_id: str
    execution: str
    sweep: str
    configuration: Configuration
    run: int
    block: int
    load: int | None = None
    """As in the job."""
    slot: str
    pool: str
    attempt: int
    """1 for the first delivery of the job."""
    started_at: datetime
    ended_at: datetime
    started_ns: int
    ended_ns: int
    boot_id: str | None = None
    """Monotonic times can be compared only between outcomes of one boot."""
    host: HostIdentity | None = None
    server: ServerIdentity | None = None
    problem: str | None = None
    """Why the job could not be carried out as a whole; ``None`` where its stages tell all."""
    stages: tuple[StageResult, ...] = ()
    agent_result: AgentResult = AgentResult()
    agents: tuple[AgentOutcome, ...] = ()
    """Of the workload ``agent-pair``, in the configuration's order."""
    wall_s: float | None = None
    """From the start of ingest to the end of the last stage, seconds; of several agents from their barrier, of a load
    from its first request."""

    @property
    def failed(self) -> bool:
        """Whether any measured stage is not valid (or none was reached). Of a load the load as a whole is the stage."""
        measured = self._measured
        return self.problem is not None or not measured or not all(s.outcome.valid for s in measured)

    @property
    def why(self) -> str | None:
        """What the job failed by: the outcome of its first measured stage that is not valid; ``None``: it did not fail."""
        if not self.failed:
            return None
        return next((s.outcome.value for s in self._measured if not s.outcome.valid), Outcome.LOST.value)

    @property
    def _measured(self) -> list[StageResult]:
        """The measured stages that tell whether the job failed: not single requests, and of a search only steps that did not,
        where there are any."""
        found = [
            stage
            for stage in self.stages
            if stage.phase == "measured" and (stage.asked is None or stage.asked.request is None)
        ]
        worked = [stage for stage in found if stage.asked is not None and stage.outcome.valid]
        return [stage for stage in found if stage.asked is None or not worked or stage in worked]

    def receipt(self) -> dict[str, Any]:
        """Return what the Celery task returns: tiny, msgpack-able."""
        told: dict[str, Any] = {"job_id": self.job_id, "failed": self.failed}
        return told if self.why is None else {**told, "why": self.why}
