"""Text of models, files and people stays text, in Markdown and in HTML."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models import SweepSummary
from analysis.rendering import render_html, render_json, render_markdown
from analysis.rendering.markdown import cell, fence, inline
from analysis.rendering.plain import one_line, visible
from analysis.summary import summarise_records
from tests.support.factories import RecordFactory
from tests.support.present import present

SCRIPT = "<script>alert(1)</script>"
HOSTILE = [
    SCRIPT,
    "</pre></details><img src=x onerror=alert(1)>",
    "```\n# Heading out of the fence\n````",
    "a | b\n| --- |\n| c |",
    "# title\n\n- item",
    '"><svg/onload=alert(1)>',
    "![x](http://evil.example/x.png) [y](javascript:alert(1))",
    "{{ 7 * 7 }} {% include 'x' %}",
    "\x1b[31mred\x1b[0m \x00 \x85 \u2028 \u202egnp.exe \ud800",
    "&lt;b&gt; &amp;",
]

anything = st.one_of(
    st.sampled_from(HOSTILE), st.text(st.characters(codec=None, categories=None), max_size=60)
)


def sweep(record: RecordFactory, text: str) -> SweepSummary:
    name = text if text.strip() else "x"
    rows = [
        record(config=name, agent=name, stage="ingest", data_summary=text, files_total=1, outcome="ok"),
        record(
            config=name, agent=name, stage="analysis", findings=[text], recommendations=[text], model=name
        ),
        record(config=name, agent=name, stage="report", text=text or "x"),
        record(
            config=name, agent=name, stage=name, outcome="server_error", reason=text, slot=name, pool=name
        ),
    ]
    return summarise_records(rows)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.pre: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if tag == "pre":
            self.pre.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "pre" in self.open:
            self.pre[-1] += data


TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "nav",
        "main",
        "section",
        "h1",
        "h2",
        "h3",
        "h4",
    ),
    *(
        "ol",
        "ul",
        "li",
        "a",
        "p",
        "dl",
        "dt",
        "dd",
        "div",
        "strong",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    ),
    *("pre", "details", "summary", "mark", "b", "span"),
    *("figure", "figcaption", "svg", "desc", "g", "path", "circle", "text"),
    *("input", "select", "option", "button", "label", "output", "script"),
}
VOID = ("meta", "input")
ATTRIBUTES = {
    "lang",
    "charset",
    "name",
    "content",
    "http-equiv",
    "href",
    "id",
    "class",
    "scope",
    "aria-label",
    *("aria-labelledby", "aria-describedby", "aria-hidden", "role", "tabindex", "title", "hidden"),
    *("type", "autocomplete", "spellcheck", "value", "data-table", "data-v", "data-n", "data-f"),
    *("viewbox", "d", "x", "y", "cx", "cy", "r"),
}


@pytest.mark.parametrize("text", HOSTILE)
def test_html_holds_only_our_tags(record: RecordFactory, text: str) -> None:
    page = render_html(sweep(record, text))
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    assert tags.tags <= TAGS
    assert tags.attributes <= ATTRIBUTES
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', page))
    assert any(visible(text).strip() in pre for pre in tags.pre)
    page.encode("utf-8")


@given(text=anything)
def test_any_text_keeps_the_html_whole(record: RecordFactory, text: str) -> None:
    tags = Tags()
    tags.feed(render_html(sweep(record, text)))
    tags.close()
    assert tags.open == []
    assert tags.tags <= TAGS


def test_html_is_one_file_with_language_title_and_no_network(record: RecordFactory) -> None:
    page = render_html(sweep(record, "plain"))
    assert '<html lang="en">' in page
    assert re.search(r"<title>[^<]+</title>", page)
    assert not re.search(r"<link|\ssrc=|@import|url\(", page)
    assert page.count("<script") == 1
    assert "http" not in page.replace("http-equiv", "")


def test_html_shows_a_script_as_text(record: RecordFactory) -> None:
    page = render_html(sweep(record, SCRIPT))
    assert SCRIPT not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@given(text=anything)
def test_nothing_leaves_the_fence(text: str) -> None:
    opening, *body, closing = fence(text).split("\n")
    ticks = opening.removesuffix("text")
    assert closing == ticks and set(ticks) == {"`"} and len(ticks) >= 3
    assert "\n".join(body) == visible(text).rstrip()
    assert not any(re.match(rf" {{0,3}}`{{{len(ticks)},}}[ \t]*$", line) for line in body)


@given(text=anything)
def test_a_cell_is_one_cell_of_one_line(text: str) -> None:
    written = cell(text)
    assert "\n" not in written
    assert not re.search(r"(?<!\\)(?:\\\\)*\|", written)
    assert "<" not in written
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*\[\]]", written)


@given(text=anything)
def test_no_control_characters_are_printed(text: str) -> None:
    for shown in (visible(text), one_line(text)):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)


@given(text=anything)
def test_every_document_of_any_text_is_writable(record: RecordFactory, text: str) -> None:
    summary = sweep(record, text)
    render_markdown(summary).encode("utf-8")
    assert SweepSummary.model_validate(json.loads(render_json(summary).encode("utf-8"))) == summary


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_adds_no_markdown_structure(record: RecordFactory, text: str) -> None:
    """Headings, table lines and fences are as many as with harmless text."""

    def outside_fences(markdown: str) -> list[str]:
        lines, ticks = [], ""
        for line in markdown.split("\n"):
            if ticks:
                ticks = "" if line == ticks else ticks
            elif match := re.match("(`{3,})text$", line):
                ticks = match[1]
            else:
                lines.append(line)
        assert not ticks
        return lines

    def shape(lines: list[str]) -> list[str]:
        return [present(re.match(r"#* |\||- |\*\*|", line))[0] for line in lines]

    hostile = outside_fences(render_markdown(sweep(record, text)))
    assert shape(hostile) == shape(outside_fences(render_markdown(sweep(record, "harmless"))))
    assert not any("<" in line for line in hostile)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("num_gpu=80, temp=0.6", "num_gpu=80, temp=0.6"),
        ("analysis 9.69s | report", "analysis 9.69s | report"),
        ("_edge_ and a__b", r"\_edge\_ and a\_\_b"),
        ("# 1", r"\# 1"),
        ("1. one", r"1\. one"),
        ("- one", r"\- one"),
        ("-5.0", "-5.0"),
        ("---", r"\---"),
        ("> quote", r"\> quote"),
        ("**bold** `code`", r"\*\*bold\*\* \`code\`"),
        ("&lt; & x", "&amp;lt; & x"),
        ("a\n\nb\tc", "a b c"),
    ],
)
def test_inline_escapes_what_it_must_and_no_more(text: str, written: str) -> None:
    assert inline(text) == written
