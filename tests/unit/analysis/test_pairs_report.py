"""What reports and findings say of agents at the same time."""

from __future__ import annotations

import re
from typing import Any

import pytest

from analysis.findings import RULES, pairs
from analysis.models import Finding, SweepSummary
from analysis.models.pairs import LEGACY_NOTE
from analysis.rendering import render_html, render_markdown
from analysis.rendering.each import FOLDERS, render_each
from analysis.rendering.layout.pair_words import answer
from analysis.summary import summarise_records
from tests.support.factories import RecordFactory
from tests.support.present import present
from tests.support.synthetic import synthetic
from tests.support.synthetic_pairs import PairShape, demo, pair_sweep

SECTION = "## Agents at the Same Time"


def section(text: str) -> str:
    return re.split(r"\n## ", text.split(SECTION, 1)[1])[0]


@pytest.fixture(scope="module")
def summary() -> SweepSummary:
    return demo().summary()


@pytest.fixture(scope="module")
def markdown(summary: SweepSummary) -> str:
    return render_markdown(summary)


def quiet(**changes: Any) -> SweepSummary:
    """No slowdown planted."""
    shape = PairShape(rate=lambda c, r: 1.0, ttft=lambda c, r: 1.0, **changes)
    return pair_sweep(runs=5, shape=shape).summary()


def fired(summary: SweepSummary) -> dict[str, Finding]:
    return {f.rule: f for f in summary.findings if f.rule.startswith("agents-")}


def test_the_section_stands_right_after_the_overview(markdown: str) -> None:
    titles = [line for line in markdown.splitlines() if line.startswith("## ")]
    assert titles[:2] == ["## Sweep Overview", SECTION]


def test_the_answer_comes_first(markdown: str, summary: SweepSummary) -> None:
    first = section(markdown).strip().splitlines()[0]
    assert first.startswith(
        "Of 2 configurations with several agents at the same time: at least one agent was slowed down in 1,"
    )
    assert "The largest: candidate in num_gpu=80" in first


def test_each_agent_and_each_configuration_has_its_row(markdown: str) -> None:
    text = section(markdown)
    assert re.search(r"\| num_gpu=80 \| candidate \| 2\.3\d+ \(2\.3\d+ to 2\.4\d+\) \|", text)
    assert re.search(
        r"\| num_gpu=40 \| baseline \| .* \| none shown \| rate 1\.\d\d, TTFT 1\.\d\d, pace 1\.\d\d \|", text
    )
    row = next(line for line in text.splitlines() if line.startswith("| num_gpu=80 | baseline, candidate |"))
    assert "5 of 6" in row and "slowed down" in row


def test_incomplete_runs_are_counted_and_named(markdown: str) -> None:
    assert "1 run of 12 is incomplete" in section(markdown)
    assert "**num_gpu=80, run 2**: a stage of candidate is excluded" in section(markdown)


def test_legacy_figures_are_labelled_wherever_they_stand(summary: SweepSummary, markdown: str) -> None:
    for text in (markdown, *render_each(summary, "pair").values()):
        for found in re.finditer(r"\d×", text):
            assert "Legacy" in text[: found.start()]
        assert LEGACY_NOTE in text
        assert "Legacy speedup" in text


def test_html_holds_chart_and_link(summary: SweepSummary) -> None:
    page = render_html(summary)
    assert 'id="agents"' in page and 'href="#agents"' in page
    assert "Slowdown of each agent" in page
    assert "candidate, TTFT: 2.4" in page  # the mark's title


def test_sweeps_of_one_agent_say_nothing_of_it(record: RecordFactory) -> None:
    for found in (synthetic(runs=2).summary(), summarise_records([record(run=1)])):
        assert SECTION not in render_markdown(found)
        assert fired(found) == {}
        assert render_each(found, "pair") == {}


# A file for each agent, and for all together


def test_an_agents_report_has_its_own_duration_company_and_persona(summary: SweepSummary) -> None:
    files = render_each(summary, "agent")
    text = files["num_gpu-80_candidate.md"]
    assert text.startswith("# Chimera Agent candidate\n")
    assert "**Measured:** at the same time as baseline" in text
    assert "You are the Insight Agent" in text.split("## Persona Prompt")[1]
    shown = next(c for c in summary.configurations if (c.config, c.agent) == ("num_gpu=80", "baseline"))
    run = next(r for r in shown.over_runs.runs if r.run == present(shown.shown).run)
    assert present(run.exec_s) < present(run.wall_s) - 1
    assert f"- Execution time: {run.exec_s:.2f}s (ingest 0.03s | analysis " in files["num_gpu-80_baseline.md"]


def test_a_solo_configuration_is_said_to_be_alone(summary: SweepSummary) -> None:
    text = render_each(summary, "agent")["solo-baseline_baseline.md"]
    assert "**Measured:** alone, to compare with" in text


def test_the_combined_report_has_both_sides(summary: SweepSummary) -> None:
    files = render_each(summary, "pair")
    assert FOLDERS["pair"] == "pairs"
    assert set(files) == {"num_gpu-40_baseline-candidate.md", "num_gpu-80_baseline-candidate.md"}
    text = files["num_gpu-80_baseline-candidate.md"]
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        *("## Answer", "## Configuration", "## Metrics", "## Runs", "## Legacy Figures", "## Key Findings"),
        *("## Recommendations", "## Technical Reports", "## Persona Prompts", "## Provenance"),
    ]
    assert "| Measured alone as | solo=baseline | num_gpu=80,solo=candidate |" in text
    for words in (
        "A finding of baseline.",
        "A finding of candidate.",
        "You are the Data Collector",
        "Fairness",
    ):
        assert words in text
    assert re.search(r"\| 2 \|.*a stage of candidate is excluded \|", text)


def test_a_hostile_label_becomes_no_markup(record: RecordFactory) -> None:
    records = [
        record(config="x|y", agent=agent, run=1, wall_s=2.0, exec_s=1.5)
        for agent in ("<script>alert(1)</script>", "[b](c)")
    ]
    found = summarise_records(records)
    assert "<script>alert" not in render_html(found)
    for text in (render_markdown(found), *render_each(found, "pair").values()):
        assert "<script>" not in text and "[b](c)" not in text


# Answers


def test_answers_of_one_configuration() -> None:
    slowed = answer(pair_sweep(runs=5).summary().pair_configurations)
    assert slowed.startswith(
        "Running at the same time slows agents down, against themselves alone: A most in its rate, by"
    )
    assert "times as much." in slowed
    none = answer(quiet().pair_configurations)
    assert none.startswith("No slowdown of any agent is shown; these runs would have shown one")
    bare = pair_sweep({"kind": "agent-pair", "paths": ["c"], "solo": False}, runs=3).summary()
    assert answer(bare.pair_configurations).startswith(
        "Whether the agents slowed each other down is not known (A: it was not measured alone"
    )


# Findings


def test_a_slowdown_is_a_finding_with_its_size(summary: SweepSummary) -> None:
    found = fired(summary)["agents-slowed-down"]
    assert found.severity == "warning" and found.configurations == ("num_gpu=80",)
    assert "2 agents of 1 configuration, most of all candidate in num_gpu=80" in found.text
    assert any("candidate in num_gpu=80: rate 2.3" in line for line in found.evidence)


def test_uneven_slowdowns_are_unfair(summary: SweepSummary) -> None:
    assert fired(summary)["agents-unfair"].configurations == ("num_gpu=80",)
    even = fired(pair_sweep(runs=5).summary())
    assert "agents-unfair" not in even and "agents-slowed-down" in even


def test_a_quiet_pair_gives_none() -> None:
    assert fired(quiet()) == {}


def test_no_solo_runs_are_a_finding() -> None:
    found = fired(pair_sweep({"kind": "agent-pair", "paths": ["c"], "solo": False}, runs=3).summary())
    assert set(found) == {"agents-not-measured-alone"}


@pytest.mark.parametrize(("delay_s", "hardly"), [(3.0, False), (9.0, True)])
def test_agents_that_hardly_overlap(delay_s: float, hardly: bool) -> None:
    late = quiet(delay_s=lambda c, r: delay_s if len(c.agents) > 1 and r.label == "B" else 0.0)
    assert ("agents-hardly-overlap" in fired(late)) is hardly


@pytest.mark.parametrize(("factor", "differ"), [(1.3, False), (2.0, True)])
def test_works_of_other_lengths(factor: float, differ: bool) -> None:
    found = fired(quiet(tokens=lambda c, r: factor if r.label == "B" else 1.0))
    assert ("agents-works-differ" in found) is differ


@pytest.mark.parametrize(("factor", "differ"), [(1.02, False), (0.8, True)])
def test_another_length_together_than_alone(factor: float, differ: bool) -> None:
    found = fired(quiet(tokens=lambda c, r: factor if len(c.agents) > 1 else 1.0))
    assert ("agents-wrote-other-lengths-alone" in found) is differ


def test_every_rule_of_pairs_is_registered() -> None:
    rules = {
        pairs.slowed_down,
        pairs.without_solo,
        pairs.hardly_overlap,
        pairs.unfair,
        pairs.other_work,
        pairs.other_than_alone,
    }
    assert rules <= set(RULES)
