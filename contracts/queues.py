"""Names of queues, tasks and messages, all derived, so that sending twice is sending the same."""

from __future__ import annotations

AGGREGATE_QUEUE = "chimera.aggregate"

MEASURE = "chimera.measure"
AGGREGATE = "chimera.aggregate_configuration"
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


def chord_id(execution: str, generation: int, configuration_id: str) -> str:
    """Group id of a configuration's chord."""
    return f"{execution}.{generation}.{configuration_id}"


def aggregate_task_id(execution: str, generation: int, configuration_id: str) -> str:
    """Task id of a chord's callback."""
    return f"{chord_id(execution, generation, configuration_id)}.summary"


def finalise_task_id(execution: str) -> str:
    """Task id of the finaliser."""
    return f"{execution}.finalise"
