"""Whatever the text: spans hold, nothing is found where nothing is, planted counts are judged right."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.grounding import facts_of, ground
from analysis.grounding.scan import MAX_CHARS, MAX_FIGURES
from contracts.facts import Facts, FileFact, Series

FACTS = Facts(
    files_total=101,
    counts={"csv": 28, "json": 44, "md": 29},
    modified={},
    files=(
        FileFact(path="reports/a_20251002.csv", kind="csv"),
        FileFact(path="reports/my notes.md", kind="md"),
    ),
    dates=(),
    series=(
        Series(
            file=0, label="ttft_s", n=2, mean=1.5, minimum=1.0, maximum=2.0, median=1.5, values=(1.0, 2.0)
        ),
    ),
)
PIECES = st.sampled_from(
    [
        "12.5",
        "65",
        "JSON",
        "CSV",
        "files",
        "(",
        ")",
        "|",
        "-",
        "—",
        ":",
        "=",
        "%",
        "ms",
        "s",
        "tok/s",
        "**",
        "`",
        "```",
        "#",
        "\n",
        ".",
        ",",
        "/",
        "\\",
        "_",
        "2025-11-14",
        "November",
        "14th,",
        "2025",
        "a_20251002.csv",
        "my",
        "notes.md",
        "x.json",
        "1.",
        "±",
        "",
        "\u202e",
        "\x00",
        "�",
        "６５",
        "穌",
        "1b",
        "gemma3",
        "http://a/1",
        "[1]",
        "&#8217;",
        "1e5",
        "...",
        "and",
        "more",
        "Total",
        "Latest",
        "modified",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=300), st.lists(PIECES, max_size=60).map(" ".join), st.lists(PIECES).map("".join)
)


@given(TEXTS)
@example("|JSON|\n|-|\n|65|")
@example("\n```\n|a|\n\r\x85|-|\n1")
@settings(max_examples=200)
def test_spans(text: str) -> None:
    figures = ground(text, FACTS)
    end = 0
    for figure in figures:
        assert end <= figure.start < figure.end <= len(text)
        assert text[figure.start : figure.end] == figure.figure
        assert "\n" not in figure.context
        assert (figure.verdict == "contradicted") <= (figure.truth is not None)
        end = figure.end
    assert figures == ground(text, FACTS)


@given(st.text(alphabet=st.characters(exclude_categories=["Nd"]), max_size=300))
def test_no_digit_no_figure(text: str) -> None:
    assert all(figure.kind == "file_name" for figure in ground(text, FACTS))


KIND_NAMES = {"csv": "CSV", "json": "JSON", "md": "Markdown"}
SHAPES = st.sampled_from(
    [
        "{kind} ({n})",
        "{kind} files: {n}",
        "{n} {kind} files",
        "{kind} ({n} files)",
        "**{kind} Files:** ({n} files)",
    ]
)
FILLERS = st.sampled_from(["", "Primarily ", "* **File Types:** ", "The dataset contains ", "> - "])


@given(st.sampled_from(sorted(KIND_NAMES)), SHAPES, FILLERS, st.integers(0, 10_000))
def test_planted_counts(kind: str, shape: str, filler: str, n: int) -> None:
    truth = FACTS.counts[kind]
    for value in (truth, n):
        (figure,) = ground(filler + shape.format(kind=KIND_NAMES[kind], n=value), FACTS)
        assert figure.verdict == ("supported" if value == truth else "contradicted")
        assert figure.truth == str(truth)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "1",
            "-",
            "|",
            "|\n",
            "1-",
            "1,",
            ",234",
            "1 ",
            "1.",
            ".json",
            "a.json ",
            "a",
            "a/",
            "```\n",
            "[",
            "*",
            " ",
        ),
        *(
            "#",
            "November ",
            "November 25, ",
            "\n",
            "\0",
            "\ud800",
            "\u202e1",
            "JSON files (65), ",
            "a. ",
            "http://",
        ),
        *(
            "1e5",
            "2025-",
            "20251002",
            "average ttft_s 5.8 s ",
            "|JSON|65|\n",
            "\\|",
            "... and 1 more\n",
            "../",
            "1|",
        ),
    ],
)
def test_fifty_thousand_characters_of(piece: str) -> None:
    """Ends at all: a pattern that backtracks, or looks at all of a line for each figure, would take hours."""
    text = piece * (50_000 // len(piece))
    assert len(ground(text, FACTS)) <= MAX_FIGURES
    if "|" in piece or "\n" in piece:
        assert len(ground(f"|a|b|\n|-|-|\n{text}", FACTS)) <= MAX_FIGURES


def test_a_megabyte() -> None:
    figures = ground("JSON files (65), " * 60_000, FACTS)
    assert len(figures) == MAX_FIGURES
    assert ground("x" * (MAX_CHARS - 1) + " 65", FACTS) == ()


def test_facts_are_bounded_and_say_what_they_left_out(tmp_path: Path) -> None:
    rows = "\n".join(f"{i / 7:.6f},{i * 3}" for i in range(3_000))
    (tmp_path / "long.csv").write_text(f"a,b\n{rows}\n", encoding="utf-8")
    wide = ",".join(f"column_{i}_{'x' * 150}" for i in range(6_000))
    (tmp_path / "wide.csv").write_text(
        f"{wide}\n{','.join('1.25' for _ in range(6_000))}\n", encoding="utf-8"
    )
    days = "\n".join(
        f"20{y:02}-{m:02}-{d:02}" for y in range(100) for m in range(1, 13) for d in range(1, 29)
    )
    (tmp_path / "days.md").write_text(days, encoding="utf-8")
    for i in range(2_100):
        (tmp_path / f"{'n' * 150}_{i}.json").touch()
    facts = facts_of([tmp_path])
    assert len(facts.model_dump_json()) < 2_000_000
    assert facts.files_total == 2_103
    assert facts.counts == {"csv": 2, "json": 2_100, "md": 1}
    assert facts.series_cut == 2
    for left_out in (facts.files_left_out, facts.dates_left_out, facts.series_left_out):
        assert left_out > 0
    assert len(facts.left_out) == 5
    assert [series.maximum for series in facts.series[:2]] == [428.428571, 8997.0]
    (kept,) = ground(f"{len(facts.files[0].path)} x", facts)
    assert kept.verdict == "not_found"


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"\xff", b"\0", b"{" * 100_000, b"[" * 100_000, b'{"a": NaN, "b": 1e999, "c": -1e308, "d": true}',
     b'{"a": ' + b"9" * 10_000 + b"}", b'{"\\ud800": 1}', b'a,"b\n1,2', b"|a|\n|-|\n|1|", b'"\r\n', b'{"time": 1e9, "t": 1e308}'],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["csv", "json", "md"])
def test_bad_contents_are_counted_and_never_raise(content: bytes, suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"x.{suffix}").write_bytes(content)
    facts = facts_of([tmp_path])
    assert facts.files_total == 1
    assert facts.unread in (0, 1)
    assert Facts.model_validate_json(facts.model_dump_json()) == facts
    (figure,) = ground(f"{suffix}: 5 files", facts)
    assert figure.truth == "1"
