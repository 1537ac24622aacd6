"""Which of the marks is the time of sending, and which is the end."""

from __future__ import annotations

import pytest

from worker.measurement.timing import CallClock


def clock(marked: int | None, left: int | None, written: int | None, headers: int | None = None) -> CallClock:
    made = CallClock()
    made.marked_ns, made.left_ns, made.written_ns, made.headers_ns = marked, left, written, headers
    return made


@pytest.mark.parametrize(
    ("marks", "sent", "by_kernel"),
    [
        pytest.param((100, 105, 110), 105, True, id="the kernel's stamp lies where it must"),
        pytest.param((100, 100, 100), 100, True, id="all at once"),
        pytest.param((100, None, 110), 100, False, id="no stamp"),
        pytest.param((100, 99, 110), 100, False, id="a stamp from before the mark"),
        pytest.param((100, 111, 110), 100, False, id="a stamp from after writing"),
        pytest.param((100, 105, None), 105, True, id="writing did not come to its end"),
        pytest.param((100, 108, 110, 107), 100, False, id="a stamp from after the answer's beginning"),
        pytest.param((100, 105, 110, 120), 105, True, id="an answer"),
        pytest.param((None, None, None), None, False, id="never sent"),
    ],
)
def test_when_it_was_sent(marks: tuple[int | None, ...], sent: int | None, by_kernel: bool) -> None:
    made = clock(*marks)
    assert (made.sent_ns, made.sent_by_kernel) == (sent, by_kernel)


def test_writing() -> None:
    assert clock(100, 105, 110).write_ns == 10
    assert clock(100, 105, None).write_ns is None


def test_the_first_end_counts() -> None:
    made = clock(100, None, 110)
    made.mark_end(200)
    made.mark_end(300)
    assert made.timing().end_ns == 200


def test_due_lies_before_sending_and_connecting_in_neither() -> None:
    made = CallClock(due_ns=50)
    made.mark_sent()
    made.connect_ns = 7
    timing = made.timing([made.sent_ns or 0])
    assert (timing.due_ns, timing.connect_ns) == (50, 7)
    assert timing.sent_ns == made.marked_ns
