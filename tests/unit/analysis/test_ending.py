"""What is said at a sweep's end, and how many exclusions are told."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from analysis import ending as ending_module
from analysis.ending import Ending, ending_of
from analysis.models import Excluded, SweepSummary
from analysis.reasons import kind_of
from analysis.rendering import render_html, render_markdown
from analysis.summary import summarise_records
from producer.ending_table import show_ending
from tests.support.synthetic import synthetic


@pytest.fixture(scope="module")
def summary() -> SweepSummary:
    made = synthetic(runs=3)
    return summarise_records(made.records, made.manifest)


def with_excluded(summary: SweepSummary, entries: int) -> SweepSummary:
    found = tuple(
        Excluded(run=n, stage="report", reason=f"suspect: changed by {n}.25 ms, more than 1 %")
        for n in range(1, entries + 1)
    )
    first, *others = summary.configurations
    changed = first.model_copy(update={"excluded": found, "left_out": {"excluded": 7}})
    return summary.model_copy(update={"configurations": (changed, *others)})


def shown(ending: Ending) -> str:
    out = io.StringIO()
    show_ending(ending, Console(file=out, width=220))
    return out.getvalue()


def test_all_places_of_a_small_sweep_are_told(summary: SweepSummary) -> None:
    made = ending_of(summary)
    assert [place.config for place in made.places] == [ranked.config for ranked in summary.ranking]
    assert (made.more_places, made.more_excluded) == (0, 0)
    text = shown(Ending.model_validate_json(made.model_dump_json()))
    assert all(c.config in text for c in summary.configurations)
    assert "more configurations" not in text and "excluded" not in text


def test_of_a_large_one_the_first_and_how_many_more(
    summary: SweepSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending_module, "MOST_PLACES", 1)
    made = ending_of(summary)
    assert [place.config for place in made.places] == [summary.ranking[0].config]
    more = len(summary.configurations) - 1
    assert made.more_places == more
    assert f"… and {more} more configurations in the report" in shown(made)


def test_reasons_that_differ_in_their_figures_are_one_kind(summary: SweepSummary) -> None:
    assert kind_of("HTTP 500 after 1.25 s") == "HTTP 500 after … s"
    made = ending_of(with_excluded(summary, 3))
    assert made.excluded == (("suspect: changed by … ms, more than 1 %", 3),)
    text = shown(made)
    assert "excluded, 3 ×: suspect: changed by … ms" in text
    assert "… and 7 more excluded, whose reasons are in stages.jsonl alone" in text


@pytest.mark.parametrize(("entries", "grouped"), [(12, False), (13, True)])
def test_many_exclusions_are_grouped_and_every_one_is_there(
    summary: SweepSummary, entries: int, grouped: bool
) -> None:
    changed = with_excluded(summary, entries)
    for text in (render_markdown(changed), render_html(changed)):
        assert (f"{entries} ×" in text) == grouped
        assert all(f"changed by {n}.25 ms" in text for n in range(1, entries + 1))
