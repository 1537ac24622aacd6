"""From a script to what is written to the socket, prepared before the first byte is due."""

from __future__ import annotations

import math
import random
from typing import NamedTuple

from benchmarks.reference_server.http import LAST_CHUNK, chunk, head
from benchmarks.reference_server.script import End, Script

EAGER_WRITES = 64
"""As many writes that are due may follow each other before other work is looked at."""


class Write(NamedTuple):
    """The bytes of one ``send``."""

    due_ns: int
    """After the request's arrival."""
    data: bytes
    begins: int = 0
    """How many frames have their first byte in it, the line with the chunk's size included."""
    ends: int = 0
    """How many frames have their last byte in it."""


class Schedule(NamedTuple):
    """The frames of a response, one column each."""

    due_ns: tuple[int, ...] = ()
    """After the request's arrival."""
    tokens: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()


class Plan(NamedTuple):
    """All writes of a response, in order. It is the same for every response that is alike."""

    writes: tuple[Write, ...]
    end: End
    schedule: Schedule = Schedule()
    at_once: int = EAGER_WRITES
    """How many writes in a row before other work is looked at."""

    @property
    def size(self) -> int:
        """Bytes to be written."""
        return sum(len(write.data) for write in self.writes)


def prepare(script: Script, closes: bool = False) -> Plan:
    """Return the writes of a response; ``closes`` announces that the connection is closed afterwards."""
    if math.isinf(script.headers_due_s):
        return Plan((), script.end)
    more = (*script.fields, ("Connection", "close")) if closes else script.fields
    due_ns = round(script.headers_due_s * 1e9)
    if script.body is not None:
        first = head(script.status, script.content_type, len(script.body), more)
        return Plan((Write(due_ns, first + script.body),), script.end)
    writes = [Write(due_ns, head(script.status, script.content_type, None, more))]
    frames = []
    last: bytes | None = None
    wire, joins = b"", True
    for due_s, data, tokens, kind, begins, ends, raw in script.steps:
        due_ns = round(due_s * 1e9)
        if begins:
            frames.append((due_ns, tokens, kind))
        if data is not last:  # an endless frame repeats one block: one copy has to do
            last, wire = data, data if raw else chunk(data)
        write = Write(due_ns, wire, 1 if begins else 0, 1 if ends else 0)
        if joins and due_ns == writes[-1].due_ns:
            writes[-1] = _joined(writes[-1], write)
        else:
            writes.append(write)
        joins = script.joins and ends and not tokens
    if script.end is End.CLEAN:
        writes[-1] = writes[-1]._replace(data=writes[-1].data + LAST_CHUNK)
    if script.one_send:
        writes = [_joined(*writes)]
    if script.cut:
        writes = _cut(writes, random.Random(0))
    if script.preamble:
        writes.insert(0, Write(0, script.preamble))
    schedule = Schedule(*zip(*frames, strict=True)) if frames else Schedule()
    return Plan(tuple(writes), script.end, schedule, 1 if script.cut else EAGER_WRITES)


def _joined(*writes: Write) -> Write:
    return Write(
        writes[-1].due_ns,
        b"".join(write.data for write in writes),
        sum(write.begins for write in writes),
        sum(write.ends for write in writes),
    )


def _cut(writes: list[Write], place: random.Random) -> list[Write]:
    pieces = []
    for write in writes:
        if len(write.data) < 2:
            pieces.append(write)
            continue
        at = place.randrange(1, len(write.data))
        pieces.append(write._replace(data=write.data[:at], ends=0))
        pieces.append(write._replace(data=write.data[at:], begins=0))
    return pieces
