"""report.html as people use it: it opens from disk, sorts, filters, prints, and runs nothing but its own script."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from analysis.rendering import render_html
from analysis.rendering.document import Document, Row, Table
from analysis.rendering.html import render_document
from analysis.rendering.layout.charts import charts_sections, main_effects_charts, overview_charts
from analysis.rendering.plain import one_line
from tests.support.opened_page import Opened
from tests.support.present import present
from tests.support.report_samples import full_summary, hostile, many

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = [
    "<script>window.hacked = 1; alert(1)</script>",
    "</script><script>window.hacked = 1</script>",
    "</style><img src=x onerror='window.hacked = 1'>",
    ']]></title></desc></svg><svg onload="window.hacked = 1">',
    "\"' onmouseover=window.hacked=1 x='\"",
    "javascript:window.hacked=1",
    "--><iframe srcdoc='<script>parent.hacked=1</script>'>",
    "\u202etxt.exe \x00 \ud800 \u2028 ${window.hacked=1} {{ 7*7 }}",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def report(folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(render_html(full_summary()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def charts(folder: Path) -> Path:
    """All charts, whatever the report's layout uses."""
    summary = full_summary()
    blocks = (*overview_charts(summary), *main_effects_charts(summary), *charts_sections(summary))
    path = folder / "charts.html"
    path.write_text(render_document(Document("Charts", blocks)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def plain_table(folder: Path) -> Path:
    """Six rows whose printed numbers sort otherwise than their values, one unknown."""
    rates = [("ten", 10.04), ("two", 2.0), ("ten-b", 10.01), ("none", None), ("minus", -3.0), ("big", 1e6)]
    rows = tuple(
        Row(
            (name, "–" if rate is None else f"{rate:,.1f}", "even" if i % 2 == 0 else "odd"),
            sort=(None, rate, None),
            facets=("even" if i % 2 == 0 else "odd",),
        )
        for i, (name, rate) in enumerate(rates)
    )
    table = Table(
        ("Configuration", "Rate (tok/s)", "Kind"),
        "lrl",
        rows,
        interactive=True,
        facets=("Kind",),
        label="Rates",
    )
    path = folder / "table.html"
    path.write_text(render_document(Document("Table", (table,))), encoding="utf-8")
    return path


def names(page: Page) -> list[str]:
    return page.locator("[data-table] tbody tr:visible td:first-child").all_inner_texts()


def shown(page: Page) -> str:
    return page.locator("[data-table] output").first.inner_text()


def test_the_report_opens_without_a_word_and_loads_only_itself(
    open_page: Callable[..., Opened], report: Path
) -> None:
    opened = open_page(report)
    opened.page.locator("main section").last.scroll_into_view_if_needed()
    assert opened.quiet(report.as_uri()), opened


def test_every_chart_has_a_name_and_is_drawn(open_page: Callable[..., Opened], charts: Path) -> None:
    opened = open_page(charts)
    page = opened.page
    images = page.get_by_role("img")
    assert images.count() == page.locator("figure").count() == 11
    for figure in page.locator("figure").all():
        title = figure.locator("figcaption strong").inner_text()
        image = figure.get_by_role("img", name=title, exact=True)
        box = image.bounding_box()
        assert present(box)["width"] > 500 and present(box)["height"] > 80
        assert figure.locator("svg[role=img] g :is(circle, path)").count() > 0
        figure.locator("summary").click()
        assert figure.locator("details td").first.is_visible()
    assert opened.quiet(charts.as_uri()), opened


def test_marks_have_the_colour_of_their_series(open_page: Callable[..., Opened], charts: Path) -> None:
    page = open_page(charts).page
    fills = {
        tone: page.locator(f"svg[role=img] .t-{tone} :is(circle, path):not(.o, .x, .iv)").first.evaluate(
            "e => getComputedStyle(e).fill"
        )
        for tone in ("main", "teal", "amber", "violet")
    }
    assert len(set(fills.values())) == 4
    assert "rgb(0, 0, 0)" not in fills.values()


def test_the_table_of_the_report_sorts_by_unrounded_values(
    open_page: Callable[..., Opened], report: Path
) -> None:
    opened = open_page(report)
    page = opened.page
    head = page.locator("[data-table]").first.locator("th", has_text="Throughput (tok/s)")
    column = head.evaluate("e => e.cellIndex")

    def values() -> list[float]:
        cells = page.locator("[data-table]").first.locator(f"tbody td:nth-child({column + 1})")
        return [float(present(cell.get_attribute("data-v"))) for cell in cells.all()]

    before = values()
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert values() == sorted(before) != before
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert values() == sorted(before, reverse=True)
    assert opened.quiet(report.as_uri()), opened


def test_unknown_values_stay_last_in_both_directions(
    open_page: Callable[..., Opened], plain_table: Path
) -> None:
    page = open_page(plain_table).page
    button = page.get_by_role("button", name="Rate")
    button.click()
    assert names(page) == ["minus", "two", "ten-b", "ten", "big", "none"]
    button.click()
    assert names(page) == ["big", "ten", "ten-b", "two", "minus", "none"]


def test_text_sorts_as_text_and_one_column_at_a_time(
    open_page: Callable[..., Opened], plain_table: Path
) -> None:
    page = open_page(plain_table).page
    page.get_by_role("button", name="Rate").click()
    page.get_by_role("button", name="Configuration").click()
    assert names(page) == ["big", "minus", "none", "ten", "ten-b", "two"]
    assert page.locator("th[aria-sort]").count() == 1


def test_sorting_and_filtering_by_keyboard_alone(open_page: Callable[..., Opened], plain_table: Path) -> None:
    page = open_page(plain_table).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(2):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "search":
            break
    page.keyboard.type("ten")
    assert names(page) == ["ten", "ten-b"]
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.press("Tab")
    page.keyboard.type("od")
    assert names(page) == ["two", "none", "big"]
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Rate (tok/s)":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert names(page) == ["two", "big", "none"]
    page.keyboard.press("Space")
    assert names(page) == ["big", "two", "none"]


def test_filters_count_what_they_show_and_reset_restores_all(
    open_page: Callable[..., Opened], plain_table: Path
) -> None:
    page = open_page(plain_table).page
    assert shown(page) == "6 of 6"
    page.get_by_label("Filter by words").fill("TEN odd")
    assert shown(page) == "0 of 6"
    page.get_by_label("Filter by words").fill("ten")
    assert shown(page) == "2 of 6"
    page.get_by_label("Kind").select_option(label="odd")
    assert shown(page) == "0 of 6"
    page.get_by_label("Filter by words").fill("")
    assert names(page) == ["two", "none", "big"]
    page.get_by_role("button", name="Rate").click()
    page.get_by_role("button", name="Reset").click()
    assert names(page) == ["ten", "two", "ten-b", "none", "minus", "big"]
    assert shown(page) == "6 of 6"
    assert page.locator("th[aria-sort]").count() == 0


def test_filter_by_the_value_of_an_axis(open_page: Callable[..., Opened], report: Path) -> None:
    page = open_page(report).page
    table = page.locator("[data-table]").first
    table.get_by_label("num_gpu").select_option(label="40")
    assert shown(page) == "4 of 8"
    visible = [row for row in table.locator("tbody tr").all() if row.is_visible()]
    assert len(visible) == 4
    assert all("num_gpu=40" in row.inner_text() for row in visible)


def test_without_scripts_the_table_is_a_table(open_page: Callable[..., Opened], plain_table: Path) -> None:
    page = open_page(plain_table, java_script_enabled=False).page
    assert page.locator("th button").count() == 0
    assert not page.locator(".controls").is_visible()
    assert page.locator("tbody tr:visible").count() == 6


def test_paper_shows_every_row_and_every_folded_part(
    open_page: Callable[..., Opened], report: Path, tmp_path: Path
) -> None:
    opened = open_page(report, color_scheme="dark")
    page = opened.page
    page.get_by_label("Filter by words").first.fill("no such configuration")
    row = page.locator("[data-table]").first.locator("tbody tr").first
    folded = page.locator("main details pre").first
    assert not row.is_visible() and not folded.is_visible()
    page.emulate_media(media="print")
    assert row.is_visible()
    assert present(folded.bounding_box())["height"] > 0
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    overflow = page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX")
    assert overflow == "visible"
    paper = page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert paper.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", paper)) > 3
    assert not opened.errors


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_render(
    open_page: Callable[..., Opened], report: Path, scheme: str, tmp_path: Path
) -> None:
    page = open_page(report, color_scheme=scheme).page
    colours = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    ground, text = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
    assert (ground > text) == (scheme == "light")
    assert page.screenshot(path=tmp_path / f"{scheme}.png").startswith(b"\x89PNG")


def test_a_phone_scrolls_only_downwards(open_page: Callable[..., Opened], report: Path) -> None:
    page = open_page(report, viewport={"width": 390, "height": 844}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_many_configurations_sort_and_filter(open_page: Callable[..., Opened], folder: Path) -> None:
    path = folder / "many.html"
    path.write_text(render_html(many(400)), encoding="utf-8")
    opened = open_page(path)
    page = opened.page
    assert shown(page) == "400 of 400"
    page.locator("[data-table]").first.get_by_role("button", name="TTFT (ms)").click()
    page.get_by_label("Filter by words").first.fill("top_k=99")
    assert shown(page) == "2 of 400"
    assert opened.quiet(path.as_uri()), opened


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(open_page: Callable[..., Opened], folder: Path, text: str) -> None:
    path = folder / "hostile.html"
    path.write_text(render_html(hostile(text)), encoding="utf-8")
    opened = open_page(path)
    page = opened.page
    page.locator("figure svg[role=img]").first.hover()
    for table in page.locator("[data-table]").all():
        table.get_by_role("button").nth(1).click()
        table.locator("select").first.select_option(index=1) if table.locator("select").count() else None
    assert page.evaluate("window.hacked") is None
    assert page.locator("script").count() == 1
    assert page.locator("img, iframe, object, embed, form, base, link").count() == 0
    assert page.locator("a:not([href^='#'])").count() == 0
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every(e => !e.getAttributeNames().some(n => n.startsWith('on')))"
    )
    assert one_line(text) in page.locator("h1").inner_text()
    assert opened.quiet(path.as_uri()), opened


def test_the_policy_stops_what_escaping_would_miss(
    open_page: Callable[..., Opened], folder: Path, report: Path
) -> None:
    """A script put into the file by hand does not run, and nothing is fetched."""
    injected = (
        "<script>window.hacked = 1</script><img src='http://127.0.0.1:9/x.png' onerror='window.hacked = 1'>"
        "<a id='bad' href='javascript:window.hacked=1'>x</a><style>h1 { color: rgb(1, 2, 3) }</style>"
    )
    path = folder / "injected.html"
    text = report.read_text(encoding="utf-8")
    path.write_text(text.replace('<main id="content">', f'<main id="content">{injected}'), encoding="utf-8")
    opened = open_page(path)
    opened.page.locator("#bad").click()
    assert opened.page.evaluate("window.hacked") is None
    assert opened.page.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(1, 2, 3)"
    assert any("Content Security Policy" in message for message in opened.console)
    assert opened.page.locator("th button").count() > 0, "the page's own script runs"
