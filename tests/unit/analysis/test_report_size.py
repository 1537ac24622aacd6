"""One file below 3 MB for 1,000 configurations; what is left out is said, and no link leads nowhere."""

from __future__ import annotations

import re

import pytest

from analysis.rendering import render_html
from analysis.rendering.document import Document, Paragraph, Row, Section, Table
from analysis.rendering.html import render_document
from analysis.rendering.layout.importance import by_importance
from tests.support.report_samples import full_summary, many


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(many(1000))


def kept(page: str) -> set[str]:
    return set(re.findall(r'<section id="(configuration-\d+)"', page))


def test_a_thousand_configurations_stay_below_3_mb(page: str) -> None:
    assert len(page.encode()) < 3_000_000


def test_every_configuration_has_its_row(page: str) -> None:
    (table,) = re.findall(r"<div data-table>.*?</table>", page, re.DOTALL)[:1]
    assert len(re.findall(r"<tr[ >]", table)) == 1 + 1000


def test_links_lead_to_what_is_there(page: str) -> None:
    targets = set(re.findall(r'href="#([^"]*)"', page))
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert targets <= set(ids)
    assert len(ids) == len(set(ids))
    assert kept(page) <= targets


def test_it_says_how_many_are_left_out_and_where_they_are(page: str) -> None:
    left_out = 1000 - len(kept(page))
    assert 0 < left_out < 1000
    assert f"{left_out} of 1,000 configurations have no section of their own in this file" in page
    assert page.count(f"{left_out} of 1,000 configurations have no section") >= 2
    assert "report.md" in page and "summary.json" in page
    assert "\0" not in page


def test_the_best_ranked_are_kept(page: str) -> None:
    assert {f"configuration-{place}" for place in range(1, 21)} <= kept(page)


def test_importance_is_rank_then_what_was_noticed() -> None:
    summary = many(60, "x")
    plain = tuple(
        c.model_copy(update={"notes": (), "outliers": (), "excluded": ()}) if i != 50 else c
        for i, c in enumerate(summary.configurations)
    )
    noted = plain[50].model_copy(update={"notes": full_summary().configurations[0].notes or plain[50].notes})
    changed = summary.model_copy(update={"configurations": (*plain[:50], noted, *plain[51:]), "findings": ()})
    order = [int(anchor.rsplit("-", 1)[1]) for anchor in by_importance(changed)]
    assert order[:20] == list(range(1, 21))
    concerned = bool(noted.notes or noted.outliers or noted.excluded)
    assert order[20] == (51 if concerned else 21)
    assert sorted(order) == list(range(1, 61))


def document(rows: int, sections: int, words: int) -> Document:
    table = Table(("Name", "n"), "lr", tuple(Row((f"name {i}", str(i))) for i in range(rows)))
    some = tuple(
        Section(f"S{i}", (Paragraph(f"word{i} " * words),), anchor=f"configuration-{i + 1}")
        for i in range(sections)
    )
    return Document("t", (Section("All", (table,), anchor="all"), *some, Section("End", (), anchor="end")))


def test_a_small_report_is_whole() -> None:
    made = document(50, 5, 10)
    text = render_document(made, [f"configuration-{i + 1}" for i in range(5)])
    assert kept(text) == {f"configuration-{i + 1}" for i in range(5)}
    assert "left out" not in text and "no section of their own" not in text


@pytest.mark.parametrize("limit", [80_000, 120_000, 200_000])
def test_sections_fill_the_limit_in_their_order_and_stand_in_the_documents(limit: int) -> None:
    made = document(10, 40, 1000)
    order = [f"configuration-{i}" for i in (7, 3, *(j for j in range(1, 41) if j not in (3, 7)))]
    text = render_document(made, order, limit=limit)
    assert len(text.encode()) <= limit
    found = kept(text)
    assert found == set(order[: len(found)]) and found
    places = [int(n) for n in re.findall(r'<section id="configuration-(\d+)"', text)]
    assert places == sorted(places)
    assert text.index("Configurations Without a Section Here") < text.index('<section id="end"')


def test_long_tables_are_cut_where_they_alone_would_fill_the_file() -> None:
    text = render_document(document(5000, 3, 10), [f"configuration-{i + 1}" for i in range(3)], limit=150_000)
    assert len(text.encode()) <= 150_000
    assert "… and 4,700 more rows, left out for this file’s size: report.md holds them." in text
    assert kept(text) == {f"configuration-{i + 1}" for i in range(3)}
