"""Matching, differences and order statistics, on figures worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fidelity.errors import Spread, errors, in_flight, quantile, spread
from benchmarks.fidelity.matching import MARK, TIME, match
from benchmarks.fidelity.record import Marks, Record, read_marks, write_marks
from benchmarks.fidelity.server import Served, read_log
from benchmarks.fidelity.workload import number_in, prompt

MS = 1_000_000


def served(number: int | None, begin_ms: float, sent_ms: tuple[float, ...] = (50, 60, 70)) -> Served:
    sent_ns = tuple(round((begin_ms + ms) * MS) for ms in sent_ms)
    begin_ns = round(begin_ms * MS)
    return Served(number, begin_ns, sent_ns[-1], tuple(ns - MS for ns in sent_ns), sent_ns)


def record(number: int | None, start_ms: float | None = None, ttft_ms: float | None = 51.0) -> Record:
    start_ns = None if start_ms is None else round(start_ms * MS)
    return Record(number, start_ns, ttft_ms, itl_ms=10.1, gaps_ms=(10.2, 10.0))


def test_a_prompt_carries_its_number() -> None:
    assert number_in(prompt(123)) == 123
    assert number_in('{"prompt": "' + prompt(7) + '"}') == 7
    assert number_in("no mark") is None


def test_marks_become_latencies_and_survive_the_file(tmp_path: Path) -> None:
    marks = Marks(3, 100 * MS, (150 * MS, 161 * MS, 170 * MS))
    write_marks(tmp_path / "marks.json", [marks], ["a note"])
    assert read_marks(tmp_path / "marks.json") == ([marks], ["a note"])
    assert marks.record() == Record(3, 100 * MS, 50.0, 10.0, (11.0, 9.0))
    assert Marks(4, 0, ()).record() == Record(4, 0, None, None, None)


def test_matching_goes_by_mark_whatever_the_order() -> None:
    pairs, how = match([record(2, 1), record(1, 0)], [served(1, 5), served(2, 0), served(9, 3)])
    assert how == MARK
    assert [(r.number, s.number) for r, s in pairs] == [(2, 2), (1, 1)]


def test_of_a_request_that_was_sent_twice_the_last_one_counts() -> None:
    ((_, entry),), _ = match([record(1)], [served(1, 90), served(1, 5)])
    assert entry.begin_ns == 90 * MS


def test_a_record_without_an_entry_is_in_no_pair() -> None:
    pairs, _ = match([record(1), record(2)], [served(1, 0)])
    assert [r.number for r, _ in pairs] == [1]


def test_without_marks_matching_goes_by_start_time_and_never_to_an_earlier_arrival() -> None:
    entries = [served(None, 30), served(None, 0), served(None, 12)]
    pairs, how = match([record(1, 29.5), record(2, 11.5)], entries)
    assert how == TIME
    assert [(r.number, s.begin_ns // MS) for r, s in pairs] == [(2, 12), (1, 30)]


def test_errors_are_client_minus_server() -> None:
    found = errors([(record(1, ttft_ms=51.5), served(1, 0)), (record(2, ttft_ms=None), served(2, 0))])
    assert found.ttft_ms == pytest.approx([1.5])
    assert found.itl_percent == pytest.approx([1.0, 1.0])
    assert found.gap_ms == pytest.approx([0.2, 0.0, 0.2, 0.0])


def test_gaps_of_another_number_are_not_compared() -> None:
    assert errors([(record(1), served(1, 0, (50, 60)))]).gap_ms == []


def test_quantiles_are_values_that_occurred() -> None:
    assert quantile([4, 1, 3, 2], 0.5) == 2
    assert quantile(list(range(1, 101)), 0.99) == 99
    assert quantile(list(range(1, 21)), 0.99) == 20
    assert quantile([7], 0.99) == 7


def test_the_median_keeps_its_sign_and_the_tail_is_absolute() -> None:
    assert spread([-3.0, -2.0, 1.0]) == Spread(median=-2.0, p99=3.0, worst=3.0)
    assert spread([]) is None


def test_mean_number_in_flight() -> None:
    entries = [Served(None, 0, 10, (), ()), Served(None, 0, 5, (), ()), Served(None, 5, 10, (), ())]
    assert in_flight(entries) == 2.0
    assert in_flight([Served(None, 0, None, (), ())]) is None


def test_the_log_gives_whole_answers_in_order_of_arrival_with_their_number() -> None:
    def entry(begin: int, ended: str, head: str, body: dict[str, object]) -> dict[str, object]:
        frames = [[begin + 5, begin + 6, begin + 7, 1, "text"], [begin + 5, begin + 6, None, 0, "empty"]]
        frames.append([begin + 9, begin + 9, begin + 9, 1, "text"])
        common = {"begin_ns": begin, "end_ns": begin + 20, "ended": ended, "frames": frames}
        return {**common, "prompt_head": head, "body": body}

    log = {
        "requests": [
            entry(200, "sent", "no mark", {"seed": 4}),
            entry(100, "sent", prompt(3), {"seed": 9}),
            entry(300, "left", prompt(5), {}),
            entry(400, "sent", "no mark", {}),
        ]
    }
    found = read_log(log)
    assert [s.number for s in found] == [3, 4, None]
    assert found[0] == Served(3, 100, 120, (105, 109), (106, 109))
    assert found[0].late_ms == (1e-6, 0.0)
