"""Names of queues, tasks and messages, all derived, so that sending twice is sending the same."""

from __future__ import annotations

AGGREGATE_QUEUE = "chimera.aggregate"

PRIORITY_STEPS = tuple(range(10))
"""kombu's name for the priorities of messages: 0 is taken first."""
SEPARATOR = "\x06\x16"
"""Between a queue's name and a priority in the names of kombu's lists."""

MEASURE = "chimera.measure"
AGGREGATE = "chimera.aggregate_configuration"
DECIDE = "chimera.decide"
FINALISE = "chimera.finalise"
CALIBRATE = "chimera.calibrate"
TAKE_PLOT = "chimera.take_plot"


def pool_queue(pool: str) -> str:
    """Queue that every free slot of the pool pulls from."""
    return f"chimera.pool.{pool}"


def slot_queue(slot: str) -> str:
    """Queue of one slot, for fixed placement."""
    return f"chimera.slot.{slot}"


def unit_prefix(execution: str) -> str:
    """What the names of the queues of an execution's units begin with."""
    return f"chimera.unit.{execution}."


def unit_queue(execution: str, generation: int, number: int, block: int | None = None) -> str:
    """Queue that holds the jobs of a unit until a slot takes them all; ``block``: of one that was decided later."""
    unit = f"{unit_prefix(execution)}{generation}.{number}"
    return unit if block is None else f"{unit}.{block}"


def rescue_queue(execution: str, generation: int, name: str) -> str:
    """Queue of jobs that waited in another slot's queue."""
    return f"{unit_prefix(execution)}{generation}.r{name}"


def ticket_task_id(unit: str) -> str:
    """Task id of the ticket for a unit."""
    return f"{unit}.ticket"


def message_priority(priority: int) -> int:
    """Return kombu's priority for a sweep's: with Redis, 0 is taken first."""
    return 9 - priority


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
