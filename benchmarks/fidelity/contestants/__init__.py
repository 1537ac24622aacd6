"""Who takes part: how each client is started, and how its export is read."""

from __future__ import annotations

from benchmarks.fidelity.contestants.aiperf import AIPerf
from benchmarks.fidelity.contestants.base import Absent, Contestant, Job
from benchmarks.fidelity.contestants.guidellm import GuideLLM
from benchmarks.fidelity.contestants.inference_perf import InferencePerf
from benchmarks.fidelity.contestants.own import CHIMERA, CHIMERA_TELEMETRY, HTTPX_PLAIN, MINIMAL

__all__ = [
    "CHIMERA",
    "CHIMERA_TELEMETRY",
    "HTTPX_PLAIN",
    "MINIMAL",
    "AIPerf",
    "Absent",
    "Contestant",
    "GuideLLM",
    "InferencePerf",
    "Job",
]
