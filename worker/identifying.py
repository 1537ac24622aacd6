"""Who the servers of a job are: asked before and after its calls, or known from the jobs before it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from contracts.failures import ChimeraError
from contracts.outcome import ServerIdentity, StageResult
from worker.caller import Caller
from worker.measurement.clock import now_ns

IDENTIFY_S = 10.0
LATELY_NS = 5 * 10**9
"""Facts of a server are asked for anew after this."""
LOADED_NS = 100 * 10**6
"""A server that had the model takes less for finding it (Ollama tells some 10 ms)."""
KNOWN = 64

_lately: dict[tuple[object, ...], tuple[int, ServerIdentity]] = {}
"""When a job of this process asked a server who it is, and the answer."""

_OF_THE_LOADED = ("context", "size_bytes", "vram_bytes")
"""Facts that a model has only as it was loaded."""


async def identify_before(callers: Sequence[Caller]) -> list[ServerIdentity | None]:
    """Return who each caller's server is, as known lately or asked now; ``None``: it does not tell."""
    return [
        known if (known := _met_lately(caller, callers)) is not None else await _identity(caller, callers)
        for caller in callers
    ]


async def identify_after(
    callers: Sequence[Caller], before: Sequence[ServerIdentity | None], stages: Iterable[StageResult]
) -> list[ServerIdentity | None]:
    """Return who each caller's server is after the calls: some facts, as Ollama's context, are there only while it has the model.

    Not asked again where it was asked lately and nothing in the calls speaks for another server, or for a model that
    was loaded since.
    """
    as_before = all(_as_before(stage) for stage in stages)
    return [
        await _after(caller, callers, as_before) or known
        for caller, known in zip(callers, before, strict=True)
    ]


async def _after(caller: Caller, callers: Sequence[Caller], as_before: bool) -> ServerIdentity | None:
    known = _met_lately(caller, callers)
    if known is not None and as_before:
        return known
    _lately.pop(_key(caller), None)
    identity = await _identity(caller, callers)
    if identity is not None and not _shares_its_load(caller, callers):
        if len(_lately) >= KNOWN:
            _lately.clear()
        _lately[_key(caller)] = (now_ns(), identity)
    return identity


def _model(caller: Caller) -> tuple[object, ...]:
    return caller.server.kind, caller.server.url, caller.model


def _key(caller: Caller) -> tuple[object, ...]:
    """Return all that a server's facts depend on: they change with the model's loading."""
    return *_model(caller), caller.parameters.num_ctx, caller.parameters.num_gpu


def _shares_its_load(caller: Caller, callers: Sequence[Caller]) -> bool:
    """Return whether another one has the server load the same model otherwise: it tells of the last loading only."""
    return any(_model(o) == _model(caller) and _key(o) != _key(caller) for o in callers)


def _met_lately(caller: Caller, callers: Sequence[Caller]) -> ServerIdentity | None:
    """Return who the server was when an earlier job asked it, if that was lately; else it has to be asked.

    What an OpenAI-compatible server takes depends on which one it is, so it is always asked.
    """
    known = _lately.get(_key(caller))
    if caller.server.kind == "openai" or known is None or now_ns() - known[0] > LATELY_NS:
        return None
    return None if _shares_its_load(caller, callers) else known[1]


def _as_before(stage: StageResult) -> bool:
    if stage.stage == "unload" or not stage.outcome.valid:
        return False
    return stage.call is None or (stage.call.counters.load_ns or 0) < LOADED_NS


async def _identity(caller: Caller, callers: Sequence[Caller]) -> ServerIdentity | None:
    """Ask who the server is."""
    try:
        async with asyncio.timeout(IDENTIFY_S):
            identity = await caller.server.identify(caller.model)
    except (ChimeraError, TimeoutError):
        return None  # the calls will say what is wrong
    if not _shares_its_load(caller, callers):
        return identity
    return identity.model_copy(update=dict.fromkeys(_OF_THE_LOADED))
