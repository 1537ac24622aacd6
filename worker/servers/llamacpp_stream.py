"""Reads the frames of llama.cpp's ``/completion``; the one with ``stop`` holds settings and timings."""

from __future__ import annotations

from typing import Any

from worker.servers.counters import CounterReader
from worker.servers.framing import Frame
from worker.servers.openai_stream import counters_of, stream_error
from worker.servers.reading import Malformed, Reading, objects

RANDOM_SEED = 2**32 - 1
"""How llama.cpp writes "no seed was given"; the one that it drew it does not tell."""

_SETTINGS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "repeat_penalty": "repeat_penalty",
    "n_predict": "num_predict",
    "seed": "seed",
}


def read_native(frames: list[Frame]) -> Reading:
    """Read a stream up to its frame with ``stop``."""
    reading = Reading()
    for frame, record in objects(frames, reading):
        reading.error = stream_error(frame, record)
        if reading.error is not None:
            break
        try:
            reading.add_text(frame, record.get("content"), "'content'", _tokens(record))
        except Malformed as error:
            reading.malformed = str(error)
            break
        if record.get("stop") is True:
            reading.finished = True
            _read_last(record, reading)
            break
    return reading


def _tokens(record: dict[str, Any]) -> int | None:
    tokens = record.get("tokens")
    return len(tokens) if isinstance(tokens, list) and tokens else None


def _read_last(record: dict[str, Any], reading: Reading) -> None:
    reading.add_finish_reason(record.get("stop_type"))
    counted = {
        "completion_tokens": record.get("tokens_predicted"),
        "prompt_tokens": record.get("tokens_evaluated"),
    }
    timings = record.get("timings")
    reading.counters = counters_of(counted, timings if isinstance(timings, dict) else {}, reading)
    if record.get("truncated") is True:
        reading.notes.append("the server's context was full before the answer was complete")
    settings = record.get("generation_settings")
    if isinstance(settings, dict):
        reading.applied = _applied(settings, reading)


def _applied(settings: dict[str, Any], reading: Reading) -> dict[str, int | float]:
    counter = CounterReader()
    told = {ours: counter.number(theirs, settings.get(theirs)) for theirs, ours in _SETTINGS.items()}
    reading.notes += [note for note in counter.notes if "n_predict" not in note]  # -1 is "no limit"
    return {
        # llama.cpp keeps single-precision numbers: 0.95 comes back as 0.949999988079071.
        name: float(f"{value:.7g}") if isinstance(value, float) else value
        for name, value in told.items()
        if value is not None and not (name == "seed" and value == RANDOM_SEED)
    }
