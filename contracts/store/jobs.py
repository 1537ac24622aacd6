"""Jobs in the store: deliveries, outcomes, counters."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import redis
from redis.client import NEVER_DECODE

from contracts.outcome import JobOutcome
from contracts.packing import inflate
from contracts.store.counts import Counts, read_counts
from contracts.store.executions import Status
from contracts.store.keys import claim_key, execution_key
from contracts.store.scripts import PUT_OUTCOME, VOID, WITHOUT

CHUNK = 200
"""Outcomes read at once: a few MB."""


@dataclass(frozen=True)
class Progress:
    """Counts of one execution at one moment."""

    done: int
    """Jobs with an outcome, failed ones included."""
    failed: int
    running: dict[str, dict[str, Any]]
    """Job id → {title, slot, attempt, started_at}."""
    summaries: int
    status: Status | None


class Jobs:
    """Part of :class:`contracts.store.Store`."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self._put_outcome = client.register_script(PUT_OUTCOME)
        self._void = client.register_script(VOID)
        self._without = client.register_script(WITHOUT)

    def start_job(self, execution: str, job_id: str, *, title: str, slot: str) -> int:
        """Record that a delivery of the job starts on ``slot``; return which delivery it is, from 1."""
        attempt = int(self.client.hincrby(execution_key(execution, "attempts"), job_id, 1))
        line = running_line(title, slot, attempt)
        self.client.hset(execution_key(execution, "running"), job_id, line)
        return attempt

    def hand_back(self, execution: str, job_id: str) -> None:
        """Undo :meth:`start_job`: the job was given up by its worker before it had an outcome."""
        with self.client.pipeline(transaction=True) as pipe:
            pipe.hincrby(execution_key(execution, "attempts"), job_id, -1)
            pipe.hdel(execution_key(execution, "running"), job_id)
            pipe.execute()

    def put_outcome(self, outcome: JobOutcome) -> bool:
        """Store an outcome; return whether it is the one that counts.

        The first valid one counts, or the first at all as long as none is valid; once the configuration is
        summarised nothing changes any more. The others are kept as well (:meth:`other_outcomes`).
        """
        keys = [execution_key(outcome.execution, kind) for kind in OUTCOME_KINDS]
        return bool(self._put_outcome(keys=keys, args=outcome_arguments(outcome)))

    def void(self, execution: str, jobs: Mapping[str, str], *, slot: str, why: str) -> list[str]:
        """Take failed outcomes back, so that their jobs are measured once more; return the ids of those taken.

        ``jobs``: job id → configuration id, of a ``slot`` whose server failed: ``why``. A job is taken back once, and
        only while its configuration's summary is due; it is sent again by the execution's steward. Of a cancelled
        execution none is: it would not be measured again.
        """
        if self.client.hget(execution_key(execution, "state"), "status") == "cancelled":
            return []
        kinds = (
            "outcomes",
            "failed",
            "others",
            "counts",
            "due",
            "voided",
            "attempts",
            "taken_back",
        )
        keys = [execution_key(execution, kind) for kind in kinds]
        arguments = [slot, why, *(part for pair in jobs.items() for part in pair)]
        return cast(list[str], self._void(keys=keys, args=arguments)) if jobs else []

    def voided(self, execution: str) -> list[str]:
        """Return the ids of the jobs that were taken back and are to be sent again."""
        found = cast(dict[str, str], self.client.hgetall(execution_key(execution, "voided")))
        return [job_id for job_id, state in found.items() if state == "waiting"]

    def taken_back(self, execution: str) -> dict[str, tuple[int, str]]:
        """Return of how many jobs the outcomes were taken back, and why at last, by the slot that had measured them."""
        found = cast(dict[str, str], self.client.hgetall(execution_key(execution, "taken_back")))
        slots = [name.removeprefix("jobs:") for name in found if name.startswith("jobs:")]
        return {slot: (int(found[f"jobs:{slot}"]), found[f"why:{slot}"]) for slot in sorted(slots)}

    def set_sent_again(self, execution: str, job_ids: Iterable[str]) -> None:
        """Record that jobs that were taken back are sent again."""
        sent = dict.fromkeys(job_ids, "sent")
        if sent:
            self.client.hset(execution_key(execution, "voided"), mapping=cast(dict[Any, Any], sent))

    def without_outcome(self, execution: str, job_ids: Iterable[str]) -> list[str]:
        """Return those of the jobs that have no outcome."""
        ids, absent = list(job_ids), list[str]()
        for start in range(0, len(ids), 1000):  # Lua takes some thousand arguments at most
            part = ids[start : start + 1000]
            absent += cast(list[str], self._without(keys=[execution_key(execution, "outcomes")], args=part))
        return absent

    def has_outcome(self, execution: str, job_id: str) -> bool:
        return bool(self.client.hexists(execution_key(execution, "outcomes"), job_id))

    def jobs_done(self, execution: str) -> set[str]:
        """Return the ids of all jobs with an outcome."""
        return set(cast(list[str], self.client.hkeys(execution_key(execution, "outcomes"))))

    def outcomes(self, execution: str, job_ids: Iterable[str]) -> Iterator[JobOutcome]:
        """Yield the outcomes of those jobs that have one, in the order given, read in chunks."""
        for packed in self.packed_outcomes(execution, job_ids):
            yield unpack(packed)

    def packed_outcomes(self, execution: str, job_ids: Iterable[str]) -> Iterator[bytes]:
        """Yield the same as they are stored; :func:`unpack` reads one."""
        ids: list[str] = []
        for job_id in job_ids:
            ids.append(job_id)
            if len(ids) == CHUNK:
                yield from self._packed(execution, ids)
                ids = []
        if ids:
            yield from self._packed(execution, ids)

    def _packed(self, execution: str, ids: list[str]) -> Iterator[bytes]:
        return iter(self._bytes(execution_key(execution, "outcomes"), ids))

    def _bytes(self, key: str, fields: list[str]) -> list[bytes]:
        # The client decodes all replies to text, these alone are bytes.
        ask = cast(Callable[..., list[bytes | None]], self.client.execute_command)
        return [packed for packed in ask("HMGET", key, *fields, **{NEVER_DECODE: []}) if packed is not None]

    def other_outcomes(self, execution: str) -> Iterator[JobOutcome]:
        """Yield the outcomes that do not count, job by job: of later deliveries, and those taken back."""
        key = execution_key(execution, "others")
        names = sorted(cast(list[str], self.client.hkeys(key)))
        for start in range(0, len(names), CHUNK):
            yield from map(unpack, self._bytes(key, names[start : start + CHUNK]))

    def progress(self, execution: str) -> Progress:
        with self.client.pipeline(transaction=False) as pipe:
            pipe.hlen(execution_key(execution, "outcomes"))
            pipe.hlen(execution_key(execution, "failed"))
            pipe.hgetall(execution_key(execution, "running"))
            pipe.hlen(execution_key(execution, "summaries"))
            pipe.hget(execution_key(execution, "state"), "status")
            done, failed, running, summaries, status = pipe.execute()
        return Progress(done, failed, {k: json.loads(v) for k, v in running.items()}, summaries, status)

    def counts(self, execution: str) -> Counts:
        """Return the execution's counters."""
        return read_counts(cast(dict[str, str], self.client.hgetall(execution_key(execution, "counts"))))

    def claimed(self, execution: str, job_id: str) -> bool:
        """Return whether a live worker measures the job now."""
        return bool(self.client.exists(claim_key(execution, job_id)))

    def claimed_of(self, execution: str, job_ids: Iterable[str]) -> set[str]:
        """Return those of the jobs that a live worker measures now."""
        ids = list(job_ids)
        with self.client.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.exists(claim_key(execution, job_id))
            found = pipe.execute()
        return {job_id for job_id, there in zip(ids, found, strict=True) if there}

    def forget_running(self, execution: str, job_id: str) -> None:
        self.client.hdel(execution_key(execution, "running"), job_id)


OUTCOME_KINDS = ("outcomes", "failed", "others", "counts", "due", "running", "state", "new")
"""Keys of the script that stores an outcome, in its order."""


def outcome_arguments(outcome: JobOutcome) -> list[str | bytes]:
    """Return the arguments of the script that stores an outcome."""
    job_ms = (outcome.ended_ns - outcome.started_ns) / 1e6
    loads = [s.call.counters.load_ns for s in outcome.stages if s.call is not None]
    load_ns = max((load for load in loads if load is not None), default=None)
    return [
        outcome.job_id,
        pack(outcome),
        outcome.why or "",
        outcome.configuration.id,
        outcome.slot,
        f"{job_ms:.3f}",
        "" if load_ns is None else f"{load_ns / 1e6:.3f}",
    ]


def running_line(title: str, slot: str, attempt: int) -> str:
    """Return what is stored of a job that runs."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"title": title, "slot": slot, "attempt": attempt, "started_at": now})


def pack(outcome: JobOutcome) -> bytes:
    """Return an outcome as it is stored. Level 1: most of the saving at a tenth of the time."""
    return zlib.compress(outcome.model_dump_json().encode(), 1)


def unpack(packed: bytes) -> JobOutcome:
    """Return the outcome that was stored.

    Raises:
        ValueError: it can't be read.
    """
    return JobOutcome.model_validate_json(inflate(packed))
