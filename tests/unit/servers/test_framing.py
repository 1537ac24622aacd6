"""Framing: any split of the bytes gives the same frames."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.servers.framing import Frame, FrameTooLong, NdjsonDecoder, SseDecoder


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def decode(decoder: NdjsonDecoder | SseDecoder, chunks: list[bytes]) -> list[Frame]:
    for at, chunk in enumerate(chunks):
        decoder.feed(chunk, at)
    decoder.finish()
    return decoder.frames


def content(frames: list[Frame]) -> list[tuple[bytes, str, bool]]:
    return [(f.data, f.event, f.terminated) for f in frames]


cuts = st.lists(st.integers(0, 10_000), max_size=30)
texts = st.text(max_size=20)
sse_lines = st.sampled_from(
    [
        "data: a",
        "data:b",
        "data:  c",
        "data",
        "data: ",
        ": comment",
        ":",
        "event: error",
        "id: 7",
        "retry: 1",
        "",
        "error: {}",
        "x",
        "data: 日本🦊",
        "data: [DONE]",
    ]
)


@given(st.lists(st.dictionaries(texts, texts, max_size=3), max_size=6), cuts, st.booleans())
@settings(deadline=None)
def test_ndjson_any_split(records: list[dict[str, str]], places: list[int], last_newline: bool) -> None:
    data = "\n".join(json.dumps(r, ensure_ascii=False) for r in records).encode("utf-8", "surrogatepass")
    data += b"\n" if last_newline else b""
    frames = decode(NdjsonDecoder(), split(data, places))
    assert [json.loads(f.data) for f in frames] == records
    assert [f.terminated for f in frames[:-1]] == [True] * len(records[:-1])
    assert not frames or frames[-1].terminated == last_newline


@given(st.lists(st.tuples(sse_lines, st.sampled_from(["\n", "\r\n", "\r"])), max_size=12), cuts)
@settings(deadline=None)
def test_sse_any_split(lines: list[tuple[str, str]], places: list[int]) -> None:
    data = "".join(line + end for line, end in lines).encode()
    assert content(decode(SseDecoder(), split(data, places))) == content(decode(SseDecoder(), [data]))


@given(st.binary(max_size=200), cuts)
@settings(deadline=None)
def test_arbitrary_bytes_any_split(data: bytes, places: list[int]) -> None:
    for make in (NdjsonDecoder, SseDecoder):
        assert content(decode(make(), split(data, places))) == content(decode(make(), [data]))


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), max_size=6), cuts
)
@settings(deadline=None)
def test_a_frame_arrives_with_its_first_byte(payloads: list[str], places: list[int]) -> None:
    data, begins = b"", []
    for payload in payloads:
        begins.append(len(data))
        data += b"data: " + payload.encode() + b"\n\n"
    chunks = split(data, places)
    ends = [sum(map(len, chunks[: i + 1])) for i in range(len(chunks))]
    expected = [next(i for i, end in enumerate(ends) if begin < end) for begin in begins]
    assert [f.arrived_ns for f in decode(SseDecoder(), chunks)] == expected


def test_sse_fields() -> None:
    data = (
        b"\xef\xbb\xbfdata: first\r\n\r\n: note\n\nevent: error\ndata: a\ndata: b\n\nevent: empty\n\n"
        b'error: {"code":500}\n\ndata:no space\n\ndata: open'
    )
    assert content(decode(SseDecoder(), [data])) == [
        (b"first", "", True),
        (b"a\nb", "error", True),
        (b'{"code":500}', "error", True),
        (b"no space", "", True),
        (b"open", "", False),
    ]


@pytest.mark.parametrize("make", [NdjsonDecoder, SseDecoder])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_long_frames_are_refused_and_earlier_ones_kept(
    make: type[NdjsonDecoder] | type[SseDecoder], size: int
) -> None:
    decoder = make(limit=50)
    data = b"data: ok\n\n" + b"data: " + b"x" * 100
    with pytest.raises(FrameTooLong):
        for at in range(0, len(data), size):
            decoder.feed(data[at : at + size], at)
    assert len(decoder.frames) == 1


def test_many_long_data_lines_are_refused() -> None:
    decoder = SseDecoder(limit=50)
    with pytest.raises(FrameTooLong):
        for _ in range(10):
            decoder.feed(b"data: " + b"x" * 20 + b"\n", 0)
