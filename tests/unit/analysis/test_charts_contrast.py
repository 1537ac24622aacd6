"""Colours can be told from what is behind them: WCAG 2.2, 1.4.3 (text 4.5 : 1) and 1.4.11 (marks 3 : 1)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import analysis.rendering

CSS = (Path(analysis.rendering.__file__).parent / "templates/report.css").read_text()
TEXT = [
    *(("text", ground) for ground in ("page", "soft", "warn", "bad")),
    *(("muted", ground) for ground in ("page", "soft", "bad")),
    *(("accent", ground) for ground in ("page", "soft")),
    *(("bad-text", ground) for ground in ("bad", "page")),
    *((tone, ground) for tone in ("good-text", "odd-text") for ground in ("page", "soft")),
    *(("on-bar", tone) for tone in ("main", "teal", "amber", "red", "violet", "quiet")),
    ("main", "page"),
]
MARKS = [
    *((tone, "page") for tone in ("main", "teal", "amber", "red", "violet", "quiet", "control", "warn-line")),
]


def schemes() -> dict[str, dict[str, str]]:
    light, dark, paper = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    )
    return {"light": light, "dark": dark, "paper": paper}


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_the_formula() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_all_schemes_name_the_same_colours() -> None:
    light, dark, paper = schemes().values()
    assert light.keys() == dark.keys() == paper.keys()
    used = set(re.findall(r"var\(--([\w-]+)\)", CSS)) - {"c"}
    assert used <= light.keys()


@pytest.mark.parametrize("scheme", ["light", "dark", "paper"])
def test_contrast(scheme: str) -> None:
    colours = schemes()[scheme]
    for text, ground in TEXT:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for mark, ground in MARKS:
        assert contrast(colours[mark], colours[ground]) >= 3, (mark, ground)


def test_every_colour_of_the_style_is_a_variable() -> None:
    rules = re.sub(r":root \{.*?\}", "", CSS, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?!\()", rules)
