"""Random changes of a response: of its bytes, its frames, and the JSON in them."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable
from typing import Any

MAX_BYTES = 256 * 1024
PIECES = [
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b"\n\n",
    b"data: ",
    b"data: [DONE]\n\n",
    b"event: error\n",
    b": ping\n\n",
    b"error: {}\n\n",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\xbe",
    b"\xf0\x9f\xa6",
    b'"\\ud83e"',
    b"{}\n",
    b"null\n",
    b"[" * 2_000,
    b'{"a":' * 1_200,
    b"9" * 5_000,
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"ffffffffffffffffff\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Retry-After: 99999999999999999999\r\n",
]
NUMBERS = [
    b"0", b"-1", b"1", b"-0.0", b"1e999", b"-1e999", b"NaN", b"Infinity", b"1e-320", b"true", b"null", b'"12"',
    b"4294967295", b"9223372036854775807", b"1" + b"0" * 400, b"1.5", b"[]", b"{}",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 2**63, 10**30, 1e308, -0.0, "", "text", "\ud83e", "\udd8a", "x" * 300, [], {}, [[]],
    ["text"], {"error": "no"}, {"message": "no"}, {"content": "text"}, float("nan"), float("inf"),
]  # fmt: skip
KEYS = [
    "response", "thinking", "done", "done_reason", "eval_count", "eval_duration", "choices", "delta", "content",
    "reasoning_content", "text", "finish_reason", "usage", "timings", "error", "object", "message", "tokens", "stop",
    "stop_type", "generation_settings", "truncated", "completion_tokens", "predicted_n", "predicted_ms",
    "predicted_per_second",
]  # fmt: skip
RECORDS = [
    b'{"error":DEEP}',
    b'{"response":DEEP,"content":DEEP,"choices":[{"text":DEEP}]}',
    b'{"response":"a","done":true,"eval_count":DEEP,"eval_duration":%s}' % (b"7" * 4_000),
    b'{"content":"a","stop":true,"timings":{"predicted_n":DEEP},"generation_settings":{"seed":DEEP}}',
    b'{"choices":[{"text":"a","finish_reason":"stop"}],"usage":{"completion_tokens":DEEP}}',
]
"""``DEEP`` is nested almost too deeply to be read; to write it again takes a little more."""
DEPTHS = (900, 1_000)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_RECORD = re.compile(rb"\{.*\}")

Mutation = Callable[[random.Random, bytes, bytes], bytes]
"""``(random, data, other data)`` → changed data."""


def mutate(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """Change a response a few times; ``other`` is one to take parts from."""
    for _ in range(chance.choice((0, 1, 1, 1, 1, 2, 2, 3, 6))):
        data = chance.choice(MUTATIONS)(chance, data, other)[:MAX_BYTES]
    return data


def split(chance: random.Random, data: bytes) -> list[bytes]:
    """Cut the data into pieces: one, many at random places, or single bytes."""
    way = chance.random()
    if way < 0.3:
        edges = [0, len(data)]
    elif way < 0.35 and len(data) < 2_000:
        edges = list(range(len(data) + 1))
    else:
        places = [chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 40))]
        edges = [0, *sorted(places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]


def _place(chance: random.Random, data: bytes) -> tuple[int, int]:
    begin = chance.randrange(len(data) + 1)
    return begin, min(len(data), begin + int(chance.expovariate(1 / 40)))


def _flip(chance: random.Random, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 9)):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: _place(chance, data)[0]]


def _remove(chance: random.Random, data: bytes, other: bytes) -> bytes:
    begin, end = _place(chance, data)
    return data[:begin] + data[end:]


def _repeat(chance: random.Random, data: bytes, other: bytes) -> bytes:
    begin, end = _place(chance, data)
    return data[:end] + data[begin:end] * chance.choice((1, 1, 2, 40)) + data[end:]


def _insert(chance: random.Random, data: bytes, other: bytes) -> bytes:
    begin, _ = _place(chance, data)
    return data[:begin] + chance.choice(PIECES) + data[begin:]


def _splice(chance: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: _place(chance, data)[0]] + other[_place(chance, other)[0] :]


def _number(chance: random.Random, data: bytes, other: bytes) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    match = chance.choice(found)
    return data[: match.start()] + chance.choice(NUMBERS) + data[match.end() :]


def _lines(chance: random.Random, data: bytes, other: bytes) -> bytes:
    lines = data.split(b"\n")
    a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    if chance.random() < 0.5:
        lines.insert(a, chance.choice(other.split(b"\n")))
    return b"\n".join(lines)


def _frame(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """Add a frame that is hard to read."""
    prefix = b"data: " if data.startswith((b"data", b":", b"event")) else b""
    lines = data.split(b"\n")
    depth = chance.randrange(*DEPTHS)
    record = chance.choice(RECORDS).replace(b"DEEP", b"[" * depth + b"]" * depth)
    lines.insert(chance.randrange(len(lines)), prefix + record + b"\n" * bool(prefix))
    return b"\n".join(lines)


def _record(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """Change one JSON record at one place."""
    found = list(_RECORD.finditer(data))
    if not found:
        return data
    match = chance.choice(found)
    try:
        record = json.loads(match.group())
    except (ValueError, RecursionError):
        return data
    written = json.dumps(_changed(chance, record), ensure_ascii=chance.random() < 0.5)
    return data[: match.start()] + written.encode("utf-8", "surrogatepass") + data[match.end() :]


def _changed(chance: random.Random, value: Any) -> Any:
    """Return the value with one node replaced, left out or added."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        match chance.randrange(6):
            case 0:
                return {name: inner for name, inner in value.items() if name != key}
            case 1:
                return {**value, chance.choice(KEYS): chance.choice(VALUES)}
            case _:
                return {**value, key: _changed(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.7:
        place = chance.randrange(len(value))
        return [*value[:place], _changed(chance, value[place]), *value[place + 1 :]]
    return chance.choice(VALUES)


MUTATIONS: list[Mutation] = [
    _flip, _cut, _remove, _repeat, _insert, _splice, _number, _number, _lines, _frame, _record, _record, _record
]  # fmt: skip
