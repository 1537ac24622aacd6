"""The result store: the Redis keys that both sides share, and the operations on them.

::

    chimera:sweep:<sweep id>            the newest execution of a sweep
    chimera:x:<execution>:manifest      Manifest, JSON
    chimera:x:<execution>:facts         Facts of the ingested files, JSON
    chimera:x:<execution>:state         hash: status, generation, problem, base_dir, and the time it took so far
    chimera:x:<execution>:outcomes      hash: job id → JobOutcome, JSON; the first write wins
    chimera:x:<execution>:failed        set of job ids with a failed outcome
    chimera:x:<execution>:running       hash: job id → what runs where
    chimera:x:<execution>:attempts      hash: job id → number of deliveries
    chimera:x:<execution>:summaries     hash: configuration id → ConfigurationSummary, JSON
    chimera:x:<execution>:figures       hash: configuration id → what decisions rest on, JSON
    chimera:x:<execution>:due           hash: configuration id → number of runs that its next summary needs
    chimera:x:<execution>:rounds        hash: block → Round, JSON; the first write wins
    chimera:x:<execution>:slots         hash: slot → SlotIdentity, JSON
    chimera:x:<execution>:documents     hash: file name → text
    chimera:x:<execution>:finaliser     set by the one who publishes the finaliser
    chimera:x:<execution>:decider:<block>  set by the one who publishes the decision on a block; expires
    chimera:lease:<slot>                token of the job that measures on the slot; expires
    chimera:claim:<execution>:<job id>  token of the delivery that measures the job; expires
    chimera:slot:<slot>                 SlotStatus, JSON; expires
    chimera:floor:<slot>                MeasurementFloor, JSON
    chimera:answer:<task id>            what a calibration answered, JSON; expires
    chimera:aggregator:<host>:<pid>     there while the aggregator lives; expires
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import redis
from pydantic import ValidationError

from contracts.facts import Facts
from contracts.floor import MeasurementFloor
from contracts.manifest import Manifest, Round, SlotIdentity
from contracts.outcome import JobOutcome
from contracts.slots import SlotStatus

Status = Literal["running", "finished", "collected", "abandoned"]
"""``finished``: the report is in the store; ``collected``: and in a results folder; ``abandoned``: its sweep was
begun anew before it was finished."""

KEPT_S = 7 * 86_400
"""How long the store keeps a collected execution, s."""
_KINDS = (
    *("manifest", "facts", "state", "outcomes", "failed", "running", "attempts"),
    *("summaries", "figures", "due", "rounds", "slots", "documents"),
)

# Times are those of Redis, in ms: one clock for all. Where a script writes them, it does so on any Redis from 5 on.
_PUT_OUTCOME = """
local first = redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[1])
if first == 1 and ARGV[3] == '1' then redis.call('SADD', KEYS[3], ARGV[1]) end
if first == 1 then
  local now = redis.call('TIME')
  redis.call('HSET', KEYS[4], 'newest_ms', now[1] * 1000 + math.floor(now[2] / 1000))
end
return first
"""

_NEXT_GENERATION = """
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local began = tonumber(redis.call('HGET', KEYS[1], 'began_ms'))
local newest = tonumber(redis.call('HGET', KEYS[1], 'newest_ms'))
if began and newest and newest > began then redis.call('HINCRBY', KEYS[1], 'spent_ms', newest - began) end
redis.call('HSET', KEYS[1], 'began_ms', now_ms)
redis.call('HDEL', KEYS[1], 'newest_ms', 'problem')
redis.call('DEL', KEYS[2])
return redis.call('HINCRBY', KEYS[1], 'generation', 1)
"""

_PUT_SUMMARY = """
if redis.call('HGET', KEYS[3], ARGV[1]) == ARGV[4] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
  redis.call('HDEL', KEYS[3], ARGV[1])
end
return redis.call('HLEN', KEYS[3])
"""

_PUT_ROUND = """
local there = redis.call('HGET', KEYS[1], ARGV[1])
if there then return there end
if redis.call('HGET', KEYS[3], 'status') ~= 'running' or redis.call('HLEN', KEYS[2]) > 0 then return false end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
return ARGV[2]
"""

CHUNK = 200
"""Outcomes read at once: a few MB."""


@dataclass(frozen=True)
class Progress:
    """Counts of one execution at one moment."""

    done: int
    """Jobs with an outcome, failed ones included."""
    failed: int
    running: dict[str, dict[str, Any]]
    """Job id → {title, slot, attempt}."""
    summaries: int
    status: Status | None


class Store:
    """Operations on the keys above. Errors of Redis pass through as ``redis.RedisError``."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self._put_outcome = client.register_script(_PUT_OUTCOME)
        self._next_generation = client.register_script(_NEXT_GENERATION)
        self._put_summary = client.register_script(_PUT_SUMMARY)
        self._put_round = client.register_script(_PUT_ROUND)

    # --- executions -------------------------------------------------------------------------

    def begin(self, manifest: Manifest, facts: Facts | None = None) -> None:
        """Record a new execution, with what is known of its files, and make it the newest of its sweep."""
        planned = manifest.runs_planned()
        due = {c.id: planned[c.name] for c in manifest.configurations}
        with self.client.pipeline(transaction=True) as pipe:
            pipe.set(_key(manifest.execution, "manifest"), manifest.model_dump_json())
            if facts is not None:
                pipe.set(_key(manifest.execution, "facts"), facts.model_dump_json())
            pipe.hset(_key(manifest.execution, "state"), mapping={"status": "running", "generation": 0})
            pipe.hset(_key(manifest.execution, "due"), mapping=cast(dict[Any, Any], due))
            pipe.set(_sweep_key(manifest.sweep_id), manifest.execution)
            pipe.execute()

    def newest(self, sweep_id: str) -> tuple[Manifest, Status] | None:
        """Return the newest execution of a sweep and its status."""
        execution = self.client.get(_sweep_key(sweep_id))
        if execution is None:
            return None
        manifest = self.manifest(str(execution))
        status = self.status(str(execution))
        return None if manifest is None or status is None else (manifest, status)

    def manifest(self, execution: str) -> Manifest | None:
        text = self.client.get(_key(execution, "manifest"))
        return None if text is None else Manifest.model_validate_json(str(text))

    def facts(self, execution: str) -> str | None:
        """Return what is known of the ingested files, JSON of :class:`contracts.facts.Facts`."""
        return cast(str | None, self.client.get(_key(execution, "facts")))

    def put_manifest(self, manifest: Manifest) -> None:
        self.client.set(_key(manifest.execution, "manifest"), manifest.model_dump_json())

    def status(self, execution: str) -> Status | None:
        return cast(Status | None, self.client.hget(_key(execution, "state"), "status"))

    def set_finished(self, execution: str) -> None:
        self.client.hset(_key(execution, "state"), "status", "finished")

    def set_collected(self, execution: str) -> None:
        """Record that the results are on disk; the store forgets the execution after :data:`KEPT_S`."""
        self._end(execution, "collected")

    def abandon(self, execution: str) -> None:
        """Supersede an unfinished execution: nothing of it is measured or decided any more."""
        self.next_generation(execution)
        self._end(execution, "abandoned")

    def _end(self, execution: str, status: Status) -> None:
        with self.client.pipeline(transaction=True) as pipe:
            pipe.hset(_key(execution, "state"), "status", status)
            for kind in _KINDS:
                pipe.expire(_key(execution, kind), KEPT_S)
            pipe.execute()

    def set_problem(self, execution: str, problem: str) -> None:
        """Record why the execution can't be summarised; the follower shows it."""
        self.client.hset(_key(execution, "state"), "problem", problem)

    def problem(self, execution: str) -> str | None:
        return cast(str | None, self.client.hget(_key(execution, "state"), "problem"))

    def next_generation(self, execution: str) -> int:
        """Start a new generation of messages: those of older ones are dropped where they arrive.

        Attempts are counted anew, and a problem of the last generation is forgotten.
        """
        keys = [_key(execution, "state"), _key(execution, "attempts")]
        return int(cast(int, self._next_generation(keys=keys)))

    def generation(self, execution: str) -> int | None:
        """Return the newest generation; ``None``: the store knows no such execution."""
        value = self.client.hget(_key(execution, "state"), "generation")
        return None if value is None else int(cast(str, value))

    def put_base_dir(self, execution: str, base_dir: str) -> None:
        """Record the folder that the workload's relative paths are relative to, on the producer's machine."""
        self.client.hset(_key(execution, "state"), "base_dir", base_dir)

    def base_dir(self, execution: str) -> str:
        return str(self.client.hget(_key(execution, "state"), "base_dir") or "")

    def spent_s(self, execution: str) -> float:
        """Return for how long the execution has been running, s: of earlier generations up to their last outcome."""
        names = ["spent_ms", "began_ms", "newest_ms"]
        values = cast(list[str | None], self.client.hmget(_key(execution, "state"), names))
        spent, began, newest = (0 if value is None else int(value) for value in values)
        return (spent + max(0, newest - began)) / 1e3

    # --- jobs -------------------------------------------------------------------------------

    def start_job(self, execution: str, job_id: str, *, title: str, slot: str) -> int:
        """Record that a delivery of the job starts on ``slot``; return which delivery it is, from 1."""
        attempt = int(self.client.hincrby(_key(execution, "attempts"), job_id, 1))
        line = json.dumps({"title": title, "slot": slot, "attempt": attempt})
        self.client.hset(_key(execution, "running"), job_id, line)
        return attempt

    def put_outcome(self, outcome: JobOutcome) -> bool:
        """Store an outcome; return whether it was the first of its job, the one that counts."""
        x = outcome.execution
        keys = [_key(x, "outcomes"), _key(x, "running"), _key(x, "failed"), _key(x, "state")]
        arguments = [outcome.job_id, outcome.model_dump_json(), "1" if outcome.failed else "0"]
        return bool(self._put_outcome(keys=keys, args=arguments))

    def has_outcome(self, execution: str, job_id: str) -> bool:
        return bool(self.client.hexists(_key(execution, "outcomes"), job_id))

    def jobs_done(self, execution: str) -> set[str]:
        """Return the ids of all jobs with an outcome."""
        return set(cast(list[str], self.client.hkeys(_key(execution, "outcomes"))))

    def outcomes(self, execution: str, job_ids: Iterable[str]) -> Iterator[JobOutcome]:
        """Yield the outcomes of those jobs that have one, in the order given, read in chunks."""
        ids = list(job_ids)
        for start in range(0, len(ids), CHUNK):
            texts = self.client.hmget(_key(execution, "outcomes"), ids[start : start + CHUNK])
            for text in cast(list[str | None], texts):
                if text is not None:
                    yield JobOutcome.model_validate_json(text)

    def progress(self, execution: str) -> Progress:
        with self.client.pipeline(transaction=False) as pipe:
            pipe.hlen(_key(execution, "outcomes"))
            pipe.scard(_key(execution, "failed"))
            pipe.hgetall(_key(execution, "running"))
            pipe.hlen(_key(execution, "summaries"))
            pipe.hget(_key(execution, "state"), "status")
            done, failed, running, summaries, status = pipe.execute()
        return Progress(done, failed, {k: json.loads(v) for k, v in running.items()}, summaries, status)

    def claimed(self, execution: str, job_id: str) -> bool:
        """Return whether a live worker measures the job now."""
        return bool(self.client.exists(claim_key(execution, job_id)))

    def forget_running(self, execution: str, job_id: str) -> None:
        self.client.hdel(_key(execution, "running"), job_id)

    # --- summaries --------------------------------------------------------------------------

    def put_summary(
        self, execution: str, configuration_id: str, text: str, *, figures: str = "", runs: int
    ) -> int:
        """Store a configuration's summary of ``runs`` runs where it is the one that is due, once.

        Return how many configurations are still due. ``figures``: what decisions on further runs rest on.
        """
        keys = [_key(execution, name) for name in ("summaries", "figures", "due")]
        return int(cast(int, self._put_summary(keys=keys, args=[configuration_id, text, figures, runs])))

    def due(self, execution: str) -> dict[str, int]:
        """Return the ids of the configurations whose next summary is not there, with the runs that it needs."""
        found = cast(dict[str, str], self.client.hgetall(_key(execution, "due")))
        return {configuration_id: int(runs) for configuration_id, runs in found.items()}

    def figures(self, execution: str) -> dict[str, str]:
        """Return what decisions rest on, by configuration's id."""
        return cast(dict[str, str], self.client.hgetall(_key(execution, "figures")))

    def summaries(self, execution: str) -> dict[str, str]:
        return cast(dict[str, str], self.client.hgetall(_key(execution, "summaries")))

    def put_round(self, execution: str, round_: Round, due: dict[str, int]) -> Round | None:
        """Record the decision on a block, once, and with it which summaries are due; return the one that counts.

        ``None``: it is not the time to decide: summaries are due, or the execution is not running.
        """
        keys = [_key(execution, name) for name in ("rounds", "due", "state")]
        pairs = [part for pair in due.items() for part in pair]
        text = self._put_round(keys=keys, args=[round_.block, round_.model_dump_json(), *pairs])
        return None if text is None else Round.model_validate_json(str(text))

    def round(self, execution: str, block: int) -> Round | None:
        """Return the decision on a block; ``None``: there is none yet."""
        text = self.client.hget(_key(execution, "rounds"), str(block))
        return None if text is None else Round.model_validate_json(str(text))

    def rounds(self, execution: str) -> list[Round]:
        """Return all decisions on blocks, in their order."""
        texts = cast(list[str], self.client.hvals(_key(execution, "rounds")))
        return sorted((Round.model_validate_json(text) for text in texts), key=lambda one: one.block)

    def may_decide(self, execution: str, block: int, *, expires_s: int = 10) -> bool:
        """Return ``True`` to one caller within ``expires_s``: it publishes the decision on the block."""
        return bool(self.client.set(_key(execution, f"decider:{block}"), "1", nx=True, ex=expires_s))

    def may_finalise(self, execution: str, *, expires_s: int = 60) -> bool:
        """Return ``True`` to one caller within ``expires_s``: it publishes the finaliser."""
        return bool(self.client.set(_key(execution, "finaliser"), "1", nx=True, ex=expires_s))

    def put_slot_identities(self, execution: str, identities: Iterable[SlotIdentity]) -> None:
        """Record who measured; of a slot the first identity is kept."""
        with self.client.pipeline(transaction=False) as pipe:
            for identity in identities:
                pipe.hsetnx(_key(execution, "slots"), identity.slot, identity.model_dump_json())
            pipe.execute()

    def slot_identities(self, execution: str) -> list[SlotIdentity]:
        texts = cast(dict[str, str], self.client.hgetall(_key(execution, "slots")))
        return [SlotIdentity.model_validate_json(texts[slot]) for slot in sorted(texts)]

    def put_documents(self, execution: str, documents: dict[str, str]) -> None:
        self.client.hset(_key(execution, "documents"), mapping=cast(dict[Any, Any], documents))

    def documents(self, execution: str) -> dict[str, str]:
        return cast(dict[str, str], self.client.hgetall(_key(execution, "documents")))

    # --- slots ------------------------------------------------------------------------------

    def put_slot(self, status: SlotStatus, *, ttl_s: int) -> None:
        self.client.set(_slot_key(status.slot), status.model_dump_json(), ex=ttl_s)

    def drop_slot(self, slot: str) -> None:
        self.client.delete(_slot_key(slot))

    def slot(self, slot: str) -> SlotStatus | None:
        text = self.client.get(_slot_key(slot))
        return None if text is None else SlotStatus.model_validate_json(str(text))

    def slots(self) -> list[SlotStatus]:
        """Return all live slots, by name."""
        names = sorted(key.removeprefix(_slot_key("")) for key in self.client.scan_iter(_slot_key("*")))
        return [status for name in names if (status := self.slot(name)) is not None]

    def put_floor(self, slot: str, floor: MeasurementFloor) -> None:
        self.client.set(_floor_key(slot), floor.model_dump_json())

    def put_answer(self, task_id: str, answer: dict[str, Any], *, ttl_s: int = 300) -> None:
        self.client.set(answer_key(task_id), json.dumps(answer), ex=ttl_s)

    def floor(self, slot: str) -> MeasurementFloor | None:
        """Return what the slot's last calibration found, on whichever machine the slot was then."""
        text = self.client.get(_floor_key(slot))
        try:
            return None if text is None else MeasurementFloor.model_validate_json(str(text))
        except ValidationError:
            return None  # of another version: as good as none

    def put_aggregator(self, name: str, *, ttl_s: int) -> None:
        self.client.set(_aggregator_key(name), "live", ex=ttl_s)

    def drop_aggregator(self, name: str) -> None:
        self.client.delete(_aggregator_key(name))

    def has_aggregator(self) -> bool:
        """Return whether an aggregator is live."""
        return next(self.client.scan_iter(_aggregator_key("*")), None) is not None

    def leased(self, slot: str) -> bool:
        """Return whether a job measures on the slot now."""
        return bool(self.client.exists(lease_key(slot)))


def lease_key(slot: str) -> str:
    return f"chimera:lease:{slot}"


def claim_key(execution: str, job_id: str) -> str:
    return f"chimera:claim:{execution}:{job_id}"


def _key(execution: str, name: str) -> str:
    return f"chimera:x:{execution}:{name}"


def _sweep_key(sweep_id: str) -> str:
    return f"chimera:sweep:{sweep_id}"


def _aggregator_key(name: str) -> str:
    return f"chimera:aggregator:{name}"


def answer_key(task_id: str) -> str:
    """Key of what a task answered to one who waits for it."""
    return f"chimera:answer:{task_id}"


def _floor_key(slot: str) -> str:
    return f"chimera:floor:{slot}"


def _slot_key(slot: str) -> str:
    return f"chimera:slot:{slot}"
