"""OpenAI's side: chat and plain completions as SSE, in llama.cpp's, vLLM's or nobody's manner."""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Any

from benchmarks.reference_server.answer import Answer
from benchmarks.reference_server.dialect import (
    Counted,
    Generation,
    around,
    count_tokens,
    text_json,
    to_json,
)
from benchmarks.reference_server.settings import Settings
from benchmarks.reference_server.timings import timings

BUILD = "reference-1"
CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"


def parse(body: dict[str, Any]) -> Generation:
    """Read a request to either endpoint."""
    messages = body.get("messages")
    if isinstance(messages, list):
        contents = [_content(message) for message in messages]
    else:
        contents = [prompt_text(body.get("prompt", ""))]
    limits = (body.get("max_completion_tokens"), body.get("max_tokens"))
    return Generation(
        model=str(body.get("model", "")),
        prompt=contents[-1] if contents else "",
        prompt_tokens=count_tokens(" ".join(contents)),
        limit=next((n for n in limits if isinstance(n, int) and n > 0), None),
        wants_json=bool(body.get("response_format") or body.get("json_schema")),
        options=body,
    )


def prompt_text(prompt: object) -> str:
    """Return a prompt as text; a list of tokens or of strings as its JSON."""
    return prompt if isinstance(prompt, str) else to_json(prompt).decode()


def _content(message: object) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return " ".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


class OpenAIDialect:
    """SSE chunks of one response."""

    content_type = "text/event-stream"
    early_headers = True

    def __init__(self, body: dict[str, Any], chat: bool, flavour: str) -> None:
        options = body.get("stream_options")
        options = options if isinstance(options, dict) else {}
        self.counted = Counted.TRUE
        # llama.cpp writes the role and the first token with one call.
        self.joins = flavour == "llama.cpp"
        self._chat = chat
        self._llama_cpp = flavour == "llama.cpp"
        self._usage = options.get("include_usage") is True
        self._usage_each = flavour == "vllm" and self._usage and options.get("continuous_usage_stats") is True
        self._timings_each = self._llama_cpp and body.get("timings_per_token") is True
        self._role_text = None if self._llama_cpp else ""
        self._about = {
            "id": "ref-1",
            "object": "chat.completion.chunk" if chat else "text_completion",
            "created": int(time.time()),
            "model": str(body.get("model", "")),
        }

    @property
    def key(self) -> Hashable:
        return (self._about["created"], self._usage, self._usage_each, self._timings_each)

    def plan(self, answer: Answer) -> None:
        self._counters = answer.counters
        self._before, self._after = around(self._record(self._piece("\0"), None))

    def opening(self) -> list[bytes]:
        if not self._chat:
            return []
        role = {"delta": {"role": "assistant", "content": self._role_text}}
        return [_event(self._record(role, None) | self._figures_each(0))]

    def empty(self) -> bytes:
        return self.text(("",), 0)

    def text(self, pieces: tuple[str, ...], total: int) -> bytes:
        piece = pieces[0] if len(pieces) == 1 else "".join(pieces)
        if self._usage_each or self._timings_each:
            return _event(self._record(self._piece(piece), None) | self._figures_each(total))
        return b"data: " + self._before + text_json(piece) + self._after + b"\n\n"

    def reasoning(self, piece: str, total: int) -> bytes | None:
        if not self._chat:
            return None
        delta = {"delta": {"reasoning_content": piece}}
        return _event(self._record(delta, None) | self._figures_each(total))

    def ending(self, answer: Answer) -> list[bytes]:
        last = self._record({"delta": {}} if self._chat else {"text": ""}, answer.finish)
        figures = {} if self.counted is Counted.NONE else self._figures(answer.counters.tokens)
        separate = self._usage and (self._chat or not self._llama_cpp)
        if not separate and self._llama_cpp and figures:
            # Without the last chunk that OpenAI has for it, llama.cpp tells its timings with the finish
            # reason, and for plain completions the usage, too.
            last |= {name: figures[name] for name in figures if name == "timings" or not self._chat}
        frames = [_event(last)]
        if separate and figures:
            frames.append(_event({"choices": [], **self._about, **figures}))
        return [*frames, b"data: [DONE]\n\n"]

    def error(self, message: str) -> bytes:
        return _event({"error": {"code": 500, "message": message, "type": "server_error"}})

    def garbage(self) -> bytes:
        return b'data: {"choices": [{"ind\n\n'

    def refusal(self, status: int, message: str, kind: str) -> dict[str, Any]:
        return {"error": {"code": status, "message": message, "type": kind}}

    def _piece(self, piece: str) -> dict[str, Any]:
        return {"delta": {"content": piece}} if self._chat else {"text": piece}

    def _record(self, content: dict[str, Any], finish: str | None) -> dict[str, Any]:
        return {**self._about, "choices": [{"index": 0, **content, "finish_reason": finish}]}

    def _figures_each(self, total: int) -> dict[str, Any]:
        if self.counted is Counted.NONE or (self._timings_each and not total):
            return {}
        figures = self._figures(total)
        wanted = {"usage": self._usage_each, "timings": self._timings_each}
        return {name: value for name, value in figures.items() if wanted[name]}

    def _figures(self, tokens: int) -> dict[str, Any]:
        counters = self._counters
        prompt = counters.prompt_tokens
        usage: dict[str, Any] = {
            "prompt_tokens": prompt,
            "completion_tokens": tokens,
            "total_tokens": prompt + tokens,
        }
        if self.counted is Counted.NAN:
            usage = {"prompt_tokens": -7, "completion_tokens": "12"}
        elif self.counted is Counted.NEGATIVE:
            usage = {name: -value for name, value in usage.items()}
        elif self._llama_cpp:
            usage["prompt_tokens_details"] = {"cached_tokens": 0}
        figures: dict[str, Any] = {"usage": usage}
        if self._llama_cpp:
            figures["timings"] = timings(counters, tokens, self.counted)
        return figures


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + to_json(value) + b"\n\n"


def describe(path: str, settings: Settings, names: list[str]) -> tuple[int, dict[str, Any]] | None:
    """Answer the plain requests of OpenAI's side; ``None`` if ``path`` is none of them."""
    if path == "/v1/models":
        return 200, {"object": "list", "data": [_entry(name, settings) for name in names]}
    if path == "/version" and settings.flavour == "vllm":
        return 200, {"version": BUILD}
    if path == "/health":
        return 200, {"status": "ok"}
    return None


def _entry(name: str, settings: Settings) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": name, "object": "model", "created": 0, "owned_by": "reference"}
    if settings.flavour == "llama.cpp":
        meta = {
            "n_ctx": settings.context,
            "n_ctx_train": settings.max_context,
            "n_params": 268_098_176,
            "ftype": "Q4_K - Medium",
        }
        entry |= {"aliases": [name], "owned_by": "llamacpp", "meta": meta}
    if settings.flavour == "vllm":
        entry |= {"owned_by": "vllm", "max_model_len": settings.context}
    return entry
