"""Client of Ollama: ``/api/generate`` and ``/api/chat`` as NDJSON (Ollama's docs/api.md and api/types.go, v0.12)."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from contracts.call import ServerCounters
from contracts.configuration import Parameters
from contracts.outcome import ServerIdentity
from contracts.slots import ModelLimits
from contracts.sweep import ServerSpec
from worker.measurement.clock import now_ns
from worker.servers.base import CallRequest, Recording, ServerUnreachable
from worker.servers.client import StreamClient
from worker.servers.connection import Answer
from worker.servers.counters import CounterReader
from worker.servers.framing import Frame, NdjsonDecoder
from worker.servers.reading import Malformed, Reading, is_true, objects
from worker.servers.said import messages
from worker.servers.send import send
from worker.servers.stream import StreamRequest
from worker.servers.text import error_message, string
from worker.servers.verdict import refused

MAX_PAUSE_S = 5.0
UNKNOWN_PAUSE_S = 0.5
"""Where the server tells no time at all."""
WARM_PATH = "/api/version"
UNLOAD_S = 30.0
UNLOAD_POLL_S = 0.02
DESCRIBED_KEPT = 64

_described: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]] = {}
"""By address and model: its entry in the list, and what ``/api/show`` said."""

MEDIA_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/json"})


class OllamaServer(StreamClient):
    """One Ollama server. See :class:`worker.servers.base.ModelServer` for the methods."""

    kind = "ollama"
    supports_schema = True

    def __init__(self, spec: ServerSpec, url: str) -> None:
        super().__init__(spec, url)
        self._pause_s = 0.0
        """For so long after ``_paused_ns`` a call could get a token of the answer before."""
        self._paused_ns = 0

    async def models(self) -> list[str]:
        answer = await self._connection.ask("/api/tags")
        listed = answer.object
        if listed is None or not isinstance(listed.get("models"), list):
            raise ServerUnreachable(f"{self.url} does not answer as Ollama: {answer.describe()}")
        return [name for entry in _entries(answer) if (name := string(entry.get("name")))]

    async def identify(self, model: str) -> ServerIdentity:
        # One after the other: the calls then find one connection, and where nothing answers, no others wait.
        version = await self._connection.ask("/api/version")
        running = await self._connection.ask("/api/ps")
        loaded = _entry(running, model)
        listed, described = await self._model(model, string(loaded.get("digest")))
        details = [_dict(source.get("details")) for source in (listed, loaded, described)]
        limits = limits_of(described)
        return ServerIdentity(
            kind=self.kind,
            url=self.url,
            software="Ollama",
            version=string((version.object or {}).get("version")),
            model=string(listed.get("name")) or string(loaded.get("name")),
            digest=string(listed.get("digest")) or string(loaded.get("digest")),
            quantisation=_first(details, "quantization_level"),
            context=_context(loaded, limits),
            parameter_size=_first(details, "parameter_size"),
            layers=limits.layers,
            context_max=limits.context,
            size_bytes=CounterReader().size("size", loaded.get("size")),
            vram_bytes=CounterReader().size("size_vram", loaded.get("size_vram")),
        )

    async def _model(self, model: str, digest: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what the server lists and shows of a model.

        Not asked for again where the loaded model has the digest of the one that was described before: the digest
        is that of all the model's content.
        """
        known = _described.get((self.url, model))
        if known is not None and digest is not None and known[0].get("digest") == digest:
            return known
        listed = _entry(await self._connection.ask("/api/tags"), model)
        shown = (await self._connection.ask("/api/show", {"model": model})).object or {}
        if len(_described) >= DESCRIBED_KEPT:
            _described.clear()
        _described[self.url, model] = (listed, shown)
        return listed, shown

    async def limits(self, model: str) -> ModelLimits:
        return limits_of((await self._connection.ask("/api/show", {"model": model})).object or {})

    async def unload(self, model: str) -> str | None:
        try:
            answer = await self._connection.ask("/api/generate", {"model": model, "keep_alive": 0})
            if answer.object is None:
                return f"the server did not unload {model}: {answer.describe()}"
            # It answers first and ends the model's process then.
            async with asyncio.timeout(UNLOAD_S):
                while _entry(running := await self._connection.ask("/api/ps"), model):
                    await asyncio.sleep(UNLOAD_POLL_S)
            if running.object is None:
                return f"the server does not tell whether it unloaded {model}: {running.describe()}"
        except ServerUnreachable as error:
            return str(error)
        except TimeoutError:
            return f"the server still has {model} loaded {UNLOAD_S:g} s after it was asked to unload it"
        return None

    def unsupported_parameters(self, parameters: Parameters) -> list[str]:
        return [] if self._spec.prompt_cache is None else ["prompt_cache"]

    async def record(self, request: CallRequest, timeout_s: float) -> Recording:
        unsupported = self.unsupported_parameters(request.parameters)
        if unsupported:
            return partial(refused, unsupported)
        sending = self._sending(request, timeout_s)
        if request.load is None:
            # What is left of it: calls at the same time wait side by side, none for the other.
            await asyncio.sleep(max(min(self._left_of_pause_s(now_ns()), timeout_s), 0.0))
        result = await send(self._connection, generate_request(request), sending)
        if request.load is None:
            ended_ns, pause_s = result.clock.end_ns or now_ns(), pause_after(result.settled())
            if pause_s > self._left_of_pause_s(ended_ns):
                self._pause_s, self._paused_ns = pause_s, ended_ns
        return self._recording(request, result, read_generate, structured=request.answer_schema is not None)

    def _left_of_pause_s(self, at_ns: int) -> float:
        return self._pause_s - (at_ns - self._paused_ns) / 1e9

    @property
    def _warm_path(self) -> str | None:
        return WARM_PATH


def generate_request(request: CallRequest) -> StreamRequest:
    """Return the request to ``/api/generate``, or to ``/api/chat`` where something was said before.

    Parameters are passed on by Ollama's names.
    """
    payload: dict[str, Any] = {
        "model": request.model,
        "stream": True,
        "options": request.parameters.sent(),
    }
    if request.history:
        payload["messages"] = messages(request)
    else:
        payload["prompt"] = request.prompt
        if request.system is not None:
            payload["system"] = request.system
    if request.answer_schema is not None:
        payload["format"] = request.answer_schema
    return StreamRequest(
        path="/api/chat" if request.history else "/api/generate",
        warm_path=WARM_PATH,
        payload=payload,
        decoder=NdjsonDecoder,
        is_last=is_true(b"done"),
        has_token=lambda frames: read_generate(frames).began,
        media_types=MEDIA_TYPES,
        load=request.load,
    )


def read_generate(frames: list[Frame]) -> Reading:
    """Read the records of a generate or chat stream; the one with ``done`` holds the counters.

    Ollama leaves a counter out where it is 0, such as ``prompt_eval_count`` of a wholly cached
    prompt; it then is ``None`` here.
    """
    reading = Reading()
    for frame, record in objects(frames, reading):
        reading.error = error_message(record)
        if reading.error is not None:
            break
        try:
            message = _dict(record.get("message"))
            if message:
                reading.add_text(frame, message.get("content"), "'message.content'")
            else:
                reading.add_text(frame, record.get("response"), "'response'")
        except Malformed as error:
            reading.malformed = str(error)
            break
        reading.add_reasoning(frame, message.get("thinking") if message else record.get("thinking"))
        if record.get("done") is True:
            reading.finished = True
            reading.add_finish_reason(record.get("done_reason"))
            _read_counters(record, reading)
            break
    return reading


def pause_after(frames: list[Frame]) -> float:
    """Return the pause that the next call needs, s: two token times, if the length limit cut this one.

    Ollama 0.12 still computes the next token of such an answer, and would give it to a call that comes in
    that time (docs/servers.md). Of N counted tokens the eval time covers N − 2 then. Of fewer than 3
    there is none: reading the prompt takes longer than a token.
    """
    last = read_generate(frames[-1:])
    counters = last.counters
    if last.finish_reason != "length":
        return 0.0
    if counters.tokens is not None and counters.tokens > 2 and counters.eval_ns:
        return min(2 * counters.eval_ns / (counters.tokens - 2) / 1e9, MAX_PAUSE_S)
    return min(counters.prompt_eval_ns / 1e9, MAX_PAUSE_S) if counters.prompt_eval_ns else UNKNOWN_PAUSE_S


def limits_of(shown: dict[str, Any]) -> ModelLimits:
    """Return what ``/api/show`` tells of a model's limits."""
    info = _dict(shown.get("model_info"))
    architecture = string(info.get("general.architecture"))
    blocks = CounterReader().count("block_count", info.get(f"{architecture}.block_count"))
    context = CounterReader().count("context_length", info.get(f"{architecture}.context_length"))
    return ModelLimits(layers=blocks, context=context)


def _context(loaded: dict[str, Any], limits: ModelLimits) -> int | None:
    """Return the context that a loaded model has: ``/api/ps`` shows what was asked, beyond the model's maximum too."""
    told = CounterReader().count("context_length", loaded.get("context_length"))
    return told if told is None or limits.context is None else min(told, limits.context)


def full_name(model: str) -> str:
    """Return the name with its tag: ``gemma3`` is ``gemma3:latest``."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _read_counters(record: dict[str, Any], reading: Reading) -> None:
    counter = CounterReader()
    tokens = counter.count("eval_count", record.get("eval_count"))
    eval_ns = counter.nanoseconds("eval_duration", record.get("eval_duration"))
    reading.counters = ServerCounters(
        prompt_tokens=counter.count("prompt_eval_count", record.get("prompt_eval_count")),
        tokens=tokens,
        # Its own rate divides them; by how much that is too high, and why: docs/servers.md.
        eval_tokens=tokens if eval_ns is not None else None,
        prompt_eval_ns=counter.nanoseconds("prompt_eval_duration", record.get("prompt_eval_duration")),
        eval_ns=eval_ns,
        load_ns=counter.nanoseconds("load_duration", record.get("load_duration")),
        total_ns=counter.nanoseconds("total_duration", record.get("total_duration")),
    )
    reading.notes += counter.notes


def _entries(answer: Answer) -> list[dict[str, Any]]:
    listed = (answer.object or {}).get("models")
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def _entry(answer: Answer, model: str) -> dict[str, Any]:
    wanted = full_name(model)
    for entry in _entries(answer):
        name = string(entry.get("name")) or string(entry.get("model"))
        if name is not None and full_name(name) == wanted:
            return entry
    return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(sources: list[dict[str, Any]], key: str) -> str | None:
    return next((found for source in sources if (found := string(source.get(key)))), None)
