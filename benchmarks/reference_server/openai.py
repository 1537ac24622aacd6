"""OpenAI's side: chat and plain completions as SSE, in llama.cpp's, vLLM's or nobody's manner."""

from __future__ import annotations

import json
import time
from typing import Any

from benchmarks.reference_server.answer import Answer
from benchmarks.reference_server.dialect import Generation
from benchmarks.reference_server.settings import Settings

BUILD = "reference-1"


def parse(body: dict[str, Any]) -> Generation:
    """Read a request to either endpoint."""
    messages = body.get("messages")
    if isinstance(messages, list):
        prompt = " ".join(str(m.get("content", "")) for m in messages if isinstance(m, dict))
    else:
        prompt = str(body.get("prompt", ""))
    limit = body.get("max_tokens")
    return Generation(
        model=str(body.get("model", "")),
        prompt=prompt,
        limit=limit if isinstance(limit, int) and limit > 0 else None,
        wants_json=bool(body.get("response_format") or body.get("json_schema")),
    )


class OpenAIDialect:
    """SSE chunks of one response."""

    content_type = "text/event-stream"

    def __init__(self, model: str, chat: bool, usage: bool, flavour: str) -> None:
        self._model = model
        self._chat = chat
        self._usage = usage
        self._flavour = flavour
        self._created = int(time.time())

    def opening(self) -> list[bytes]:
        if not self._chat:
            return [self._choice({"text": ""}, None)]
        return [self._choice({"delta": {"role": "assistant", "content": None}}, None)]

    def token(self, piece: str) -> bytes:
        return self._choice({"delta": {"content": piece}} if self._chat else {"text": piece}, None)

    def reasoning(self, piece: str) -> bytes | None:
        return self._choice({"delta": {"reasoning_content": piece}}, None) if self._chat else None

    def ending(self, answer: Answer, counters: str) -> list[bytes]:
        last: dict[str, Any] = {"delta": {}} if self._chat else {"text": ""}
        frames = [self._choice(last, answer.finish)]
        if self._usage and counters != "none":
            frames.append(self._chunk({"choices": [], **self._figures(answer, counters)}))
        return [*frames, b"data: [DONE]\n\n"]

    def error(self, message: str) -> bytes:
        return _event({"error": {"code": 500, "message": message, "type": "server_error"}})

    def garbage(self) -> bytes:
        return b'data: {"choices": [{"ind\n\n'

    def _figures(self, answer: Answer, counters: str) -> dict[str, Any]:
        if counters == "nan":
            bad: dict[str, Any] = {"usage": {"prompt_tokens": -7, "completion_tokens": "12"}}
            if self._flavour == "llama.cpp":
                bad["timings"] = {"prompt_ms": -5, "predicted_ms": float("nan"), "predicted_n": True}
            return bad
        c = answer.counters
        figures: dict[str, Any] = {
            "usage": {
                "prompt_tokens": c.prompt_tokens,
                "completion_tokens": c.tokens,
                "total_tokens": c.prompt_tokens + c.tokens,
            }
        }
        if self._flavour == "llama.cpp":
            figures["usage"]["prompt_tokens_details"] = {"cached_tokens": 0}
            figures["timings"] = {
                "cache_n": 0,
                "prompt_n": c.prompt_tokens,
                "prompt_ms": c.prompt_eval_ns / 1e6,
                "predicted_n": c.tokens,
                "predicted_ms": c.eval_ns / 1e6 or 0.001,
                # As llama.cpp has it: the time begins at the first token, which so is not counted.
                "predicted_per_second": 1e9 * (c.tokens - 1) / c.eval_ns if c.eval_ns else 1e6,
            }
        return figures

    def _choice(self, content: dict[str, Any], finish: str | None) -> bytes:
        return self._chunk({"choices": [{"index": 0, **content, "finish_reason": finish}]})

    def _chunk(self, fields: dict[str, Any]) -> bytes:
        kind = "chat.completion.chunk" if self._chat else "text_completion"
        about = {"id": "ref-1", "object": kind, "created": self._created, "model": self._model}
        return _event({**about, **fields})


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def describe(path: str, settings: Settings, names: list[str]) -> tuple[int, dict[str, Any]] | None:
    """Answer the plain requests of OpenAI's side; ``None`` if ``path`` is none of them."""
    if path == "/v1/models":
        return 200, {"object": "list", "data": [_entry(name, settings) for name in names]}
    if path == "/props" and settings.flavour == "llama.cpp":
        return 200, {
            "default_generation_settings": {"n_ctx": settings.context},
            "total_slots": 1,
            "model_ftype": "Q4_K - Medium",
            "build_info": BUILD,
        }
    if path == "/version" and settings.flavour == "vllm":
        return 200, {"version": BUILD}
    if path == "/health":
        return 200, {"status": "ok"}
    return None


def _entry(name: str, settings: Settings) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": name, "object": "model", "created": 0, "owned_by": "reference"}
    if settings.flavour == "llama.cpp":
        meta = {"n_ctx": settings.context, "n_params": 268_098_176, "ftype": "Q4_K - Medium"}
        entry |= {"aliases": [name], "owned_by": "llamacpp", "meta": meta}
    if settings.flavour == "vllm":
        entry |= {"owned_by": "vllm", "max_model_len": settings.context}
    return entry
