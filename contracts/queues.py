"""Names of queues, tasks and messages, all derived, so that sending twice is sending the same."""

from __future__ import annotations

AGGREGATE_QUEUE = "chimera.aggregate"

MEASURE = "chimera.measure"
AGGREGATE = "chimera.aggregate_configuration"
DECIDE = "chimera.decide"
FINALISE = "chimera.finalise"
CALIBRATE = "chimera.calibrate"


def pool_queue(pool: str) -> str:
    """Queue that every free slot of the pool pulls from."""
    return f"chimera.pool.{pool}"


def slot_queue(slot: str) -> str:
    """Queue of one slot, for fixed placement."""
    return f"chimera.slot.{slot}"


def job_task_id(execution: str, generation: int, job_id: str) -> str:
    """Task id of a job. A message sent again has the same id, so its chord counts it once."""
    return f"{execution}.{generation}.{job_id}"


def chord_id(execution: str, generation: int, configuration_id: str, block: int | None = None) -> str:
    """Group id of a configuration's chord; ``block``: of one that was decided later, which has a chord of its own."""
    chord = f"{execution}.{generation}.{configuration_id}"
    return chord if block is None else f"{chord}.{block}"


def aggregate_task_id(chord: str) -> str:
    """Task id of a chord's callback."""
    return f"{chord}.summary"


def decide_task_id(execution: str, generation: int, block: int) -> str:
    """Task id of the decision on a block."""
    return f"{execution}.{generation}.decide.{block}"


def finalise_task_id(execution: str) -> str:
    """Task id of the finaliser."""
    return f"{execution}.finalise"
