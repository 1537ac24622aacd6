"""The report of a sweep of our own: the first seed's layout, section by section."""

from __future__ import annotations

import re

import pytest

from analysis.rendering import render_markdown
from analysis.summary import summarise_records, summarise_sweep
from contracts.records import records_of


@pytest.fixture
def markdown(outcome, manifest, configurations) -> str:
    outcomes = [outcome(c, run, aborted=run == 3) for c in configurations for run in (1, 2, 3)]
    records = [record for made in outcomes for record in records_of(made)]
    return render_markdown(summarise_records(records, manifest(runs=4)))


def section(markdown: str, heading: str) -> str:
    """The first section with this heading, up to the next heading that is not below it."""
    level = heading.index(" ")
    body = markdown.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{level}}} ", body, maxsplit=1)[0]


def test_sections_in_the_seeds_order(markdown) -> None:
    one = section(markdown, "## Chimera Agent Report: b_first (chimera)")
    assert re.findall(r"^### (.*)$", one, re.MULTILINE) == [
        *("Configuration", "Aggregate Metrics", "Excluded", "Workflow Summary"),
        *("Technical Report (LLM Generated)", "LLM Call Metrics", "Statistical Summary", "Telemetry"),
    ]
    assert re.findall(r"^## (.*)$", markdown, re.MULTILINE) == [
        *("Sweep Overview", "Conditions of Measurement", "Chimera Agent Report: b_first (chimera)"),
        *("Chimera Agent Report: a_second (chimera)", "How to Read This"),
    ]


def test_header_and_configuration(markdown) -> None:
    one = section(markdown, "## Chimera Agent Report: b_first (chimera)")
    for line in (
        "**Model:** m:1  ",
        "**Runs:** 3 (of 4 planned)  ",
        "**Timestamp:** 2026-11-21 12:03:00 UTC  ",
        "**Language:** Python 3.11.7  ",
        "**System:** linux (x86_64)  ",
        "num_gpu=80, num_ctx=default, temp=0.6, top_p=default, top_k=default, repeat_penalty=default",
    ):
        assert line in one.splitlines(), line


def test_workflow_of_the_last_run_with_a_valid_report(markdown) -> None:
    workflow = section(markdown, "### Workflow Summary")
    assert "Of run 2: the last run with a valid report call." in workflow
    assert "- Files analyzed: 3\n" in workflow
    assert "- Execution time: 1.33s (ingest 0.03s | analysis 0.60s | report 0.70s)\n" in workflow
    assert "#### Data Summary\n\n```text\nTotal files analyzed: 3\n```" in workflow
    assert "\n- Finding one\n" in workflow
    assert workflow.rstrip().endswith("#### Recommendations\n\n- None captured")


def test_the_models_text_is_marked_and_fenced(markdown) -> None:
    text = section(markdown, "### Technical Report (LLM Generated)")
    assert "Run 2, stage report, outcome ok. Written by the model and not checked against the data" in text
    assert text.rstrip().endswith("```text\nA report.\n```")


def test_a_failed_text_is_named_as_such(outcome, configurations) -> None:
    made = outcome(configurations[0], 1, aborted=True)
    text = section(
        render_markdown(summarise_records(records_of(made))), "### Technical Report (LLM Generated)"
    )
    assert "Run 1, stage report, outcome aborted." in text


def test_call_tables(markdown) -> None:
    calls = section(markdown, "### LLM Call Metrics")
    assert "| 1 | analysis | 131.00 | 127.50 | 51 | 600.00 | ok | warm |" in calls
    assert "| 3 | report | 143.00 | – | – | 700.00 | aborted | unknown |" in calls
    warmups = section(markdown, "#### Warm-up Calls (in no aggregate)")
    assert warmups.count("| warmup |") == 3
    assert "| warmup |" not in calls.split("####")[0]


def test_missing_terms_of_sums_are_said(markdown) -> None:
    aggregates = section(markdown, "### Aggregate Metrics")
    assert "| Total Tokens Generated | 259 (1 of 6 calls not known) | 259 |" in aggregates


def test_excluded_in_configuration_and_overview(markdown) -> None:
    reason = "aborted: the stream ended without the final record"
    one = section(markdown, "## Chimera Agent Report: b_first (chimera)")
    assert f"- **Run 3 / report**: {reason}" in one
    assert "- **Run 4 / all**: no outcome: the run was planned" in one
    overview = section(markdown, "## Sweep Overview")
    assert f"| b_first | chimera | 3 | report | {reason} |" in overview
    assert (
        "| s0 | default | node-1, linux (x86_64) | Test CPU (8 logical) | RTX Test | ollama 0.12 |"
        in overview
    )
    assert "| 2 of 4 |" in overview


def test_the_rules_are_stated(markdown) -> None:
    rules = section(markdown, "## How to Read This")
    for part in (
        "**Validity rule**",
        "**Cold rule**",
        "lower quartile",
        "**Over runs**",
        "(n − 1)",
        "**TTFT**",
    ):
        assert part in rules


def test_unknown_cold_is_said(record) -> None:
    markdown = render_markdown(summarise_records([record(run=run, load_ms=None) for run in (1, 2, 3)]))
    assert "Cold or warm is unknown for every call (see the cold rule)." in markdown
    assert "| Warm TTFT, valid calls | – (n = 0) |" in markdown
    assert "the server reports no load time" in markdown


def test_a_sweep_without_any_record(manifest) -> None:
    markdown = render_markdown(summarise_sweep([], manifest()))
    assert "Nothing can be ranked: no configuration has a complete run with a throughput." in markdown
    assert markdown.count("No run of this configuration has any record.") == 4
    assert "0.00" not in markdown


def test_a_long_list_of_exclusions_is_cut_and_counted(record) -> None:
    markdown = render_markdown(summarise_records([record(run=run, outcome="timeout") for run in range(150)]))
    assert "… and 50 more: summary.json names them all." in markdown
