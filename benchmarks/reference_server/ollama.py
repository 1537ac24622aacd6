"""Ollama's side: ``/api/generate``, ``/api/chat`` and what Ollama tells of itself (docs/api.md, v0.12)."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from datetime import UTC, datetime
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
from benchmarks.reference_server.loaded import WEIGHTS_BYTES, LoadedModels
from benchmarks.reference_server.settings import Settings

VERSION = "0.12.11-reference"
GENERATE = "/api/generate"
CHAT = "/api/chat"
PATHS = (GENERATE, CHAT)
_NOW = (0, "0", "0s", "0m", "0h")


def parse(body: dict[str, Any]) -> Generation:
    """Read a request to ``/api/generate`` or, with messages, to ``/api/chat``."""
    options = body.get("options")
    options = options if isinstance(options, dict) else {}
    limit = options.get("num_predict")
    messages = body.get("messages")
    said = (
        [str(m.get("content") or "") for m in messages if isinstance(m, dict)]
        if isinstance(messages, list)
        else []
    )
    prompt = said[-1] if said else str(body.get("prompt") or "")
    before = " ".join(said[:-1]) or body.get("system") or ""
    return Generation(
        model=str(body.get("model", "")),
        prompt=prompt,
        prompt_tokens=count_tokens(f"{before} {prompt}"),
        limit=limit if isinstance(limit, int) and limit > 0 else None,
        wants_json=bool(body.get("format")),
        options=options,
        unload=body.get("keep_alive") in _NOW and body.get("keep_alive") is not False,
        only_load=not prompt,
    )


class OllamaDialect:
    """NDJSON records."""

    content_type = "application/x-ndjson"
    # Ollama sends its headers with the first record.
    early_headers = False
    joins = False

    def __init__(self, model: str, chat: bool = False) -> None:
        self._chat = chat
        self.counted = Counted.TRUE
        # To the second: so responses that are alike can be prepared once.
        created_at = _timestamp(datetime.now(UTC).replace(microsecond=0))
        self._about = {"model": model, "created_at": created_at}

    @property
    def key(self) -> Hashable:
        return self._about["created_at"]

    def plan(self, answer: Answer) -> None:
        self._before, self._after = around({**self._about, **self._said("\0"), "done": False})

    def opening(self) -> list[bytes]:
        return []

    def empty(self) -> bytes:
        return self.text(("",), 0)

    def text(self, pieces: tuple[str, ...], total: int) -> bytes:
        piece = pieces[0] if len(pieces) == 1 else "".join(pieces)
        return self._before + text_json(piece) + self._after + b"\n"

    def reasoning(self, piece: str, total: int) -> bytes | None:
        if self._chat:
            return self._record(message={"role": "assistant", "content": "", "thinking": piece}, done=False)
        return self._record(response="", thinking=piece, done=False)

    def ending(self, answer: Answer) -> list[bytes]:
        figures = _counters(answer, self.counted)
        return [self._record(**self._said(""), done=True, done_reason=answer.finish, **figures)]

    def loading(self, reason: str) -> bytes:
        """The answer to a request without a prompt: ``load`` or ``unload``."""
        return self._record(**self._said(""), done=True, done_reason=reason)

    def error(self, message: str) -> bytes:
        return to_json({"error": message}) + b"\n"

    def garbage(self) -> bytes:
        return b'{"model": "ref", "resp\n'

    def refusal(self, status: int, message: str, kind: str) -> dict[str, Any]:
        return {"error": message}

    def _said(self, text: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text}} if self._chat else {"response": text}

    def _record(self, **fields: Any) -> bytes:
        return to_json({**self._about, **fields}) + b"\n"


def _counters(answer: Answer, counted: Counted) -> dict[str, Any]:
    if counted is Counted.NONE:
        return {}
    if counted is Counted.NAN:
        return {
            "total_duration": float("inf"),
            "load_duration": True,
            "prompt_eval_count": -7,
            "prompt_eval_duration": -5,
            "eval_count": "12",
            "eval_duration": float("nan"),
        }
    c = answer.counters
    durations = {
        "total_duration": c.total_ns,
        "load_duration": c.load_ns,
        "prompt_eval_count": c.prompt_tokens,
        "prompt_eval_duration": c.prompt_eval_ns,
        "eval_count": c.tokens,
        "eval_duration": c.eval_ns,
    }
    if counted is Counted.NEGATIVE:
        return {name: -max(value, 1) for name, value in durations.items()}
    # Ollama's Go structs have omitempty: a zero is not sent.
    return {name: value for name, value in durations.items() if value}


def describe(
    path: str, settings: Settings, names: list[str], loaded: LoadedModels, body: dict[str, Any]
) -> tuple[int, dict[str, Any]] | None:
    """Answer Ollama's plain requests; ``None`` if ``path`` is none of them."""
    if path == "/api/version":
        return 200, {"version": VERSION}
    if path == "/api/tags":
        return 200, {"models": [_entry(name) for name in names]}
    if path == "/api/ps":
        return 200, {"models": [_running(name, settings, loaded) for name in names if name in loaded]}
    if path == "/api/show":
        name = str(body.get("model", ""))
        if full_name(name) not in names:
            return 404, {"error": f"model '{name}' not found"}
        facts = {
            "general.architecture": "reference",
            "general.parameter_count": 268_098_176,
            "reference.block_count": settings.layers,
            "reference.context_length": settings.max_context,
        }
        return 200, {"details": _details(), "model_info": facts, "capabilities": ["completion"]}
    return None


def full_name(name: str) -> str:
    """Return the name with its tag."""
    return name if ":" in name else f"{name}:latest"


def _entry(name: str) -> dict[str, Any]:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"name": name, "model": name, "size": WEIGHTS_BYTES, "digest": digest, "details": _details()}


def _running(name: str, settings: Settings, loaded: LoadedModels) -> dict[str, Any]:
    model = loaded.get(name)
    assert model is not None
    return _entry(name) | {
        "size": model.size,
        "size_vram": model.vram(settings.layers),
        "context_length": model.context,
        "expires_at": _timestamp(datetime.fromtimestamp(model.expires_s, UTC)),
    }


def _details() -> dict[str, Any]:
    return {
        "format": "gguf",
        "family": "reference",
        "parameter_size": "268.10M",
        "quantization_level": "Q4_K_M",
    }


def _timestamp(when: datetime) -> str:
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")
