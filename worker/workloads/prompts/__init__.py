"""The workload ``prompts``: given or made prompts, under a load.

``source`` and ``words`` give the prompts, ``dialogue`` their turns, ``schedule`` the times of an open loop, ``carrier`` sends and
keeps, ``loops`` are the two kinds of load, ``search`` looks for the highest one, ``stages`` says what became of it.
"""

from __future__ import annotations

from worker.workloads.prompts.run import PromptsRun, run_prompts

__all__ = ["PromptsRun", "run_prompts"]
