"""What the report says of how the execution went."""

from __future__ import annotations

from analysis.models import Finding, SweepSummary
from analysis.rendering import render_markdown
from analysis.summary import summarise_records
from contracts.manifest import TakenBack
from tests.support.synthetic import synthetic

MADE = synthetic(runs=4)


def the(summary: SweepSummary, rule: str) -> Finding:
    (found,) = [finding for finding in summary.findings if finding.rule == rule]
    return found


def test_a_cancelled_sweep_says_so_at_the_top_and_names_what_is_missing() -> None:
    gone = MADE.manifest.configurations[1].name
    there = [r for r in MADE.records if r.config != gone and r.run <= 3]
    summary = summarise_records(there, MADE.manifest.model_copy(update={"cancelled": "by 'chimera cancel'"}))
    finding = the(summary, "cancelled")
    assert finding.severity == "critical"
    assert (
        finding.text
        == "the sweep was ended before its time (by 'chimera cancel'): 7 of 16 planned runs are missing"
    )
    assert finding.evidence[0] == f"{gone}: 0 of 4 runs"
    assert gone in finding.configurations
    top = render_markdown(summary)[:600]
    assert (
        "**Ended before its time:** by 'chimera cancel'; 7 of 16 planned runs are missing; 1 of 4 configurations have no run"
        in top
    )


def test_jobs_that_were_taken_back_are_named_with_their_slot() -> None:
    back = (TakenBack(slot="gpu-7", jobs=3, why="connection refused 5 times in a row"),)
    summary = summarise_records(MADE.records, MADE.manifest.model_copy(update={"taken_back": back}))
    finding = the(summary, "taken-back")
    assert finding.text.startswith(
        "3 jobs were taken back because their slot's server was broken, and measured elsewhere"
    )
    assert finding.evidence == ("gpu-7: 3 jobs, connection refused 5 times in a row",)
    excluded = render_markdown(summary).split("### Excluded")[1][:300]
    assert "jobs 3 of gpu-7 (connection refused 5 times in a row)" in excluded


def test_later_deliveries_are_counted() -> None:
    records = [r.model_copy(update={"attempt": 3}) if r.run == 2 else r for r in MADE.records]
    finding = the(summarise_records(records, MADE.manifest), "later-attempts")
    assert finding.text.startswith("4 runs were measured by a later delivery")


def test_an_ordinary_execution_has_none_of_these() -> None:
    rules = {finding.rule for finding in MADE.summary().findings}
    assert not rules & {"cancelled", "taken-back", "later-attempts", "whole-plots"}
    assert "Ended before its time" not in render_markdown(MADE.summary())
