"""Executions in the store: what is asked, how it stands, what is to be told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

import redis

from contracts.facts import Facts
from contracts.manifest import Manifest
from contracts.store.keys import (
    EXECUTIONS,
    KINDS,
    execution_key,
    follower_key,
    name_key,
    steward_key,
    sweep_key,
)
from contracts.store.queue_lengths import drop_units
from contracts.store.scripts import CANCEL, HOLD, NEXT_GENERATION, PUT_FEEDING, SET_STATUS

Status = Literal["running", "paused", "cancelled", "finished", "collected", "abandoned"]
"""``paused``: nothing new is measured until it is resumed; ``cancelled``: nothing is measured any more, its report is
to be written of what there is; ``finished``: the report is in the store; ``collected``: and in a results folder;
``abandoned``: its sweep was begun anew before it was finished."""

LIVE: tuple[Status, ...] = ("running", "paused", "cancelled")
"""Statuses of an execution with something still to be done."""

KEPT_S = 7 * 86_400
"""How long the store keeps a collected execution, s."""
NOTES = 1000
"""Notes for people that are kept."""


@dataclass(frozen=True)
class Feeding:
    """How far the newest generation of an execution is published."""

    units: int = 0
    """Units that are published or need not be, in their order."""
    known_block: int = 0
    """The last block that was known when it began: its jobs and those before share a chord a configuration."""


class Executions:
    """Part of :class:`contracts.store.Store`."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self._next_generation = client.register_script(NEXT_GENERATION)
        self._set_status = client.register_script(SET_STATUS)
        self._put_feeding = client.register_script(PUT_FEEDING)
        self._cancel = client.register_script(CANCEL)
        self._hold = client.register_script(HOLD)

    def begin(
        self,
        manifest: Manifest,
        facts: Facts | None = None,
        *,
        status: Status = "running",
        base_dir: str = "",
    ) -> None:
        """Record a new execution, with what is known of its files, and make it the newest of its sweep.

        ``status``: ``paused`` until its first generation begins, so that no steward begins before. ``base_dir``: as of
        :meth:`put_base_dir`.
        """
        planned, x = manifest.runs_planned(), manifest.execution
        due = {c.id: planned[c.name] for c in manifest.configurations}
        with self.client.pipeline(transaction=True) as pipe:
            pipe.set(execution_key(x, "manifest"), manifest.model_dump_json())
            if facts is not None:
                pipe.set(execution_key(x, "facts"), facts.model_dump_json())
            state = {
                "status": status,
                "generation": 0,
                "pool": manifest.spec.pool,
                "base_dir": base_dir,
            }
            pipe.hset(execution_key(x, "state"), mapping=cast(dict[Any, Any], state))
            pipe.hset(execution_key(x, "due"), mapping=cast(dict[Any, Any], due))
            pipe.set(sweep_key(manifest.sweep_id), x)
            pipe.set(name_key(manifest.sweep), x)
            pipe.sadd(EXECUTIONS, x)
            pipe.execute()

    def newest(self, sweep_id: str) -> tuple[Manifest, Status] | None:
        """Return the newest execution of a sweep and its status."""
        return self._with_status(self.client.get(sweep_key(sweep_id)))

    def newest_named(self, sweep: str) -> tuple[Manifest, Status] | None:
        """Return the newest execution of a sweep of that name, whatever the sweep file held then, and its status."""
        return self._with_status(self.client.get(name_key(sweep)))

    def _with_status(self, execution: object) -> tuple[Manifest, Status] | None:
        if execution is None:
            return None
        manifest, status = self.manifest(str(execution)), self.status(str(execution))
        return None if manifest is None or status is None else (manifest, status)

    def running_executions(self) -> list[str]:
        """Return the executions with something still to be done (:data:`LIVE`), oldest first."""
        return sorted(cast(set[str], self.client.smembers(EXECUTIONS)))

    def running_in(self, pool: str) -> list[str]:
        """Return the executions that run in a pool, those paused or cancelled not included."""
        live = self.running_executions()
        with self.client.pipeline(transaction=False) as pipe:
            for execution in live:
                pipe.hmget(execution_key(execution, "state"), ["status", "pool"])
            found = pipe.execute()
        return [x for x, state in zip(live, found, strict=True) if state == ["running", pool]]

    def manifest(self, execution: str) -> Manifest | None:
        text = self.client.get(execution_key(execution, "manifest"))
        return None if text is None else Manifest.model_validate_json(str(text))

    def facts(self, execution: str) -> str | None:
        """Return what is known of the ingested files, JSON of :class:`contracts.facts.Facts`."""
        return cast(str | None, self.client.get(execution_key(execution, "facts")))

    def put_manifest(self, manifest: Manifest) -> None:
        self.client.set(execution_key(manifest.execution, "manifest"), manifest.model_dump_json())

    # --- how it stands ----------------------------------------------------------------------

    def status(self, execution: str) -> Status | None:
        return cast(Status | None, self.client.hget(execution_key(execution, "state"), "status"))

    def set_status(self, execution: str, status: Status, *, after: Iterable[Status]) -> Status | None:
        """Set the status where it is one of ``after``; return the one that there is then."""
        keys = [execution_key(execution, "state"), EXECUTIONS]
        arguments = [execution, status, "1" if status in LIVE else "0", *after]
        return cast(Status | None, self._set_status(keys=keys, args=arguments))

    def set_finished(self, execution: str) -> None:
        self.set_status(execution, "finished", after=LIVE)

    def set_collected(self, execution: str) -> None:
        """Record that the results are on disk; the store forgets the execution after :data:`KEPT_S`."""
        self._end(execution, "collected")

    def abandon(self, execution: str) -> None:
        """Supersede an unfinished execution: nothing of it is measured or decided any more."""
        self.next_generation(execution)
        self._end(execution, "abandoned")

    def _end(self, execution: str, status: Status) -> None:
        drop_units(self.client, execution)
        with self.client.pipeline(transaction=True) as pipe:
            pipe.hset(execution_key(execution, "state"), "status", status)
            pipe.srem(EXECUTIONS, execution)
            for kind in KINDS:
                pipe.expire(execution_key(execution, kind), KEPT_S)
            pipe.execute()

    def set_problem(self, execution: str, problem: str) -> None:
        """Record why the execution can't be summarised; the follower shows it."""
        self.client.hset(execution_key(execution, "state"), "problem", problem)

    def problem(self, execution: str) -> str | None:
        return cast(str | None, self.client.hget(execution_key(execution, "state"), "problem"))

    def next_generation(self, execution: str) -> int:
        """Start a new generation of messages: those of older ones are dropped where they arrive.

        Attempts are counted anew, nothing of it is fed yet, and a problem of the last generation is forgotten.
        """
        keys = [execution_key(execution, kind) for kind in ("state", "attempts", "taken")]
        generation = int(cast(int, self._next_generation(keys=keys)))
        drop_units(self.client, execution)
        return generation

    def generation(self, execution: str) -> int | None:
        """Return the newest generation; ``None``: the store knows no such execution."""
        value = self.client.hget(execution_key(execution, "state"), "generation")
        return None if value is None else int(cast(str, value))

    def put_base_dir(self, execution: str, base_dir: str) -> None:
        """Record the folder that the workload's relative paths are relative to, on the producer's machine."""
        self.client.hset(execution_key(execution, "state"), "base_dir", base_dir)

    def base_dir(self, execution: str) -> str:
        return str(self.client.hget(execution_key(execution, "state"), "base_dir") or "")

    def put_embedded(self, execution: str, slots: int, servers: tuple[str, ...]) -> None:
        """Record the embedded slots that measure it, and their servers; none: those of the embedded default."""
        self.client.hset(execution_key(execution, "state"), "embedded", json.dumps([slots, servers]))

    def embedded(self, execution: str) -> tuple[int, tuple[str, ...]] | None:
        """Return the same; ``None``: a cluster measures it."""
        text = self.client.hget(execution_key(execution, "state"), "embedded")
        if text is None:
            return None
        slots, servers = json.loads(str(text))
        return int(slots), tuple(servers)

    def count_resumed(self, execution: str) -> None:
        """Count that the execution was taken up again."""
        self.client.hincrby(execution_key(execution, "state"), "resumed", 1)

    def resumed(self, execution: str) -> int:
        """Return how often it was."""
        return int(cast(str | None, self.client.hget(execution_key(execution, "state"), "resumed")) or 0)

    def ask_for_pause(self, execution: str, asked: bool) -> None:
        """Record whether the execution is to be paused: a generation that begins just now does not see its status."""
        self.client.hset(execution_key(execution, "state"), "pause", int(asked))

    def pause_asked(self, execution: str) -> bool:
        return self.client.hget(execution_key(execution, "state"), "pause") == "1"

    def put_feeding(self, execution: str, feeding: Feeding, *, generation: int) -> bool:
        """Record how far a generation is published; ``False``: a newer one has begun, nothing is recorded."""
        arguments = [generation, feeding.units, feeding.known_block]
        return bool(self._put_feeding(keys=[execution_key(execution, "state")], args=arguments))

    def feeding(self, execution: str) -> Feeding:
        """Return how far the newest generation is published."""
        names = list(Feeding.__dataclass_fields__)
        values = cast(list[str | None], self.client.hmget(execution_key(execution, "state"), names))
        return Feeding(**{name: int(value) for name, value in zip(names, values, strict=True) if value})

    def cancel(self, execution: str, why: str) -> bool:
        """End an execution before its time: nothing more is measured, its report is of what there is by now.

        ``False``: it neither runs nor is paused.
        """
        if not self._cancel(keys=[execution_key(execution, "state")], args=[why]):
            return False
        self.next_generation(execution)
        return True

    def cancelled(self, execution: str) -> str | None:
        """Return why the execution was cancelled; ``None``: it was not."""
        return cast(str | None, self.client.hget(execution_key(execution, "state"), "cancelled"))

    def hold_stewardship(self, execution: str, token: str, *, ttl_s: float) -> bool:
        """Take or renew the care of an execution; return whether it is ours now."""
        return bool(self._hold(keys=[steward_key(execution)], args=[token, int(ttl_s * 1e3)]))

    def drop_stewardship(self, execution: str, token: str) -> None:
        """Leave the care of an execution to others."""
        self._drop(steward_key(execution), token)

    def hold_following(self, execution: str, token: str, *, ttl_s: float) -> bool:
        """Take or renew the lease of the one who will write the results; return whether it is ours now."""
        return bool(self._hold(keys=[follower_key(execution)], args=[token, int(ttl_s * 1e3)]))

    def drop_following(self, execution: str, token: str) -> None:
        """Leave the results to others."""
        self._drop(follower_key(execution), token)

    def following_ms(self, execution: str) -> int:
        """Return in how many ms that lease expires if it is not renewed; 0: nobody has it."""
        return max(0, int(self.client.pttl(follower_key(execution))))

    def _drop(self, lease: str, token: str) -> None:
        if self.client.get(lease) == token:
            self.client.delete(lease)

    def spent_s(self, execution: str) -> float:
        """Return for how long the execution has been running, s: of earlier generations up to their last outcome."""
        names = ["spent_ms", "began_ms", "newest_ms"]
        values = cast(list[str | None], self.client.hmget(execution_key(execution, "state"), names))
        spent, began, newest = (0 if value is None else int(value) for value in values)
        return (spent + max(0, newest - began)) / 1e3

    # --- notes for people -------------------------------------------------------------------

    def tell(self, execution: str, line: str) -> None:
        """Add a note for whoever follows the execution."""
        self.client.xadd(execution_key(execution, "told"), {"line": line}, maxlen=NOTES, approximate=True)

    def told(self, execution: str, after: str = "0") -> tuple[list[tuple[datetime, str]], str]:
        """Return the notes after a mark, each with its time (UTC), and the mark to ask with next."""
        key = execution_key(execution, "told")
        entries = cast(list[tuple[str, dict[str, str]]], self.client.xrange(key, min=f"({after}"))
        notes = [
            (datetime.fromtimestamp(int(mark.partition("-")[0]) / 1e3, UTC), fields["line"])
            for mark, fields in entries
        ]
        return notes, entries[-1][0] if entries else after

    def last_told(self, execution: str) -> str:
        """Return the mark behind the newest note: what is told from now on comes after it."""
        newest = cast(list[tuple[str, Any]], self.client.xrevrange(execution_key(execution, "told"), count=1))
        return newest[0][0] if newest else "0"
