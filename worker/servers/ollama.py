"""Client of Ollama: ``/api/generate`` as NDJSON (Ollama's docs/api.md and api/types.go, v0.12)."""

from __future__ import annotations

import asyncio
from typing import Any

from contracts.call import CallResult, ServerCounters
from contracts.configuration import Parameters
from contracts.outcome import ServerIdentity
from contracts.sweep import ServerSpec
from worker.servers.base import CallRequest, ServerUnreachable
from worker.servers.connection import Answer, Connection
from worker.servers.counters import CounterReader
from worker.servers.framing import Frame, NdjsonDecoder
from worker.servers.reading import Malformed, Reading, objects
from worker.servers.stream import StreamRequest, exchange
from worker.servers.text import error_message
from worker.servers.verdict import conclude, refused

MEDIA_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/json"})


class OllamaServer:
    """One Ollama server. See :class:`worker.servers.base.ModelServer` for the methods."""

    kind = "ollama"
    supports_schema = True

    def __init__(self, spec: ServerSpec, url: str) -> None:
        self._prompt_cache = spec.prompt_cache
        self._connection = Connection(url)

    @property
    def url(self) -> str:
        return self._connection.url

    async def models(self) -> list[str]:
        answer = await self._connection.ask("/api/tags")
        listed = answer.object
        if listed is None or not isinstance(listed.get("models"), list):
            raise ServerUnreachable(f"{self.url} does not answer as Ollama: {answer.describe()}")
        return [name for entry in _entries(answer) if isinstance(name := entry.get("name"), str)]

    async def identify(self, model: str) -> ServerIdentity:
        version, tags, running, shown = await asyncio.gather(
            self._connection.ask("/api/version"),
            self._connection.ask("/api/tags"),
            self._connection.ask("/api/ps"),
            self._connection.ask("/api/show", {"model": model}),
        )
        listed = _entry(tags, model)
        loaded = _entry(running, model)
        details = [_dict(source.get("details")) for source in (listed, loaded, shown.object or {})]
        return ServerIdentity(
            kind=self.kind,
            url=self.url,
            software="Ollama",
            version=_string((version.object or {}).get("version")),
            model=_string(listed.get("name")) or _string(loaded.get("name")),
            digest=_string(listed.get("digest")) or _string(loaded.get("digest")),
            quantisation=_first(details, "quantization_level"),
            # /api/show has the model's own maximum only, which is not what the server runs it with.
            context=CounterReader().count("context_length", loaded.get("context_length")),
            parameter_size=_first(details, "parameter_size"),
        )

    def unsupported_parameters(self, parameters: Parameters) -> list[str]:
        return [] if self._prompt_cache is None else ["prompt_cache"]

    async def call(self, request: CallRequest, timeout_s: float) -> CallResult:
        unsupported = self.unsupported_parameters(request.parameters)
        if unsupported:
            return refused(unsupported)
        result = await exchange(self._connection, generate_request(request), timeout_s)
        return conclude(result, read_generate(result.frames), structured=request.answer_schema is not None)

    async def aclose(self) -> None:
        await self._connection.aclose()


def generate_request(request: CallRequest) -> StreamRequest:
    """Return the request to ``/api/generate``; parameters are passed on by Ollama's names."""
    payload: dict[str, Any] = {
        "model": request.model,
        "prompt": request.prompt,
        "stream": True,
        "options": request.parameters.given(),
    }
    if request.system is not None:
        payload["system"] = request.system
    if request.answer_schema is not None:
        payload["format"] = request.answer_schema
    return StreamRequest("/api/generate", "/api/version", payload, NdjsonDecoder, _is_last, MEDIA_TYPES)


def read_generate(frames: list[Frame]) -> Reading:
    """Read the records of a generate stream; the one with ``done`` holds the counters.

    Ollama leaves a counter out where it is 0, such as ``prompt_eval_count`` of a wholly cached
    prompt; it then is ``None`` here.
    """
    reading = Reading()
    for frame, record in objects(frames, reading):
        reading.error = error_message(record)
        if reading.error is not None:
            break
        try:
            reading.add_text(frame, record.get("response"), "'response'")
        except Malformed as error:
            reading.malformed = str(error)
            break
        reading.add_reasoning(record.get("thinking"))
        if record.get("done") is True:
            reading.finished = True
            reading.add_finish_reason(record.get("done_reason"))
            _read_counters(record, reading)
            break
    return reading


def full_name(model: str) -> str:
    """Return the name with its tag: ``gemma3`` is ``gemma3:latest``."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _read_counters(record: dict[str, Any], reading: Reading) -> None:
    counter = CounterReader()
    tokens = counter.count("eval_count", record.get("eval_count"))
    reading.counters = ServerCounters(
        prompt_tokens=counter.count("prompt_eval_count", record.get("prompt_eval_count")),
        tokens=tokens,
        eval_tokens=tokens,
        prompt_eval_ns=counter.nanoseconds("prompt_eval_duration", record.get("prompt_eval_duration")),
        eval_ns=counter.nanoseconds("eval_duration", record.get("eval_duration")),
        load_ns=counter.nanoseconds("load_duration", record.get("load_duration")),
        total_ns=counter.nanoseconds("total_duration", record.get("total_duration")),
    )
    reading.notes += counter.notes


def _is_last(frame: Frame) -> bool:
    # Inside a JSON string the quotes would be escaped, so this can't be met in a text.
    return b'"done":true' in frame.data or b'"done": true' in frame.data


def _entries(answer: Answer) -> list[dict[str, Any]]:
    listed = (answer.object or {}).get("models")
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def _entry(answer: Answer, model: str) -> dict[str, Any]:
    wanted = full_name(model)
    for entry in _entries(answer):
        name = _string(entry.get("name")) or _string(entry.get("model"))
        if name is not None and full_name(name) == wanted:
            return entry
    return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _first(sources: list[dict[str, Any]], key: str) -> str | None:
    return next((found for source in sources if (found := _string(source.get(key)))), None)
