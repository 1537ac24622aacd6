"""What a text says of the files and of what was measured, and what is no figure."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from analysis.grounding import (
    Grounder,
    Measured,
    MeasuredValue,
    facts_of,
    ground,
    grounding_rate,
    measured_of_run,
    ungrounded_rate,
    verdicts_of,
)
from analysis.models import RunFigures
from analysis.models.grounding import Figure
from contracts.facts import Facts

MODIFIED = datetime(2025, 11, 14, 18, 53, 30, tzinfo=UTC)
JSON_TRUE, CSV_TRUE, MD_TRUE, ALL_TRUE = 4, 3, 2, 9


def write(root: Path, name: str, content: str, modified: datetime = MODIFIED) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    os.utime(path, (modified.timestamp(), modified.timestamp()))


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    root = tmp_path_factory.mktemp("data") / "bench"
    write(root, "gemma3/gemma3_baseline.csv", "prompt,ttft_s,tokens_s\na,2.326,101.04\nb,0.1251,102.78\n")
    write(root, "llama3/llama3_baseline.csv", "prompt,ttft_s,tokens_s\na,3.5,76.21\nb,0.25,77.07\n")
    write(
        root,
        "runs_20251002.csv",
        "num_ctx,temperature\n1024,0.4\n2048,0.8\n",
        datetime(2025, 10, 2, tzinfo=UTC),
    )
    write(root, "compile/conv.json", '{"jit": {"compile_time_s": 12.943}, "memory_mb": 512}')
    write(root, "compile/mlp.json", '{"jit": {"compile_time_s": 6.423, "mean_time_ms": 0.869}}')
    write(root, "plain.json", '{"at": "2025-10-08T17:20:51Z", "other": 14.59}')
    write(root, "broken.json", "{")
    write(root, "README.md", "# Nothing\n")
    write(root, "notes my.md", "| Model | Latency (ms) |\n|---|---|\n| q4 | **17.5** |\n| q8 | 21.5 ms |\n")
    return facts_of([root])


def verdicts(text: str, facts: Facts, measured: Measured | None = None) -> list[tuple[str, str]]:
    return [(figure.figure, figure.verdict) for figure in ground(text, facts, measured)]


def only(text: str, facts: Facts, measured: Measured | None = None) -> Figure:
    (figure,) = ground(text, facts, measured)
    return figure


def test_the_facts(facts: Facts) -> None:
    assert (facts.files_total, facts.counts) == (
        ALL_TRUE,
        {"csv": CSV_TRUE, "json": JSON_TRUE, "md": MD_TRUE},
    )
    assert facts.unread == 1
    assert facts.left_out == ("1 file(s) could not be read",)
    assert facts.modified["csv"].earliest == datetime(2025, 10, 2, tzinfo=UTC)
    assert facts.modified["all"].latest == MODIFIED
    assert not facts.modified_is_copy
    assert {known.day for known in facts.dates} == {date(2025, 10, 2), date(2025, 10, 8)}
    assert Facts.model_validate_json(facts.model_dump_json()) == facts


@pytest.mark.parametrize(
    "text",
    [
        "JSON ({})",
        "Primarily JSON ({}), and others",
        "- **JSON Files ({}):** much",
        "JSON: {}",
        "* JSON – {} files",
        "**JSON Files:** Dominate the data ({} files) and exhibit",
        "* **JSON Files:**  ({} files) average compilation time",
        "The dataset contains {} JSON files.",
        "There are {} JSON files in the dataset",
        "json_files: {}",
        '{{"json": {}}}',
        "number of JSON files is {}",
        "{} are JSON",
        "{} of which are JSON.",
        "{} individual JSON documents",
        "| Type | Number of Files | Time |\n|---|---|---|\n| JSON | {} | x |",
        "| Type | Note |\n|---|---|\n| JSON | {} files |",
        "| Metric | Value |\n|---|---|\n| JSON files | {} |",
        "| What | JSON | CSV |\n|---|---|---|\n| Files | {} | x |",
    ],
)
def test_a_count_of_a_kind(text: str, facts: Facts) -> None:
    true, false = only(text.format(JSON_TRUE), facts), only(text.format(65), facts)
    assert (true.kind, true.verdict, true.truth) == ("file_count", "supported", "4")
    assert (false.kind, false.verdict, false.truth, false.figure) == ("file_count", "contradicted", "4", "65")


@pytest.mark.parametrize(
    "text",
    [
        "Total files: {}",
        "Total Files analyzed: {}",
        "- Files analyzed: {}",
        "a dataset of benchmark files, totaling {}, generated",
        "This analysis examines a dataset of {} files, primarily related to benchmarking",
        "* **Dataset Size:** {} files",
        "A total of {} files were analyzed",
        "We analyzed {} files.",
        "{} files in total",
        "files: {}",
        "| Type | Count |\n|---|---|\n| Total | {} |",
        "| Metric | Value |\n|---|---|\n| Total files | {} |",
    ],
)
def test_the_total(text: str, facts: Facts) -> None:
    true, false = only(text.format(ALL_TRUE), facts), only(text.format(101), facts)
    assert (true.verdict, true.truth) == ("supported", "9")
    assert (false.verdict, false.truth) == ("contradicted", "9")


@pytest.mark.parametrize(
    "text",
    [
        "45 files",
        "**‘conv_mlp’ Files:** (45 files) - These files",
        "10 CSV files in bench/gemma3",
        "10 CSV files with baseline results",
        "gemma3 CSV files (10)",
        "5 of the JSON files",
        "the first 5 JSON files",
        "24 other JSON files",
        "65 JSON objects were parsed",
        "JSON takes 65 ms",
        "JSON (65%)",
        "JSON (6.5)",
        "JSON and CSV 65",
        "65 JSON/CSV files",
        "Latency by format: JSON: 65",
        "You should keep 10 CSV files",
        "Each run reads 5 JSON files",
        "JSON files have an average of 65 rows",
        "| Run | JSON |\n|---|---|\n| 1 | 65 |",
        "| Format | Latency |\n|---|---|\n| JSON | 65 |",
        "60 days of files",
        "JSON files make up 80% of the dataset",
    ],
)
def test_other_counts_are_never_contradicted(text: str, facts: Facts) -> None:
    assert "contradicted" not in {verdict for _, verdict in verdicts(text, facts)}
    assert verdicts(text, facts)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("over 3 JSON files", "supported"),
        ("at least 4 JSON files", "supported"),
        ("more than 40 JSON files", "contradicted"),
        ("fewer than 10 JSON files", "supported"),
        ("up to 3 JSON files", "contradicted"),
        ("approximately 10 files were analyzed", "not_found"),
        ("about 4 JSON files", "supported"),
        ("about 40 JSON files", "contradicted"),
        ("44% of the files are good", "not_found"),
        ("JSON files make up 44.4% of all files", "supported"),
        ("JSON files make up 60% of all files", "contradicted"),
    ],
)
def test_bounds_and_shares(text: str, verdict: str, facts: Facts) -> None:
    assert only(text, facts).verdict == verdict


@pytest.mark.parametrize(
    "text",
    [
        "1. First\n2) Second\n   10. Tenth",
        "### 3. Performance\n## 4 Findings\n**5. Bold:**\n2.1 Overview",
        "Table 1: Times. See Figure 2, Section 3.1 and Step 4",
        "**Version:** 1.0 and v2.3.4 of Python 3.11",
        "gemma3:latest 1b 270m gemma3_1b-it-qat Q4_K_M int8 F1-Score p95 GPT-4 RTX 4080 Gemma 3 8-bit",
        "13ecf150683523e4 550e8400-e29b-41d4-a716-446655440000 192.168.1.10",
        "the 3rd run, Run 2, #5, [1], 24/7, don&#8217;t",
        "https://example.org/2025/11/a_20.json?n=5",
        "`[ModelSize]_[ModelType]_[Date]_[ExperimentNumber].csv/json/md`, *.csv, <name>_x.json, {id}.md",
        "```python\nfor i in range(10): print(44)\n```",
        "| Run | Stage |\n|---|---|\n| 1 | analysis |",
        "may be, march on, Friday",
        "",
    ],
)
def test_structure_and_names_are_no_figures(text: str, facts: Facts) -> None:
    assert ground(text, facts) == ()


def test_an_unclosed_fence_hides_nothing(facts: Facts) -> None:
    assert verdicts("```python\nJSON files: 65", facts) == [("65", "contradicted")]
    assert verdicts("```\nJSON files: 65\n```", facts) == [("65", "contradicted")]


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("1,234,567 and 12.5ms, 30s, 50%, 2x, 10k", ["1,234,567", "12.5", "30", "50", "2", "10"]),
        ("-5 or −6 or 300-400 or 5–10 or 1e-3 or .5", ["-5", "−6", "300", "400", "5", "10", "1e-3", ".5"]),
        ("**65** `66` “67” ‘68’ *69* _70_ ~71~", ["65", "66", "67", "68", "69", "70", "71"]),
        ("a 60-day, 30-second run; 101个文件", ["60", "30", "101"]),
        ("x_20251002-170837.json at 2025-10-02", ["x_20251002-170837.json", "2025-10-02"]),
        ("(12.8), [13.5]; |14.5|", ["12.8", "13.5", "14.5"]),
    ],
)
def test_numbers_as_written(text: str, figures: list[str], facts: Facts) -> None:
    assert [figure for figure, _ in verdicts(text, facts)] == figures


@pytest.mark.parametrize(
    "text",
    [
        "The tokens_s column of gemma3_baseline.csv has a mean of 101.91.",
        "gemma3 throughput averaged 101.91 tok/s",
        "gemma3 baseline TTFT was 2326 ms",
        "The maximum ttft_s of llama3 is 3.5",
        "An average compilation time of 9.68 s across all files",
        "conv: compile_time_s = 12.94",
        "| Model | TTFT (ms) |\n|---|---|\n| gemma3 baseline | 125.1 |",
        "The latency of q8 is 21.5 ms",
        "memory of 0.51 GB in conv",
        "num_ctx=2048",
        "temperature of 0.8",
        "runs_20251002.csv has 2 rows",
        "In gemma3_baseline.csv, the maximum tokens_s is 102.78",
        "102.78 is the maximum of tokens_s in gemma3_baseline.csv",
        "| File | Max tokens_s |\n|---|---|\n| gemma3_baseline.csv | 102.78 |",
    ],
)
def test_a_number_under_its_label(text: str, facts: Facts) -> None:
    assert [v for f, v in verdicts(text, facts) if f[0].isdigit()] == ["supported"]


@pytest.mark.parametrize(
    "text",
    [
        "Average compilation time: 14.59 seconds",  # stands in the data under another label
        "Average compilation time: 12.943 seconds",  # is a value, not the mean
        "Compilation time: 12.943 ms",  # in seconds
        "Inference latency is 12.943 s",
        "llama3 throughput was 101.04 tok/s",  # gemma3's
        "Compilation time: 13 days",
        "Compilation time: 10 s",  # rounded too coarsely
        "Execution time: 0.869 ms",
        "0 tok/s",
        "In llama3_baseline.csv, the maximum tokens_s is 102.78",
        "In none.csv, the maximum tokens_s is 102.78",
        "the file has 2 rows",
        "Accuracy 0.85",
        "500 QPS",
    ],
)
def test_a_coincidence_is_no_support(text: str, facts: Facts) -> None:
    assert [v for f, v in verdicts(text, facts) if f[0].isdigit()] == ["not_found"]


def test_a_label_that_follows_belongs_to_the_number_before(facts: Facts) -> None:
    text = "gemma3_baseline.csv ({} rows, {} columns)"
    assert [v for _, v in verdicts(text.format(2, 3), facts)] == ["supported"] * 3
    assert [v for _, v in verdicts(text.format(3, 2), facts)] == ["supported", "not_found", "not_found"]


def test_dates(facts: Facts) -> None:
    text = (
        "2025-10-02, October 8, 2025, 8th of October 2025, 8 Oct 2025, 10/08/2025, 20251008, October 2025, Q4 2025, "
        "2025年10月8日; 2024-10-02, December 2025, October 9, 2025, 2025-13-45"
    )
    found = verdicts(text, facts)
    assert [verdict for _, verdict in found[:9]] == ["supported"] * 9
    assert [v for _, v in found[9:12]] == ["not_found"] * 3


def test_the_latest_modification(facts: Facts) -> None:
    good = "the most recent files modified on November 14th, 2025"
    assert only(good, facts).verdict == "supported"
    bad = only("Latest modified: 2025-12-01", facts)
    assert (bad.kind, bad.verdict, bad.truth) == ("date", "contradicted", "2025-11-14 18:53:30 UTC")
    assert only("Latest modified: 2025-11-14 18:53:30 UTC", facts).verdict == "supported"
    assert only("Latest modified: 2025-11-14 18:53:31 UTC", facts).verdict == "contradicted"
    assert only("earliest modified file: 2025-10-02", facts).verdict == "supported"
    for harmless in (
        "Last modified: 2025-12-01",
        "files modified first between 2025-10-01 and later",
        "Updated 2025-12-01",
    ):
        assert only(harmless, facts).verdict == "not_found"
    assert only("The last file was modified at 2025-10-08 17:20", facts).verdict == "contradicted"
    assert only("Measured at 2025-10-08 17:20:51", facts).verdict == "supported"
    assert only("Released on 2025-12-01", facts).verdict == "not_found"
    assert only("**Date:** November 26, 2025", facts).verdict == "not_found"


def test_times_of_a_copy_contradict_nothing(tmp_path: Path) -> None:
    for name in ("a_20251002.csv", "b_20251003.csv"):
        write(tmp_path, name, "x\n1\n", datetime(2026, 11, 22, tzinfo=UTC))
    facts = facts_of([tmp_path])
    assert facts.modified_is_copy
    assert only("Latest modified: 2025-11-14", facts).verdict == "not_found"
    assert only("Latest modified: 2026-11-22", facts).verdict == "supported"


def test_file_names(facts: Facts) -> None:
    text = (
        "bench/gemma3/gemma3_baseline.csv, gemma3_baseline.csv, gemma3\\gemma3_baseline.csv, readme.md, **README.md**; "
        "notes my.md; 文件README.md; gemma3_1b穌_v2.json, wrong/README.md and none.csv"
    )
    found = verdicts(text, facts)
    assert [verdict for _, verdict in found] == ["supported"] * 7 + ["not_found"] * 3
    assert [name for name, _ in found[5:8]] == ["notes my.md", "README.md", "gemma3_1b穌_v2.json"]
    assert only("README.md", facts).truth == "bench/README.md"


def test_what_the_data_summary_leaves_out(facts: Facts) -> None:
    text = "CSV Files (3)\n  - gemma3_baseline.csv\n  ... and {} more\n  Latest modified: 2025-11-14 18:53:30 UTC"
    assert [v for _, v in verdicts(text.format(2), facts)] == ["supported"] * 4
    assert [v for _, v in verdicts(text.format(7), facts)] == [
        "supported",
        "supported",
        "not_found",
        "supported",
    ]


MEASURED = Measured(
    values=(
        MeasuredValue(label="Average Throughput", value=96.694, unit="tok/s"),
        MeasuredValue(label="TTFT", value=1259.81, unit="ms"),
        MeasuredValue(label="Runs", value=3),
    ),
    parameters={"num_ctx": 1024, "temperature": 0.6},
    dates=(date(2025, 11, 14),),
)


@pytest.mark.parametrize(
    ("text", "verdict", "truth"),
    [
        ("Configuration: num_ctx=1024", "supported", "num_ctx = 1024"),
        ("Configuration: num_ctx=4096", "contradicted", "1024"),
        ("**Configuration:** temp=0.6", "supported", "temperature = 0.6"),
        ("Try num_ctx=4096", "not_found", None),
        ("| Metric | Value |\n|---|---|\n| Average Throughput | 96.69 tok/s |", "supported", None),
        (
            "| Metric | Value |\n|---|---|\n| Average Throughput | 99.99 tok/s |",
            "contradicted",
            "96.694 tok/s",
        ),
        ("The TTFT was 1.26 s", "supported", None),
        ("The TTFT was 1.50 s", "not_found", None),
        ("- TTFT: 1300.00 ms", "contradicted", "1259.81 ms"),
        ("**Date:** 2025-11-14", "supported", "measured on 2025-11-14"),
        ("**Date:** November 26, 2025", "contradicted", "2025-11-14"),
        ("**Date:** 2025-10-08", "not_found", None),
        ("- **Runs**: 3", "supported", "measured: Runs 3"),
        ("- **Runs**: 4", "contradicted", "3"),
        ("It took 3 attempts", "not_found", None),
    ],
)
def test_what_was_measured(text: str, verdict: str, truth: str | None, facts: Facts) -> None:
    figure = only(text, facts, MEASURED)
    assert figure.verdict == verdict
    assert truth is None or figure.truth == truth


def test_without_measured_results_the_own_configuration_is_not_found(facts: Facts) -> None:
    assert only("**Configuration:** num_ctx=1024", facts).verdict == "not_found"


def test_measured_of_a_run() -> None:
    figures = RunFigures(
        run=1, complete=True, calls=1, valid_calls=1, throughput_tok_s=116.0, ttft_ms=None, tokens=100
    )
    measured = measured_of_run(figures, {"num_ctx": 1024}, runs=3)
    assert [(v.label, v.value, v.unit) for v in measured.values] == [
        ("Throughput", 116.0, "tok/s"),
        ("Tokens Generated", 100, None),
        ("Runs", 3, None),
    ]
    assert measured.dates == ()


def test_rates(facts: Facts) -> None:
    text = verdicts_of(ground("JSON (4), CSV (10), 45 files", facts))
    none = verdicts_of(())
    rate = grounding_rate([text, none])
    assert (rate.texts, rate.figures, rate.supported, rate.contradicted, rate.not_found) == (2, 3, 1, 1, 1)
    assert ungrounded_rate([text, none]) == pytest.approx(2 / 3)
    assert ungrounded_rate([none]) is None


def test_one_grounder_for_many(facts: Facts) -> None:
    grounder = Grounder(facts)
    text = "Configuration: num_ctx=4096"
    assert [grounder.with_measured(m).ground(text)[0].verdict for m in (None, MEASURED, None)] == [
        "not_found",
        "contradicted",
        "not_found",
    ]


def test_a_json_answer_is_read_by_its_lines(facts: Facts) -> None:
    text = '{"analysis": "Files:\\n1. One\\nJSON (65)\\nCSV files: 3\\n", "findings": ["\\u2018conv\\u2019 has 4 JSON files"]}'
    figures = ground(text, facts)
    assert [(f.figure, f.verdict) for f in figures] == [
        ("65", "contradicted"),
        ("3", "supported"),
        ("4", "supported"),
    ]
    assert all(text[figure.start : figure.end] == figure.figure for figure in figures)
