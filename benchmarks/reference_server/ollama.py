"""Ollama's side: ``/api/generate`` and what Ollama tells of itself (docs/api.md, v0.12)."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from benchmarks.reference_server.answer import Answer
from benchmarks.reference_server.dialect import Generation
from benchmarks.reference_server.settings import Settings

VERSION = "0.12.11-reference"


def parse(body: dict[str, Any]) -> Generation:
    """Read a request to ``/api/generate``."""
    options = body.get("options")
    limit = options.get("num_predict") if isinstance(options, dict) else None
    return Generation(
        model=str(body.get("model", "")),
        prompt=f"{body.get('system') or ''} {body.get('prompt') or ''}",
        limit=limit if isinstance(limit, int) and limit > 0 else None,
        wants_json=bool(body.get("format")),
        unload=body.get("keep_alive") == 0,
    )


class OllamaDialect:
    """NDJSON records."""

    content_type = "application/x-ndjson"

    def __init__(self, model: str) -> None:
        self._model = model

    def opening(self) -> list[bytes]:
        return [self._record(response="", done=False)]

    def token(self, piece: str) -> bytes:
        return self._record(response=piece, done=False)

    def reasoning(self, piece: str) -> bytes | None:
        return self._record(response="", thinking=piece, done=False)

    def ending(self, answer: Answer, counters: str) -> list[bytes]:
        return [
            self._record(response="", done=True, done_reason=answer.finish, **_counters(answer, counters))
        ]

    def error(self, message: str) -> bytes:
        return json.dumps({"error": message}).encode() + b"\n"

    def garbage(self) -> bytes:
        return b'{"model": "ref", "resp\n'

    def _record(self, **fields: Any) -> bytes:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        record = {"model": self._model, "created_at": now, **fields}
        return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _counters(answer: Answer, counters: str) -> dict[str, Any]:
    if counters == "none":
        return {}
    if counters == "nan":
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
    # Ollama's Go structs have omitempty: a zero is not sent.
    return {name: value for name, value in durations.items() if value}


def describe(
    path: str, settings: Settings, names: list[str], loaded: set[str], body: dict[str, Any]
) -> tuple[int, dict[str, Any]] | None:
    """Answer Ollama's plain requests; ``None`` if ``path`` is none of them."""
    if path == "/api/version":
        return 200, {"version": VERSION}
    if path == "/api/tags":
        return 200, {"models": [_entry(name) for name in names]}
    if path == "/api/ps":
        running = [
            _entry(name) | {"size_vram": 0, "context_length": settings.context}
            for name in names
            if name in loaded
        ]
        return 200, {"models": running}
    if path == "/api/show":
        name = str(body.get("model", ""))
        if full_name(name) not in names:
            return 404, {"error": f"model '{name}' not found"}
        return 200, {"details": _details(), "model_info": {"reference.context_length": 131072}}
    return None


def full_name(name: str) -> str:
    """Return the name with its tag."""
    return name if ":" in name else f"{name}:latest"


def _entry(name: str) -> dict[str, Any]:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"name": name, "model": name, "size": 1, "digest": digest, "details": _details()}


def _details() -> dict[str, Any]:
    return {
        "format": "gguf",
        "family": "reference",
        "parameter_size": "268.10M",
        "quantization_level": "Q4_K_M",
    }
