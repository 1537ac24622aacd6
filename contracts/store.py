"""The result store: the Redis keys that both sides share, and the operations on them.

::

    chimera:sweep:<sweep id>            the newest execution of a sweep
    chimera:x:<execution>:manifest      Manifest, JSON
    chimera:x:<execution>:state         hash: status, generation, problem
    chimera:x:<execution>:outcomes      hash: job id → JobOutcome, JSON; the first write wins
    chimera:x:<execution>:failed        set of job ids with a failed outcome
    chimera:x:<execution>:running       hash: job id → what runs where
    chimera:x:<execution>:attempts      hash: job id → number of deliveries
    chimera:x:<execution>:summaries     hash: configuration id → ConfigurationSummary, JSON
    chimera:x:<execution>:slots         hash: slot → SlotIdentity, JSON
    chimera:x:<execution>:documents     hash: file name → text
    chimera:x:<execution>:finaliser     set by the one who publishes the finaliser
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
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from contracts.failures import BrokerError
from contracts.floor import MeasurementFloor
from contracts.manifest import Manifest, SlotIdentity
from contracts.outcome import JobOutcome
from contracts.slots import SlotStatus

Status = Literal["running", "finished", "collected"]
"""``finished``: the report is in the store; ``collected``: and in a results folder."""

KEPT_S = 7 * 86_400
"""How long the store keeps a collected execution, s."""
_KINDS = ("manifest", "state", "outcomes", "failed", "running", "attempts", "summaries", "slots", "documents")

_PUT_OUTCOME = """
local first = redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[1])
if first == 1 and ARGV[3] == '1' then redis.call('SADD', KEYS[3], ARGV[1]) end
return first
"""

_PUT_SUMMARY = """
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HLEN', KEYS[1])
"""

CHUNK = 200
"""Outcomes read at once: a few MB."""


FOREVER = -1


def connect(url: str, *, retries: int = 5) -> redis.Redis:
    """Return a client that tries again over a few seconds, or :data:`FOREVER`; replies are text."""
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=5,
        socket_keepalive=True,
        health_check_interval=10,
        retry=Retry(ExponentialBackoff(cap=2, base=0.1), retries),
        retry_on_error=[redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError],
    )


def redacted(url: str) -> str:
    """Return a URL without user and password, to be shown."""
    scheme, separator, rest = url.partition("://")
    # Whatever stands before the last @ may be a password, and so may a query.
    return f"{scheme}{separator}{rest.rpartition('@')[2].partition('?')[0]}"


def check(client: redis.Redis, url: str) -> None:
    """Raise :class:`BrokerError`, with one line, where Redis does not answer."""
    try:
        client.ping()
    except redis.AuthenticationError as error:
        raise BrokerError(f"Redis at {redacted(url)} refuses the password: {error}") from None
    except redis.RedisError as error:
        raise BrokerError(f"Redis at {redacted(url)} can't be reached: {error}") from None


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
        self._put_summary = client.register_script(_PUT_SUMMARY)

    # --- executions -------------------------------------------------------------------------

    def begin(self, manifest: Manifest) -> None:
        """Record a new execution and make it the newest of its sweep."""
        with self.client.pipeline(transaction=True) as pipe:
            pipe.set(_key(manifest.execution, "manifest"), manifest.model_dump_json())
            pipe.hset(_key(manifest.execution, "state"), mapping={"status": "running", "generation": 0})
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

    def put_manifest(self, manifest: Manifest) -> None:
        self.client.set(_key(manifest.execution, "manifest"), manifest.model_dump_json())

    def status(self, execution: str) -> Status | None:
        return cast(Status | None, self.client.hget(_key(execution, "state"), "status"))

    def set_finished(self, execution: str) -> None:
        self.client.hset(_key(execution, "state"), "status", "finished")

    def set_collected(self, execution: str) -> None:
        """Record that the results are on disk; the store forgets the execution after :data:`KEPT_S`."""
        with self.client.pipeline(transaction=True) as pipe:
            pipe.hset(_key(execution, "state"), "status", "collected")
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
        with self.client.pipeline(transaction=True) as pipe:
            pipe.hincrby(_key(execution, "state"), "generation", 1)
            pipe.delete(_key(execution, "attempts"))
            pipe.hdel(_key(execution, "state"), "problem")
            return int(pipe.execute()[0])

    def generation(self, execution: str) -> int | None:
        """Return the newest generation; ``None``: the store knows no such execution."""
        value = self.client.hget(_key(execution, "state"), "generation")
        return None if value is None else int(cast(str, value))

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
        keys = [_key(x, "outcomes"), _key(x, "running"), _key(x, "failed")]
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

    def put_summary(self, execution: str, configuration_id: str, text: str) -> int:
        """Store a configuration's summary, once; return how many configurations have one."""
        keys, arguments = [_key(execution, "summaries")], [configuration_id, text]
        return int(cast(int, self._put_summary(keys=keys, args=arguments)))

    def summarised(self, execution: str) -> set[str]:
        """Return the ids of all configurations with a summary."""
        return set(cast(list[str], self.client.hkeys(_key(execution, "summaries"))))

    def summaries(self, execution: str) -> dict[str, str]:
        return cast(dict[str, str], self.client.hgetall(_key(execution, "summaries")))

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
