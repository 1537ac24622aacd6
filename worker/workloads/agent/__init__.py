"""The agent workload: ingest → analysis → report."""

from worker.workloads.agent.agent import STAGES, AgentRun, Ask, ask_agent, run_agent
from worker.workloads.agent.material import Material, read_material
from worker.workloads.agent.warmup import WARMUP_PROMPT

__all__ = [
    "STAGES",
    "WARMUP_PROMPT",
    "AgentRun",
    "Ask",
    "Material",
    "ask_agent",
    "read_material",
    "run_agent",
]
