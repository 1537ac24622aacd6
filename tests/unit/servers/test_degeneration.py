"""When a complete answer is no answer, and when it only looks alike."""

from __future__ import annotations

import json
import random
import string
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.servers.degeneration import (
    MAX_UNIT_CHARS,
    MIN_REPEATED_CHARS,
    MIN_REPEATS,
    degeneration,
    repeated_unit,
)

PROSE = (
    "The first configuration reaches 42.1 tokens per second, the second 40.7. The difference is smaller than "
    "what two runs of the same configuration differ by, so that neither can be called the faster one. "
)
ROWS = "".join(
    f"| {name} | {rate:.1f} | {rate / 3:.2f} | ok |\n"
    for name, rate in zip(("small", "medium", "large", "huge"), count(101.5, -7.25), strict=False)
)
TABLE = f"| model | tok/s | per layer | state |\n|{'-' * 60}|{'-' * 60}|{'-' * 60}|{'-' * 60}|\n{ROWS}"
HONEST = {
    "prose": PROSE * 3,
    "table": PROSE + "\n" + TABLE,
    "a table alone": TABLE,
    "a table with many equal cells": "| run | value |\n|---|---|\n"
    + "".join(f"| {n} | 0.0 |\n" for n in range(60)),
    "a ruler between": f"Findings\n{'=' * 300}\n{PROSE}",
    "a list": "".join(f"- Configuration {n} is slower than configuration {n - 1}.\n" for n in range(1, 30)),
    "a numbered list": "".join(f"{n}. Measure again.\n" for n in range(1, 40)),
    "code": "".join(f"    values.append(measure({name!r}))\n" for name in string.ascii_lowercase),
    "nested code": "def f(x):\n"
    + "".join("    " * depth + "if x:\n" for depth in range(1, 20))
    + "    " * 20
    + "return",
    "json": json.dumps({"findings": [{"value": 0, "unit": "ms"}] * 30, "analysis": "All are zero."}),
    "json of zeros": json.dumps({"values": [0] * 200}),
    "indented json": json.dumps([[0, 0], [0, 0], [0, 0], [0, 0]] * 5, indent=2),
    "few repeats": "yes " * 7,
    "short repeats": "ha" * 30,
    "digits of a third": f"1/3 = 0.{'3' * 100}",
    "a refrain": (PROSE[:60] + "\n") * 5,
}
LOOPS = {
    "one token": PROSE + " again" * 100,
    "one character": PROSE[:100] + "!" * 300,
    "a sentence": PROSE + "I am a language model and can't do that. " * 12,
    "cut in the middle": PROSE + "I am a language model and can't do that. " * 12 + "I am a langu",
    "lines": PROSE + "- the same line\n" * 40,
    "a table row": TABLE + "| small | 101.5 | 33.83 | ok |\n" * 60,
    "two lines": "yes\nno\n" * 40,
    "new lines": PROSE[:100] + "\n" * 400,
    "then white space": PROSE + " again" * 100 + "\n\n",
    "json that is never closed": '{"findings": [' + '"none", ' * 40,
    "nothing else": "0" * MIN_REPEATED_CHARS,
}


def pieces_of(text: str) -> list[str]:
    """Cut as tokens are: at spaces, and not in equal pieces for long runs."""
    edges = [0]
    while edges[-1] < len(text):
        edges.append(edges[-1] + 1 + (len(edges) * 7) % 5)
    return [text[a:b] for a, b in pairwise(edges) if text[a:b]]


@pytest.mark.parametrize("name", list(HONEST))
def test_honest_answers(name: str) -> None:
    text = HONEST[name]
    assert repeated_unit(text) is None
    assert degeneration(pieces_of(text), text, min_words=0, at_limit=False) is None
    assert degeneration(pieces_of(text), text, min_words=0, at_limit=True) is None


@pytest.mark.parametrize("name", list(LOOPS))
def test_loops(name: str) -> None:
    text = LOOPS[name]
    kind, reason = degeneration(pieces_of(text), text, min_words=0, at_limit=False) or ("", "")
    assert kind == "repetition", reason
    assert "the answer ends in" in reason and len(reason) < 200


def test_the_shortest_unit_is_named_and_counted() -> None:
    assert repeated_unit(PROSE[:100] + "ab " * 100) == ("ab ", 100)
    assert repeated_unit("x" * 200) == ("x", 200)


@pytest.mark.parametrize(("repeats", "found"), [(MIN_REPEATS - 1, False), (MIN_REPEATS, True)])
def test_so_many_repeats(repeats: int, found: bool) -> None:
    unit = "".join(random.Random(1).choices(string.ascii_letters, k=40))
    assert (repeated_unit(unit * repeats) is not None) == found


def test_half_of_the_text() -> None:
    beginning = "".join(random.Random(2).choices(string.ascii_letters, k=1_000))
    assert repeated_unit(beginning + "again " * 160) is None
    assert repeated_unit(beginning + "again " * 170) == ("again ", 170)


@given(
    beginning=st.text(max_size=300),
    unit=st.text(min_size=1, max_size=MAX_UNIT_CHARS),
    repeats=st.integers(MIN_REPEATS, 40),
)
@settings(deadline=None)
def test_any_unit_repeated_often_enough_is_found(beginning: str, unit: str, repeats: int) -> None:
    repeats = max(repeats, -(-max(MIN_REPEATED_CHARS, len(beginning)) // len(unit)))
    found = repeated_unit(beginning + unit * repeats)
    assert found is not None
    shortest, times = found
    assert len(unit) % len(shortest) == 0 or len(shortest) <= len(unit)
    assert times * len(shortest) >= repeats * len(unit) - len(shortest)


@given(st.data())
@settings(deadline=None)
def test_any_cut_of_the_last_repeat_is_found(data: st.DataObject) -> None:
    unit = data.draw(st.text(st.characters(exclude_categories=["Cs", "Z", "C"]), min_size=25, max_size=60))
    cut = data.draw(st.integers(0, len(unit) - 1))
    assert repeated_unit(unit * (MIN_REPEATS + 1) + unit[:cut]) is not None


@given(seed=st.integers(0, 2**32), letters=st.integers(4, 30), length=st.integers(1, 3_000))
@settings(deadline=None)
def test_random_text_is_not(seed: int, letters: int, length: int) -> None:
    text = "x" + "".join(random.Random(seed).choices(string.printable[:letters], k=length))
    assert degeneration([text], text, min_words=0, at_limit=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_100_000 + "a" * 1_000_000,
        "".join(random.Random(3).choices("ab", k=100_000)) + "ab" * 49_000,
        ("a" * 399 + "b") * 2_000 + "c" + ("a" * 399 + "b") * 1_990,
    ],
)
def test_long_near_misses_take_no_time_to_speak_of(text: str) -> None:
    # Compared character by character these take minutes.
    assert repeated_unit(text) is None


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("", "empty", "the answer is empty"),
        (" \n\t ", "empty", "the answer is nothing but white space"),
        ("two words", "short", "the answer has 2 words, fewer than 3"),
        ("one", "short", "the answer has 1 word, fewer than 3"),
    ],
)
def test_empty_and_short(text: str, kind: str, reason: str) -> None:
    assert degeneration([text] if text else [], text, min_words=3, at_limit=False) == (kind, reason)


def test_the_length_limit_makes_no_answer_short() -> None:
    assert degeneration(["two", " words"], "two words", min_words=3, at_limit=True) is None
    assert degeneration([], "", min_words=0, at_limit=True) == ("empty", "the answer is empty")


def test_equal_frames_at_the_end() -> None:
    def kind(*pieces: str) -> str | None:
        found = degeneration(list(pieces), "".join(pieces), min_words=0, at_limit=False)
        return None if found is None else found[0]

    assert kind(PROSE, *["-"] * 30) is None
    assert kind(PROSE, *["-"] * 31) == "repetition"
    assert kind(*["-"] * 31, PROSE) is None
