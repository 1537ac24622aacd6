"""Taking a job and its slot, and giving both back with the outcome: one round trip to Redis each."""

from __future__ import annotations

import os
import platform
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from contracts.job import JobSpec
from contracts.outcome import JobOutcome
from contracts.store import Store, claim_key, lease_key
from contracts.store.jobs import OUTCOME_KINDS, outcome_arguments, running_line
from contracts.store.keys import execution_key
from contracts.store.scripts import PUT_OUTCOME
from worker.lease import TTL_S, Held

WORKER = f"{platform.node()}:{os.getpid()}"
"""Of this worker: the module is imported before the pool's process is forked, which inherits it."""
SEPARATOR = "|"
"""Between the parts of a token; no part holds it."""

Verdict = Literal["taken", "superseded", "paused", "present", "claimed", "busy"]
"""``claimed``: another delivery measures the job; ``busy``: another process holds the slot."""

# A script whose answer was lost with a connection is sent again: it then finds its own token and counts nothing twice.
_TAKE = """
-- KEYS state, outcomes, attempts, running, claim, lease; ARGV job, generation, token, ms, what is stored of a job that runs
local job, token, ms = ARGV[1], ARGV[3], ARGV[4]
local generation = redis.call('HGET', KEYS[1], 'generation')
if not generation or tonumber(ARGV[2]) < tonumber(generation) then return {'superseded', 0} end
if redis.call('GET', KEYS[5]) == token and redis.call('GET', KEYS[6]) == token then
  return {'taken', tonumber(redis.call('HGET', KEYS[3], job))}
end
if redis.call('HEXISTS', KEYS[2], job) == 1 then return {'present', 0} end
local status = redis.call('HGET', KEYS[1], 'status')
if status == 'paused' or status == 'cancelled' then return {'paused', 0} end
if redis.call('EXISTS', KEYS[5]) == 1 then return {'claimed', 0} end
if redis.call('EXISTS', KEYS[6]) == 1 then return {'busy', 0} end
redis.call('SET', KEYS[5], token, 'PX', ms)
redis.call('SET', KEYS[6], token, 'PX', ms)
local attempt = redis.call('HINCRBY', KEYS[3], job, 1)
local line = cjson.decode(ARGV[5])
line.attempt = attempt
redis.call('HSET', KEYS[4], job, cjson.encode(line))
return {'taken', attempt}
"""

_RELEASE = """
-- KEYS claim, lease; ARGV token
for i = 1, 2 do
  if redis.call('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
"""

_STORE = f"""
-- KEYS those of storing an outcome, then claim, lease; ARGV those of storing an outcome, then the token
local claim, lease, token = KEYS[#KEYS - 1], KEYS[#KEYS], ARGV[#ARGV]
for _, key in ipairs({{claim, lease}}) do
  local holder = redis.call('GET', key)
  if holder and holder ~= token then return 0 end
end
local function put()
{PUT_OUTCOME}
end
put()
redis.call('DEL', claim, lease)
return 1
"""

_HAND_BACK = """
-- KEYS lease; ARGV beginning of the worker's tokens. Gives the slot back and returns the token that held it.
local token = redis.call('GET', KEYS[1])
if not token or string.sub(token, 1, #ARGV[1]) ~= ARGV[1] then return false end
redis.call('DEL', KEYS[1])
return token
"""


@dataclass(frozen=True)
class Taken:
    """What came of asking for a job."""

    verdict: Verdict
    attempt: int = 0
    """Which delivery of the job it is, from 1; 0 where it was not taken."""
    claim: Held | None = None
    lease: Held | None = None


class Claiming:
    """The scripts above on one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._take = store.client.register_script(_TAKE)
        self._put = store.client.register_script(_STORE)
        self._release = store.client.register_script(_RELEASE)
        self._hand_back = store.client.register_script(_HAND_BACK)

    def take(self, spec: JobSpec, generation: int, slot: str, token: str) -> Taken:
        """Take the job's claim, the slot's lease and count the attempt, all or nothing; say why not."""
        x, job_id = spec.execution, spec.job_id
        kinds = ("state", "outcomes", "attempts", "running")
        claim, lease = Held(claim_key(x, job_id), token), Held(lease_key(slot), token)
        keys = [*(execution_key(x, kind) for kind in kinds), claim.key, lease.key]
        line = running_line(spec.title, slot, 0)
        arguments: list[str | int] = [job_id, generation, token, int(TTL_S * 1000), line]
        verdict, attempt = cast(tuple[Verdict, int], self._take(keys=keys, args=arguments))
        return Taken(verdict, attempt, claim, lease) if verdict == "taken" else Taken(verdict)

    def store(self, outcome: JobOutcome, token: str) -> bool:
        """Store the outcome and give claim and lease back; ``False``: another holds one of them, nothing was stored."""
        x = outcome.execution
        keys = [execution_key(x, kind) for kind in OUTCOME_KINDS]
        keys += [claim_key(x, outcome.job_id), lease_key(outcome.slot)]
        return bool(self._put(keys=keys, args=[*outcome_arguments(outcome), token]))

    def release(self, taken: Taken) -> None:
        """Give claim and lease back where they are still ours."""
        assert taken.claim is not None and taken.lease is not None
        self._release(keys=[taken.claim.key, taken.lease.key], args=[taken.claim.token])

    def hand_back(self, slot: str) -> tuple[str, str] | None:
        """Give back what this worker's pool process held when it was ended; return execution and job id.

        The attempt is not counted. ``None``: it held nothing.
        """
        beginning = SEPARATOR.join((WORKER, ""))
        token = cast(str | None, self._hand_back(keys=[lease_key(slot)], args=[beginning]))
        if token is None:
            return None
        _, execution, job_id, _ = token.split(SEPARATOR)
        self._release(keys=[claim_key(execution, job_id), lease_key(slot)], args=[token])
        self._store.hand_back(execution, job_id)
        return execution, job_id


@lru_cache(maxsize=4)
def claiming_of(store: Store) -> Claiming:
    """Return the scripts on ``store``, made once."""
    return Claiming(store)


def new_token(spec: JobSpec) -> str:
    """Return the token of one delivery: which worker's it is, of which job."""
    return SEPARATOR.join((WORKER, spec.execution, spec.job_id, uuid.uuid4().hex))
