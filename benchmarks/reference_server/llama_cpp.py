"""llama.cpp's native side: ``/completion`` as SSE, ``/slots`` and ``/props``.

Shapes as the llama.cpp in xllamacpp 2026.10 writes them, read from a real server.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable
from typing import Any

from benchmarks.reference_server.answer import Answer
from benchmarks.reference_server.dialect import Counted, Generation, count_tokens, text_json, to_json
from benchmarks.reference_server.llama_settings import generation_settings, slot_settings
from benchmarks.reference_server.log import RequestLog
from benchmarks.reference_server.openai import BUILD, prompt_text
from benchmarks.reference_server.settings import Settings
from benchmarks.reference_server.timings import timings

PATHS = ("/completion", "/completions")
VOCABULARY = 262_144


def parse(body: dict[str, Any], default_model: str) -> Generation:
    """Read a request to ``/completion``; llama.cpp runs one model, so that none need be named."""
    prompt = prompt_text(body.get("prompt", ""))
    limit = next((n for n in (body.get("n_predict"), body.get("max_tokens")) if isinstance(n, int)), -1)
    return Generation(
        model=str(body.get("model", default_model)),
        prompt=prompt,
        prompt_tokens=count_tokens(prompt),
        # llama.cpp writes one token where none is asked for.
        limit=max(limit, 1) if limit >= 0 else None,
        wants_json=bool(body.get("json_schema") or body.get("grammar")),
        options=body,
    )


class LlamaCppDialect:
    """SSE events of one response; there is no ``[DONE]``."""

    content_type = "text/event-stream"
    early_headers = True
    joins = True

    def __init__(self, generation: Generation) -> None:
        self.counted = Counted.TRUE
        self._generation = generation
        self._timings_each = generation.options.get("timings_per_token") is True

    @property
    def key(self) -> Hashable:
        # The final record repeats the request.
        return to_json(self._generation.options)

    def plan(self, answer: Answer) -> None:
        self._counters = answer.counters
        self._prompt_tokens = answer.counters.prompt_tokens

    def opening(self) -> list[bytes]:
        return []

    def empty(self) -> bytes:
        return self._partial(b'""', b"0", 0)

    def text(self, pieces: tuple[str, ...], total: int) -> bytes:
        ids = b",".join(b"%d" % _token_id(piece) for piece in pieces)
        return self._partial(text_json("".join(pieces)), ids, total)

    def reasoning(self, piece: str, total: int) -> bytes | None:
        return None

    def ending(self, answer: Answer) -> list[bytes]:
        c = answer.counters
        text = "".join(piece for frame in answer.frames for piece in frame.pieces)
        last: dict[str, Any] = {
            "index": 0,
            "content": "",
            "tokens": [],
            "id_slot": 0,
            "stop": True,
            "model": self._generation.model,
            "tokens_predicted": c.tokens,
            "tokens_evaluated": c.prompt_tokens,
            "generation_settings": generation_settings(self._generation.options),
            "prompt": self._generation.prompt,
            "has_new_line": "\n" in text,
            "truncated": False,
            "stop_type": "limit" if answer.finish == "length" else "eos",
            "stopping_word": "",
            "tokens_cached": c.prompt_tokens + max(0, c.tokens - 1),
            "timings": timings(c, c.tokens, self.counted),
        }
        if self.counted is Counted.NONE:
            for name in ("tokens_predicted", "tokens_evaluated", "tokens_cached", "timings"):
                del last[name]
        elif self.counted is Counted.NAN:
            last |= {"tokens_predicted": "12", "tokens_evaluated": -7, "tokens_cached": -7}
        elif self.counted is Counted.NEGATIVE:
            last |= {"tokens_predicted": -c.tokens, "tokens_evaluated": -c.prompt_tokens, "tokens_cached": -1}
        return [_event(to_json(last))]

    def error(self, message: str) -> bytes:
        return _event(to_json(self.refusal(500, message, "server_error")))

    def garbage(self) -> bytes:
        return b'data: {"index":0,"conte\n\n'

    def refusal(self, status: int, message: str, kind: str) -> dict[str, Any]:
        return {"error": {"code": status, "message": message, "type": kind}}

    def _partial(self, text: bytes, ids: bytes, total: int) -> bytes:
        if self.counted is Counted.NONE:
            counts = b""
        elif self.counted is Counted.NEGATIVE:
            counts = b',"tokens_predicted":%d,"tokens_evaluated":%d' % (-1, -self._prompt_tokens)
        else:
            counts = b',"tokens_predicted":%d,"tokens_evaluated":%d' % (total, self._prompt_tokens)
        if self._timings_each and total and self.counted is not Counted.NONE:
            counts += b',"timings":' + to_json(timings(self._counters, total, self.counted))
        return _event(
            b'{"index":0,"content":%s,"tokens":[%s],"stop":false,"id_slot":-1%s}' % (text, ids, counts)
        )


class LlamaCppSlot:
    """The one slot that ``/slots`` tells of: it shows the last task."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._task: RequestLog | None = None
        self._asked: dict[str, Any] = {}
        self._prompt_tokens = 0

    def take(self, generation: Generation, task: RequestLog) -> None:
        """Begin a task."""
        self._task, self._asked = task, generation.options
        self._prompt_tokens = generation.prompt_tokens

    def as_dict(self) -> dict[str, Any]:
        """Return the slot as ``/slots`` gives it."""
        task = self._task
        slot: dict[str, Any] = {
            "id": 0,
            "n_ctx": self._settings.context,
            "speculative": False,
            "is_processing": task is not None and task.ended is None,
        }
        if task is None:
            return slot
        running = task.ended is None
        decoded = sum(task.schedule.tokens[: len(task.sent_ns)])
        limit = generation_settings(self._asked)["n_predict"]
        following = {
            "has_next_token": running,
            "has_new_line": False,
            "n_remain": limit - decoded if running and limit >= 0 else -1,
            "n_decoded": decoded if running else 0,
        }
        return slot | {
            "id_task": task.id,
            "n_prompt_tokens": self._prompt_tokens + (decoded if running else max(0, decoded - 1)),
            "n_prompt_tokens_processed": self._prompt_tokens if running and decoded else 0,
            "n_prompt_tokens_cache": 0,
            "params": slot_settings(self._asked),
            "next_token": [following],
        }


def describe(path: str, settings: Settings, slot: LlamaCppSlot) -> tuple[int, Any] | None:
    """Answer llama.cpp's plain requests; ``None`` if ``path`` is none of them."""
    if path == "/slots":
        return 200, [slot.as_dict()]
    if path == "/props":
        defaults = slot_settings({}) | {"stream": False, "reasoning_format": "none"}
        return 200, {
            "default_generation_settings": {"params": defaults, "n_ctx": settings.context},
            "total_slots": 1,
            "model_alias": settings.models[0],
            "model_ftype": "Q4_K - Medium",
            "model_path": f"/models/{settings.models[0]}.gguf",
            "endpoint_slots": True,
            "endpoint_props": True,
            "endpoint_metrics": False,
            "build_info": BUILD,
            "is_sleeping": False,
        }
    return None


def _token_id(piece: str) -> int:
    return zlib.crc32(piece[:64].encode("utf-8", "replace")) % VOCABULARY


def _event(data: bytes) -> bytes:
    return b"data: %s\n\n" % data
