"""When the text of a streamed answer arrived, worked out from its raw bytes after the measurement."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

Piece = tuple[int, bytes]
"""Arrival (ns) and bytes, as one read returned them."""


def text_arrivals(body: Sequence[Piece]) -> tuple[int, ...]:
    """Return the arrival of the first byte of each SSE event of ``/v1/completions`` that holds text."""
    whole = b"".join(data for _, data in body)
    ends = list(accumulate(len(data) for _, data in body))
    arrivals: list[int] = []
    begin = 0
    while (end := whole.find(b"\n\n", begin)) >= 0:
        if _has_text(whole[begin:end]):
            arrivals.append(body[bisect_right(ends, begin)][0])
        begin = end + 2
    return tuple(arrivals)


def chunked_body(response: Sequence[Piece]) -> list[Piece]:
    """Return the body's pieces of a whole chunked HTTP/1.1 response (RFC 9112, section 7.1).

    Raises:
        ValueError: it is not a 200, or not chunked as it should be.
    """
    whole = b"".join(data for _, data in response)
    ends = list(accumulate(len(data) for _, data in response))
    head, separator, _ = whole.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split(b" ")
    if not separator or status[1:2] != [b"200"] or b"transfer-encoding: chunked" not in head.lower():
        raise ValueError(f"not a streamed 200: {head[:80]!r}")
    body: list[Piece] = []
    at = len(head) + len(separator)
    while True:
        line_end = whole.index(b"\r\n", at)
        size = int(whole[at:line_end].partition(b";")[0], 16)
        begin, end = line_end + 2, line_end + 2 + size
        if size == 0:
            return body
        if end > len(whole):
            raise ValueError("the response ends inside a chunk")
        while begin < end:
            place = bisect_right(ends, begin)
            cut = min(end, ends[place])
            body.append((response[place][0], whole[begin:cut]))
            begin = cut
        at = end + 2


def _has_text(event: bytes) -> bool:
    if not event.startswith(b"data: {"):
        return False
    choices = json.loads(event.removeprefix(b"data: ")).get("choices")
    return bool(choices and choices[0].get("text"))
