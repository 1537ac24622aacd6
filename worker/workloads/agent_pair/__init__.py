"""The workload ``agent-pair``: several agents at the same time, or one of them alone."""

from worker.workloads.agent_pair.pair import Member, MemberRun, PairRun, run_pair

__all__ = ["Member", "MemberRun", "PairRun", "run_pair"]
