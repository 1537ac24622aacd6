"""Names of the keys in Redis.

::

    chimera:sweep:<sweep id>            the newest execution of a sweep
    chimera:name:<sweep name>           the newest execution of a sweep of that name, whatever its content
    chimera:executions                  set of the executions that are running or paused
    chimera:x:<execution>:manifest      Manifest, JSON, without the list of jobs
    chimera:x:<execution>:facts         Facts of the ingested files, JSON
    chimera:x:<execution>:state         hash: status, generation, how far it is published, problem, base_dir, time spent
    chimera:x:<execution>:outcomes      hash: job id → JobOutcome that counts, compressed
    chimera:x:<execution>:prepared      hash: job id → what its summary needs of the outcome (analysis.prepared)
    chimera:x:<execution>:new           list: ids of jobs with a valid outcome that nothing has been made of
    chimera:x:<execution>:checked       hash: job id → what was found in its texts (analysis.grounded)
    chimera:x:<execution>:others        hash: <job id>:<n> → JobOutcome that does not count, compressed
    chimera:x:<execution>:failed        hash: job id → what its outcome failed by, and the job's time, ms
    chimera:x:<execution>:voided        hash: job id → "waiting" until it was sent again, then "sent"
    chimera:x:<execution>:taken_back    hash: jobs:<slot>, why:<slot> of outcomes that were taken back
    chimera:x:<execution>:counts        hash: counters by configuration, slot and reason (contracts.store.counts)
    chimera:x:<execution>:running       hash: job id → what runs where
    chimera:x:<execution>:attempts      hash: job id → number of deliveries
    chimera:x:<execution>:taken         hash: queue of a unit → slot that took it
    chimera:x:<execution>:summaries     hash: configuration id → ConfigurationSummary, JSON
    chimera:x:<execution>:figures       hash: configuration id → what decisions rest on, JSON
    chimera:x:<execution>:due           hash: configuration id → number of runs that its next summary needs
    chimera:x:<execution>:rounds        hash: block → Round, JSON; the first write wins
    chimera:x:<execution>:slots         hash: slot → SlotIdentity, JSON
    chimera:x:<execution>:documents     hash: file name → text, compressed
    chimera:x:<execution>:ending        what is said when the sweep has ended, JSON (analysis.ending)
    chimera:x:<execution>:told          stream: notes for people
    chimera:x:<execution>:finaliser     set by the one who publishes the finaliser
    chimera:x:<execution>:decider:<block>  set by the one who publishes the decision on a block; expires
    chimera:steward:<execution>         token of the one who feeds and reconciles the execution; expires
    chimera:follower:<execution>        token of the one who follows the execution and will write its results; expires
    chimera:lease:<slot>                token of the job that measures on the slot; expires
    chimera:claim:<execution>:<job id>  token of the delivery that measures the job; expires
    chimera:slot:<slot>                 SlotStatus, JSON; expires
    chimera:breaker:<slot>              Breaker, JSON, where it is not closed
    chimera:floor:<slot>                MeasurementFloor, JSON
    chimera:slots, chimera:aggregators  sets of the names of those that live, or did a moment ago
    chimera:answer:<task id>            what a calibration answered, JSON; expires
    chimera:aggregator:<host>:<pid>     there while the aggregator lives; expires
"""

from __future__ import annotations

EXECUTIONS = "chimera:executions"
SLOTS = "chimera:slots"
AGGREGATORS = "chimera:aggregators"

KINDS = (
    *(
        "manifest",
        "facts",
        "state",
        "outcomes",
        "prepared",
        "new",
        "checked",
        "others",
        "failed",
        "voided",
        "taken_back",
        "counts",
        "running",
        "attempts",
    ),
    *("taken", "summaries", "figures", "due", "rounds", "slots", "documents", "ending", "told"),
)
"""What there is of an execution, beside what expires by itself."""


def execution_key(execution: str, kind: str) -> str:
    return f"chimera:x:{execution}:{kind}"


def sweep_key(sweep_id: str) -> str:
    return f"chimera:sweep:{sweep_id}"


def name_key(sweep: str) -> str:
    return f"chimera:name:{sweep}"


def steward_key(execution: str) -> str:
    return f"chimera:steward:{execution}"


def follower_key(execution: str) -> str:
    return f"chimera:follower:{execution}"


def lease_key(slot: str) -> str:
    return f"chimera:lease:{slot}"


def claim_key(execution: str, job_id: str) -> str:
    return f"chimera:claim:{execution}:{job_id}"


def slot_key(slot: str) -> str:
    return f"chimera:slot:{slot}"


def breaker_key(slot: str) -> str:
    return f"chimera:breaker:{slot}"


def floor_key(slot: str) -> str:
    return f"chimera:floor:{slot}"


def aggregator_key(name: str) -> str:
    return f"chimera:aggregator:{name}"


def answer_key(task_id: str) -> str:
    """Key of what a task answered to one who waits for it."""
    return f"chimera:answer:{task_id}"
