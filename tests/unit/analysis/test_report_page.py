"""The HTML page: its policy, its tables' data for sorting and filtering, its marked texts."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.rendering.document import Block, Document, Row, Section, Table, TextMark, Verbatim
from analysis.rendering.html import pieces, render_document
from analysis.rendering.plain import visible
from tests.support.factories import RecordFactory

HEADER = ("Configuration", "Rate (tok/s)", "Verdict")


def table(**fields: Any) -> Table:
    rows = (
        Row(("a", "1,234.50 ± 2", "x"), facets=("10",), anchor="configuration-1"),
        Row(("b", "–", "y"), facets=("9",)),
        Row(("c", "−3.25", "z"), facets=("default",)),
    )
    return Table(HEADER, "lrl", rows, interactive=True, facets=("num_gpu",), **fields)


def page(*blocks: Block) -> str:
    return render_document(Document("t", blocks))


def test_the_policy_names_script_and_style_by_their_hashes() -> None:
    text = page()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    rules = dict(rule.split(" ", 1) for rule in policy.replace("&#39;", "'").split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert "unsafe" not in policy


def test_no_attribute_needs_what_the_policy_forbids() -> None:
    assert not re.search(r"\s(?:style|on\w+)=", page(table()))


def test_cells_carry_the_unrounded_value_or_the_number_they_begin_with() -> None:
    values = re.findall(r"<td[^>]*>", page(table()))
    assert [re.findall(r'data-v="([^"]*)"', cell) for cell in values[1::3]] == [["1234.50"], [], ["-3.25"]]
    given = Table(
        HEADER,
        "lrl",
        (Row(("a", "1.2", "x"), sort=(None, 1.2345678901234567, float("nan"))),),
        interactive=True,
    )
    assert re.findall(r'data-v="([^"]*)"', page(given)) == ["1.2345678901234567"]
    assert page(given).count(" data-n>") == 1


def test_a_plain_table_carries_no_data() -> None:
    plain = Table(HEADER, "lrl", (Row(("a", "1", "x")),))
    text = page(plain)
    assert "data-v" not in text and '<div class="controls"' not in text


def test_facets_are_offered_in_natural_order_and_named_by_place() -> None:
    text = page(table())
    (options,) = re.findall(r"<label>num_gpu <select>(.*?)</select>", text, re.DOTALL)
    assert re.findall(r'value="(\d*)">([^<]*)<', options) == [
        ("", "all"),
        ("0", "9"),
        ("1", "10"),
        ("2", "default"),
    ]
    assert re.findall(r'data-f="([^"]*)"', text) == ["1", "0", "2"]


def test_a_facet_with_one_value_is_not_offered() -> None:
    rows = (Row(("a", "1", "x"), facets=("same", "1")), Row(("b", "2", "y"), facets=("same", "2")))
    text = page(Table(HEADER, "lrl", rows, interactive=True, facets=("one", "two")))
    assert re.findall(r"<label>(\w+) <select>", text) == ["two"]
    assert re.findall(r'data-f="([^"]*)"', text) == ["0", "1"]


def test_controls_are_hidden_until_the_script_runs() -> None:
    assert '<div class="controls" hidden>' in page(table())


@pytest.mark.parametrize("fields", [{"sort": (1.0,)}, {"facets": ("a", "b")}])
def test_rows_that_do_not_fit_are_refused(
    fields: dict[str, tuple[float, ...]] | dict[str, tuple[str, ...]],
) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Table(HEADER, "lrl", (Row(("a", "1", "x"), **fields),), facets=("one",))


class Headings(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.levels: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))


def test_headings_nest() -> None:
    section = Section("a", (Section("b", (Section("c", ()), Section("d", ()))), Section("e", ())))
    headings = Headings()
    headings.feed(page(section, section))
    assert headings.levels == [1, 2, 3, 4, 4, 3, 2, 3, 4, 4, 3]


def test_many_configurations_are_folded_in_the_contents() -> None:
    sections = tuple(Section(f"s{i}", (), anchor=f"configuration-{i}") for i in range(1, 31))
    rest = Section("Rest", (), anchor="rest")
    text = render_document(Document("t", (*sections, rest)), [s.anchor for s in sections])
    nav = text.split("<nav", 1)[1].split("</nav>")[0]
    assert "<summary>Sections of 30 configurations</summary>" in nav
    assert nav.index('href="#rest"') < nav.index("<details>") < nav.index('href="#configuration-1"')


MARKS = (
    TextMark(0, 2, "contradicted", "44"),
    TextMark(5, 6, "supported", "corpus"),
    TextMark(7, 9, "not_found"),
)


def test_marks_are_seen_and_read_and_not_by_colour_alone() -> None:
    text = page(Verbatim("65 or 3 12", marks=MARKS))
    (pre,) = re.findall(r"<pre>\n(.*?)</pre>", text, re.DOTALL)
    assert re.findall(r'<mark class="(\w+)"', pre) == ["contradicted", "supported", "not_found"]
    assert '<span aria-hidden="true">✗ 44</span><span class="seen"> (contradicted: 44)</span>' in pre
    assert 'title="corpus"' in pre
    assert re.sub(r"<b>.*?</b>|<[^>]*>", "", pre) == "65 or 3 12"
    assert "✓ supported by the data, ✗ contradicted" in text


def test_offsets_count_the_original_text_whatever_is_made_visible() -> None:
    text = "\r\n\x1b[1m65\u202e files"
    start = text.index("65")
    shown = page(Verbatim(text, marks=(TextMark(start, start + 2, "contradicted", "<b>"),)))
    assert '<mark class="contradicted" title="&lt;b&gt;">65<b>' in shown
    assert "✗ &lt;b&gt;" in shown


@given(
    st.text(max_size=40),
    st.lists(st.tuples(st.integers(-5, 50), st.integers(-5, 50)), max_size=8),
)
def test_pieces_are_the_text_whatever_the_marks(text: str, offsets: list[tuple[int, int]]) -> None:
    block = Verbatim(text, marks=tuple(TextMark(a, b, "not_found") for a, b in offsets))
    found = list(pieces(block))
    assert "".join(piece for piece, _ in found) == text
    for piece, mark in found:
        assert piece
        assert mark is None or text[mark.start : mark.end] == piece


def test_a_marked_text_is_the_same_text(record: RecordFactory) -> None:
    plain = "a\n\n  b\tc\n"
    for block in (Verbatim(plain), Verbatim(plain, marks=(TextMark(3, 5, "supported"),))):
        (pre,) = re.findall(r"<pre>\n(.*?)</pre>", page(block), re.DOTALL)
        assert re.sub(r"<b>.*?</b>|<[^>]*>", "", pre) == visible(plain)
