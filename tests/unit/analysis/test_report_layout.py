"""The report of a sweep of our own: the first seed's layout, section by section."""

from __future__ import annotations

import re
from typing import Any

import pytest

from analysis.models import Figure, GroundingRate, SweepSummary, TextGrounding
from analysis.rendering import render_markdown
from analysis.rendering.layout import configuration_report
from analysis.rendering.markdown import render_document
from analysis.summary import summarise_records, summarise_sweep
from contracts.configuration import Configuration
from contracts.records import records_of
from contracts.sweep import RunsSpec
from tests.support.factories import ManifestFactory, OutcomeFactory, RecordFactory
from tests.support.present import present
from tests.support.synthetic import Shape, demo, synthetic


@pytest.fixture
def markdown(
    outcome: OutcomeFactory, manifest: ManifestFactory, configurations: tuple[Configuration, ...]
) -> str:
    outcomes = [outcome(c, run, aborted=run == 3) for c in configurations for run in (1, 2, 3)]
    records = [record for made in outcomes for record in records_of(made)]
    return render_markdown(summarise_records(records, manifest(runs=4)))


def section(markdown: str, heading: str) -> str:
    """The first section with this heading, up to the next heading that is not below it."""
    level = heading.index(" ")
    body = markdown.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{level}}} ", body, maxsplit=1)[0]


def test_sections_in_the_seeds_order(markdown: str) -> None:
    one = section(markdown, "## Chimera Agent Report: b_first (chimera)")
    assert re.findall(r"^### (.*)$", one, re.MULTILINE) == [
        *("Configuration", "Aggregate Metrics", "Excluded", "Workflow Summary"),
        *("Technical Report (LLM Generated)", "LLM Call Metrics", "Statistical Summary"),
        *("Statistics over Runs", "Telemetry"),
    ]
    assert re.findall(r"^## (.*)$", markdown, re.MULTILINE) == [
        *(
            "Sweep Overview",
            "Comparisons with the Baseline",
            "Effects",
            "Charts",
            "Conditions of Measurement",
        ),
        *("Provenance", "Chimera Agent Report: b_first (chimera)"),
        *("Chimera Agent Report: a_second (chimera)", "How to Read This"),
    ]
    overview = section(markdown, "## Sweep Overview")
    assert re.findall(r"^### (.*)$", overview, re.MULTILINE) == [
        *("Key Findings", "Recommendations", "Configurations", "The Sweep", "Outcome Rates", "Excluded"),
        "Slots, Hosts and Servers",
    ]


def test_header_and_configuration(markdown: str) -> None:
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


def test_workflow_of_the_last_run_with_a_valid_report(markdown: str) -> None:
    workflow = section(markdown, "### Workflow Summary")
    assert "Of run 2: the last complete run." in workflow
    assert "- Files analyzed: 3\n" in workflow
    assert "- Execution time: 1.33s (ingest 0.03s | analysis 0.60s | report 0.70s)\n" in workflow
    assert "#### Data Summary\n\n```text\nTotal files analyzed: 3\n```" in workflow
    assert "\n- Finding one\n" in workflow
    assert workflow.rstrip().endswith("#### Recommendations\n\n- None captured")


def test_the_models_text_is_marked_and_fenced(markdown: str) -> None:
    text = section(markdown, "### Technical Report (LLM Generated)")
    assert "Run 2, stage report, outcome ok. Written by the model and not checked against the data" in text
    assert text.rstrip().endswith("```text\nA report.\n```")


def test_a_failed_text_is_named_as_such(
    outcome: OutcomeFactory, configurations: tuple[Configuration, ...]
) -> None:
    made = outcome(configurations[0], 1, aborted=True)
    text = section(
        render_markdown(summarise_records(records_of(made))), "### Technical Report (LLM Generated)"
    )
    assert "Run 1, stage report, outcome aborted." in text


def test_call_tables(markdown: str) -> None:
    calls = section(markdown, "### LLM Call Metrics")
    assert "| 1 | analysis | 131.00 | 127.50 | 51 | 600.00 | ok | warm |" in calls
    assert "| 3 | report | 143.00 | – | – | 700.00 | aborted | unknown |" in calls
    warmups = section(markdown, "#### Warm-up Calls (in no aggregate)")
    assert warmups.count("| warmup |") == 3
    assert "| warmup |" not in calls.split("####")[0]


def test_missing_terms_of_sums_are_said(markdown: str) -> None:
    aggregates = section(markdown, "### Aggregate Metrics")
    assert "| Total Tokens Generated | 259 (1 of 6 calls not known) | 259 |" in aggregates


def test_excluded_in_configuration_and_overview(markdown: str) -> None:
    reason = "aborted: the stream ended without the final record"
    one = section(markdown, "## Chimera Agent Report: b_first (chimera)")
    assert f"- **Run 3 / report**: {reason}" in one
    assert "- **Run 4 / all**: no outcome: the run was planned" in one
    overview = section(markdown, "## Sweep Overview")
    assert f"| b_first | chimera | 1 | 3 | report | {reason} |" in overview
    assert (
        "| s0 | default | node-1, linux (x86_64) | Test CPU (8 logical) | RTX Test | ollama 0.12 |"
        in overview
    )
    assert "| 2 of 4 |" in overview


def test_the_rules_are_stated(markdown: str) -> None:
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


def test_unknown_cold_is_said(record: RecordFactory) -> None:
    markdown = render_markdown(summarise_records([record(run=run, load_ms=None) for run in (1, 2, 3)]))
    assert "Cold or warm is unknown for every call (see the cold rule)." in markdown
    assert "| Warm TTFT, valid calls | – (n = 0) |" in markdown
    assert "the server reports no load time" in markdown


def test_a_sweep_without_any_record(manifest: ManifestFactory) -> None:
    markdown = render_markdown(summarise_sweep([], manifest()))
    assert "Nothing can be ranked: no configuration has a complete run with a throughput." in markdown
    assert markdown.count("No run of this configuration has any record.") == 4
    assert "0.00" not in markdown


def test_a_long_list_of_exclusions_is_cut_and_counted(record: RecordFactory) -> None:
    late = [record(run=run, outcome="timeout", reason=f"late by {run} s") for run in range(150)]
    assert "… and 50 more rows: stages.jsonl holds every call." in render_markdown(summarise_records(late))


def test_one_reason_of_many_calls_is_one_row(record: RecordFactory) -> None:
    runs = (1, 2, 4, 5, 6, 9)
    made = render_markdown(
        summarise_records([record(run=run, outcome="timeout", reason="late") for run in runs])
    )
    (row,) = rows(made, "### Excluded")[1:]
    assert row[2:] == ["6", "1, 2, 4 to 6, 9", "analysis", "timeout: late"]


@pytest.fixture(scope="module")
def planted() -> SweepSummary:
    """num_gpu 80 is 12 % faster, slot gpu-7 6 % slower; one run aborted, one suspect."""
    return demo().summary()


@pytest.fixture(scope="module")
def rich(planted: SweepSummary) -> str:
    return render_markdown(planted)


def rows(markdown: str, heading: str) -> list[list[str]]:
    """Cells of the first table below the heading, its header first."""
    first = section(markdown, heading).split("\n| ", 1)[1].split("\n\n", 1)[0]
    lines = f"| {first}".splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "---" not in line]


def test_the_answer_comes_first(rich: str) -> None:
    found = section(rich, "### Key Findings")
    assert re.findall(r"^#### (.*)$", found, re.MULTILINE) == [
        *("Best Configurations", "What Matters", "What to Distrust"),
    ]
    best = section(rich, "#### Best Configurations")
    assert "has the highest mean throughput; no difference is shown between it and" in best
    assert re.search(r"shown between it and num_gpu=80\S+ and 2 more \(n = 7 to 8 runs", best)
    header, first, *others = rows(rich, "#### Best Configurations")
    assert header[:3] == ["Metric", "Best mean", "Mean, 95 % interval"]
    assert first[0] == "Throughput" and first[-1] == "better" and first[4].startswith("+1")
    assert [row[0] for row in others] == ["TTFT", "Energy per token"]
    assert "Throughput: num_gpu explains" in section(rich, "#### What Matters")
    distrust = section(rich, "#### What to Distrust")
    assert "- **Warning, Slot gpu-7 is slow**: Slot gpu-7 is" in distrust
    assert "- **Slot gpu-7 is slow**: Look at gpu-7's clocks" in section(rich, "### Recommendations")


def test_nothing_is_said_twice(planted: SweepSummary, rich: str) -> None:
    for finding in planted.findings:
        if finding.rule.startswith("best:") and finding.rule != "best:throughput":
            continue  # in a table
        text = finding.text[:60].replace("<", "&lt;").replace("*", "\\*")
        assert section(rich, "## Sweep Overview").lower().count(text.lower()) == 1, finding.rule
    advice = section(rich, "### Recommendations").splitlines()
    assert len(advice) == len(set(advice)) or advice.count("") > 0


def test_the_table_of_configurations(rich: str) -> None:
    header, *body = rows(rich, "### Configurations")
    assert [title for title in header if not title.startswith("Figures not grounded")] == [
        *("Rank", "Configuration", "Throughput (tok/s)", "CV", "TTFT (ms)", "Energy per token (J)"),
        *("Throughput against the baseline", "Verdict", "Throughput against the first"),
        *("num_gpu", "num_ctx", "temperature", "Runs complete", "Calls by outcome"),
    ]
    assert [row[0] for row in body] == [str(rank) for rank in range(1, 9)]
    assert all(re.match(r"[\d.]+ (± [\d.]+|\([\d.]+ to [\d.]+\))$", row[2]) for row in body)
    baseline = next(row for row in body if row[1] == "num_gpu=40,num_ctx=1024,temperature=0.2")
    assert "baseline" in baseline
    against = header.index("Throughput against the first")
    assert {row[against].split(",")[0] for row in body} == {"first", "no difference shown", "slower"}


def test_every_comparison_has_interval_p_verdict_and_what_could_be_shown(
    rich: str, planted: SweepSummary
) -> None:
    assert "Baseline: num_gpu=40,num_ctx=1024,temperature=0.2. " in rich
    text = section(rich, "## Comparisons with the Baseline")
    tables = [line for line in text.splitlines() if line.startswith("| num_gpu")]
    assert len(tables) == len(planted.comparisons)
    faster = next(line for line in tables if "num_gpu=80,num_ctx=1024,temperature=0.8 | Throughput" in line)
    assert re.search(r"\+1\d\.\d % \([\d.]+ to [\d.]+\) \| &lt; 0.001 \| better \| [\d.]+ % \|", faster)


def test_effects_of_axes_slots_and_time(rich: str) -> None:
    header, *body = rows(rich, "### Main Effects: Throughput")
    assert header[:2] == ["What", "Share of the variance"]
    assert body[0][0] == "num_gpu" and body[0][3] == "&lt; 0.001"
    names = [row[0] for row in body]
    assert "num_ctx" in names and "num_gpu × temperature" in names and "noise between runs" in names
    slots = [row for row in rows(rich, "### Slots") if row[0] == "Throughput"]
    assert [row[-1] for row in slots if row[3] == "gpu-7"] == ["outlying"]
    assert "drift shown" in section(rich, "### Drift over Time")


def test_stages_over_runs(rich: str) -> None:
    one = section(rich, "## Chimera Agent Report: num_gpu=40,num_ctx=1024,temperature=0.2 (chimera)")
    figures = rows("\n" + one, "### Statistics over Runs")
    assert figures[0] == [
        *("Figure", "n", "Mean", "95 % interval", "sd", "CV", "Median", "95 % interval of it", "IQR"),
        *("Min", "Max"),
    ]
    names = [row[0] for row in figures[1:3]]
    assert names == ["Throughput, Σ tokens / Σ eval time (tok/s)", "Throughput, mean of rates (tok/s)"]
    assert "Ratio of sums" in one
    assert "Runs: 8 planned, 7 with a valid call, excluded: suspect 1." in one
    assert re.search(r"p99 takes [\d,]+ runs, [\d,]+ more than there are", one)


def test_one_run_has_neither_sd_nor_cv() -> None:
    markdown = render_markdown(synthetic(runs=1, shape=Shape(cold_first=False)).summary())
    row = rows(markdown, "### Statistics over Runs")[1]
    assert row[1] == "1" and row[4:6] == ["one run", "one run"] and row[3] == "–"


def test_the_models_words_are_marked_and_stand_below(rich: str) -> None:
    assert rich.index("### Key Findings") < rich.index("The model's words, not Chimera's findings:")


def test_a_configuration_alone_has_its_findings_and_origin(planted: SweepSummary) -> None:
    c = planted.configurations[0]
    made = render_document(configuration_report(c, planted))
    assert made.startswith("# Chimera Agent Report: num_gpu=40,num_ctx=1024,temperature=0.2 (chimera)\n")
    assert "- **Suspect calls**: 1 of 128 calls is suspect and left out" in section(made, "## Key Findings")
    assert "\n## Provenance\n" in made


def test_figures_of_a_text_are_marked_with_the_truth(planted: SweepSummary) -> None:
    c = planted.configurations[0]
    text = present(c.shown).text
    start = present(text).index("4 files")
    figure = Figure(
        **{"figure": "4 files", "kind": "file_count", "context": "4 files were read", "truth": "3"},
        **{"verdict": "contradicted", "start": start, "end": start + 7},
    )
    grounded = c.model_copy(
        update={
            "groundings": (
                TextGrounding(run=present(c.shown).run, stage=present(c.shown).text_stage, figures=(figure,)),
            ),
            "grounding": GroundingRate(texts=8, figures=24, supported=8, contradicted=8, not_found=8),
        }
    )
    made = render_document(configuration_report(grounded, planted))
    assert "1 figure checked against the data: 0 supported, 1 contradicted, 0 not found" in made
    body = section(made, "## Grounding")
    assert "24 figures in 8 texts: 8 supported (33.3 %), 8 contradicted (33.3 %)" in body
    assert "| 4 files | file count | contradicted | 3 | 4 files were read |" in body


def test_how_long_it_ran_until_precise(planted: SweepSummary) -> None:
    until = RunsSpec(min=3, max=30, until={"throughput": 0.01, "ttft": 0.05})
    summary = planted.model_copy(update={"runs_until": until, "ended_because": "all are precise"})
    made = render_markdown(summary)
    assert "**Runs planned:** 3 to 30 per configuration, until throughput ± 1 %, ttft ± 5 %  " in made
    assert "**Ended because:** all are precise  " in made


def test_a_complete_run_is_shown_rather_than_a_later_one() -> None:
    def cut(given: dict[str, Any]) -> dict[str, Any]:
        hit = (given["stage"], given["run"]) == ("analysis", 3)
        return given | ({"outcome": "timeout", "reason": "late"} if hit else {})

    for c in synthetic(runs=3, shape=Shape(cold_first=False, change=cut)).summary().configurations:
        assert (present(c.shown).run, present(c.shown).why) == (2, "the last complete run")


def test_comparisons_not_made_for_one_reason_are_one_sentence(planted: SweepSummary) -> None:
    lost = {"verdict": "not compared", "why": "no figure"}
    first, second, *others = planted.comparisons
    summary = planted.model_copy(
        update={"comparisons": (first.model_copy(update=lost), second.model_copy(update=lost), *others)}
    )
    text = section(render_markdown(summary), "## Comparisons with the Baseline")
    assert "Not compared (2): " in text and text.count("no figure") == 1
