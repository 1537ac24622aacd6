"""When text arrived, from raw bytes: checked on responses whose cuts are known."""

import pytest

from benchmarks.fidelity.clients.stream_text import chunked_body, text_arrivals

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(text: str | None) -> bytes:
    choices = [] if text is None else [{"text": text}]
    return b'data: {"choices": %s}\n\n' % str(choices).replace("'", '"').encode()


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_only_events_with_text_count_and_each_has_the_arrival_of_its_first_byte() -> None:
    first, second = event("a"), event(" b")
    pieces = [
        (10, event("") + first[:5]),
        (20, first[5:] + second),
        (30, event(None) + b"data: [DONE]\n\n"),
    ]
    assert text_arrivals(pieces) == (10, 20)


def test_an_event_that_never_ends_is_none() -> None:
    assert text_arrivals([(1, event("a")), (2, event("b")[:-1])]) == (1,)


def test_chunks_are_undone_wherever_the_reads_cut() -> None:
    body = [event("a"), event("b"), b"data: [DONE]\n\n"]
    whole = HEAD + b"".join(chunked(data) for data in body) + b"0\r\n\r\n"
    for size in (1, 2, 7, 64, len(whole)):
        pieces = [(place, whole[place : place + size]) for place in range(0, len(whole), size)]
        found = chunked_body(pieces)
        assert b"".join(data for _, data in found) == b"".join(body)
        starts = [whole.index(data) for data in body[:2]]
        assert text_arrivals(found) == tuple(start // size * size for start in starts)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"5\r\nab",
        b"",
    ],
)
def test_what_is_no_whole_streamed_answer_is_refused(response: bytes) -> None:
    with pytest.raises(ValueError):
        chunked_body([(1, response)])
