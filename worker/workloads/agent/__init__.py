"""The agent workload: ingest → analysis → report."""

from worker.workloads.agent.agent import STAGES, AgentRun, Ask, run_agent
from worker.workloads.agent.warmup import WARMUP_PROMPT

__all__ = ["STAGES", "WARMUP_PROMPT", "AgentRun", "Ask", "run_agent"]
