"""True sentences about a part of the files, and false ones about all: a true one is never contradicted."""

from __future__ import annotations

import pytest

from analysis.grounding import ground
from contracts.facts import Facts, FileFact

_FILES = {
    ("csv_data/baseline_results", "csv"): 4,
    ("csv_data/baselines/comprehensive_baseline", "json"): 15,
    ("reports/gemma3/gemma3_270m_param_tuning", "csv"): 9,
    ("reports/gemma3/gemma3_1b", "json"): 5,
    ("reports/llama3/llama3_baseline", "csv"): 5,
    ("reports/llama3/llama3_q4", "json"): 2,
    ("reports/llama3/llama3_notes", "md"): 22,
    ("reports/compilation/conv_bench", "json"): 8,
    ("reports/compilation/mlp_bench", "md"): 7,
    ("reports/quantization/quant", "csv"): 3,
    ("reports/quantization/quant", "json"): 1,
    ("reports/ollama/20251002-151824/run", "json"): 13,
    ("reports/ollama/20251002-151824/run", "csv"): 7,
}
FACTS = Facts(
    files_total=101,
    counts={"csv": 28, "json": 44, "md": 29},
    modified={},
    files=tuple(
        FileFact(path=f"{stem}_{i}.{kind}", kind=kind) for (stem, kind), n in _FILES.items() for i in range(n)
    ),
    dates=(),
    series=(),
)


def contradicted(text: str) -> list[str]:
    return [figure.figure for figure in ground(text, FACTS) if figure.verdict == "contradicted"]


def test_the_files_are_as_counted() -> None:
    for kind, n in FACTS.counts.items():
        assert sum(file.kind == kind for file in FACTS.files) == n


TRUE = [
    "There are 101 files in all: 28 CSV, 44 JSON and 29 Markdown.",
    "The dataset has 44 JSON files, 28 CSV files and 29 Markdown files.",
    "| Type | Count |\n|---|---|\n| CSV | 28 |\n| JSON | 44 |\n| Markdown | 29 |\n| Total | 101 |",
    "Of the 101 files, 19 are in csv_data and 82 in reports.",
    "About 28% of the files are CSV and 44% are JSON.",
    "JSON files make up 43.6% of the data, Markdown 28.7% and CSV 27.7%.",
    "There are 57 files that are not JSON.",
    "There are 72 CSV and JSON files together.",
    "The 72 structured files (CSV and JSON) outnumber the 29 Markdown files.",
    "JSON files outnumber CSV files by 16.",
    "JSON: 44, CSV: 28 (16 fewer), Markdown: 29.",
    "The gemma3 folder holds CSV files: 9 of the 28.",
    "Roughly 30 CSV files and nearly 45 JSON files were analysed; more than 100 files in total.",
    "I looked at 3 JSON files and 2 CSV files in detail.",
    "The CSV files were sampled: 5 CSV files were listed, 23 more were not.",
    "Of the 28 CSV files, 5 are baseline files. 2 of the JSON files are empty.",
    "Split each report into 2 CSV files and 1 JSON file for each run.",
    "**CSV Files (28)**: 5 baseline files shown, 23 others omitted.",
    "Each experiment produced 1 JSON file and 1 Markdown file.",
    "The compilation folder has 8 JSON files and 7 Markdown files.",
    "Files: 101 (JSON 44, MD 29, CSV 28)",
    "44/101 files are JSON. 28 out of 101 are CSV.",
    "The ratio of JSON to CSV is 44:28.",
    "Total: 101 files - 44 .json, 29 .md and 28 .csv.",
    "JSON files average 2.3 KB. Markdown files average 4 KB.",
    "Only 5 JSON files mention the GPU.",
    "JSON files (e.g. 3 baseline runs) contain metrics.",
    "The number of files grew from 1 JSON file to 44.",
    "Between 40 and 50 JSON files exist.",
    "JSON: 44 files, 12 of them in csv_data.",
    "Total files: 101, of which total JSON files: 44",
    "* JSON (44)\n* Markdown (29)\n* CSV (28)\n* Subfolders: 12",
    "The dataset spans 2025-09-28 to 2025-11-14.",
    "There are two dozen and 4 CSV files more than Markdown... no: 1 fewer CSV file than Markdown.",
    "Markdown has 1 more file than CSV.",
    "A minimum of 3 JSON files per experiment is recommended.",
    "At least 40 JSON files, at most 30 Markdown files, fewer than 30 CSV files.",
    "JSON files: 44 (43.6%)\nMarkdown files: 29 (28.7%)\nCSV files: 28 (27.7%)",
    "| File type | Files | Share |\n|---|---|---|\n| JSON | 44 | 43.6 % |\n| CSV | 28 | 28 % |",
    "| Directory | CSV | JSON | Markdown |\n|---|---|---|---|\n| csv_data | 4 | 15 | 0 |\n| reports | 24 | 29 | 29 |\n| Total | 28 | 44 | 29 |",
    "| Folder | Files |\n|---|---|\n| csv_data | 19 |\n| reports | 82 |",
    "csv_data: 19 files\nreports: 82 files",
    "## csv_data\n\n- CSV files: 4\n- JSON files: 15\n\n## reports\n\n- CSV files: 24\n- JSON files: 29\n- Markdown files: 29",
    "In csv_data there are 19 files: 4 CSV files and 15 JSON files.",
    "### Llama3\n- 5 CSV files\n- 2 JSON files",
    "Latest modified files are dated 2025-11-14.",
    "Analyzed 101 files (28 CSV, 44 JSON, 29 MD). 0 files failed.",
    "No. of JSON files: 44. Errors in JSON files: 0.",
    "JSON rows: 512; CSV columns: 8; CSV rows: 120.",
    "CSV: 12 columns on average. JSON: 7 keys.",
    "**JSON:** 44\n**CSV:** 28\n**Markdown:** 29\n**CSV columns:** 12",
    "JSON parse time: 12 ms. CSV load: 5 s.",
    "## Gemma3 results\n\nThe directory contains 9 CSV files and 5 JSON files.",
    "The reports folder:\n- JSON files: 30\n- CSV files: 24",
    "**csv_data/** – 14 JSON files, 4 CSV files",
    "| Folder | JSON files | CSV files |\n|---|---|---|\n| csv_data | 14 | 4 |",
    "| Model | JSON |\n|---|---|\n| gemma3 | 5 |",
    "In `reports/`: JSON (30), CSV (24), Markdown (29).",
    "csv_data: JSON (14), CSV (4).",
    "The csv_data directory (18 files: 14 JSON, 4 CSV) holds baselines.",
    "Two JSON files are listed per kind; 5 JSON files are shown and 39 more are omitted.",
    "The summary lists 5 CSV files, 5 JSON files and 5 Markdown files by name.",
    "The data summary shows 5 JSON files.",
    "Among these, 14 JSON files come from csv_data.",
    "14 JSON files are baseline results.",
    "We found 12 JSON files with timestamps in their names.",
    "No Markdown files: 0 in csv_data.",
    "As of October 2025 there were 44 JSON files.",
    "JSON files were modified between 2025-10-02 and 2025-10-08.",
    "The latest CSV file was modified 2025-11-14.",
    "Latest modified: 2025-11-14.",
    "Not 65 JSON files but 44.",
    "It was claimed that there are 65 JSON files; there are 44.",
    "CSV vs JSON: 28 vs 44",
    "CSV/JSON: 72",
    "If 10 JSON files were removed, 34 would remain.",
    "JSON: 2 groups, 44 files",
    "**JSON** – 3 kinds of benchmark: conv, mlp, transformer.",
    "JSON (3 levels deep)",
    "1. JSON: 44\n2. CSV: 28",
    "Top 3 CSV files by size:",
    "JSON files: 1.5 MB in total",
    "Of these files, 44 are JSON, 28 are CSV and 29 are Markdown.",
    "There are 44 (JSON), 28 (CSV), 29 (Markdown) files.",
    "JSON was used in 3 of 5 reports.",
    "3 JSON files failed to parse.",
    "5 CSV files contain GPU data",
    "The files include 5 CSV files on llama3.",
    "The compilation benchmarks comprise 8 JSON files.",
    "Quantization: 3 CSV files, 1 JSON file.",
    "## csv_data\n- JSON files: 14",
    "### Llama3\n- 5 CSV files",
    "The reports folder:\n- JSON files: 30",
    "In `reports/`: JSON (30), CSV (24)",
    "csv_data: JSON (14), CSV (4)",
    "**csv_data/** – 14 JSON files",
    "Quantization: 3 CSV files",
    "The csv_data directory (18 files: 14 JSON, 4 CSV)",
    "The compilation folder has 8 JSON files and 7 Markdown files",
    "The compilation benchmarks comprise 8 JSON files",
    "Only 5 JSON files mention the GPU",
    "3 JSON files failed to parse",
    "5 JSON files are shown and 39 more omitted",
    "14 JSON files are baseline results",
    "14 JSON files come from csv_data",
    "I looked at 3 JSON files",
    "The data summary shows 5 JSON files",
    "Between 40 and 50 JSON files",
    "28 out of 101 are CSV",
    "Errors in JSON files: 0",
    "Not 65 JSON files but 44",
    "grew from 1 JSON file to 44",
    "* **csv_data**\n  * JSON: 14\n  * CSV: 4",
    "**Llama3**\n\n- 5 CSV files",
    "## Folders\n### reports\n#### Files\n- JSON: 30",
    "3 CSV files and 2 JSON files failed",
    "5 JSON files (llama3)",
    "14 JSON files, all in csv_data",
    "14 of the 19 files are JSON",
    "csv_data is small. It has 14 JSON files.",
    "5 JSON files were added",
    "10 JSON files use the GPU",
    "4 CSV files hold the baselines",
    "JSON files in csv_data: 14",
    "JSON: 14 (csv_data)",
    "JSON: 14 in csv_data, 30 in reports",
    "From reports: 30 JSON files",
    "## csv_data\n\n| Type | Count |\n|---|---|\n| JSON | 14 |\n| CSV | 4 |",
    "### Files in reports/\n\nJSON: 30",
    "1 of 44 JSON files is empty",
    "csv_data has 14 JSON files, reports 30.",
    "5 JSON files and 3 CSV files are about llama3",
    "JSON (14 in csv_data, 30 in reports)",
    "- csv_data\n    - 14 JSON files",
    "Of the 44 JSON files, 30 JSON files are below reports",
]
"""Of a part, of something else, or right."""


@pytest.mark.parametrize("text", TRUE)
def test_a_true_sentence_is_not_contradicted(text: str) -> None:
    assert contradicted(text) == []


LIES = [
    ("There are 100 files in all.", ["100"]),
    ("The dataset has 45 JSON files.", ["45"]),
    ("The dataset comprises 65 JSON files, 26 Markdown files and 10 CSV files.", ["65", "26", "10"]),
    ("| Type | Count |\n|---|---|\n| CSV | 10 |\n| JSON | 65 |", ["10", "65"]),
    ("| CSV | JSON | Markdown |\n|---|---|---|\n| 10 | 65 | 26 |", ["10", "65", "26"]),
    ("65 of the 101 files are JSON.", ["65"]),
    ("A total of 150 files were analyzed.", ["150"]),
    ("We analysed 65 JSON, 26 Markdown, and 10 CSV files.", ["65", "26", "10"]),
    ("JSON files (65), Markdown files (26), and CSV files (10).", ["65", "26", "10"]),
    ("Json: 65\nMarkdown: 26\nCSV: 10", ["65", "26", "10"]),
    ("- 65 JSON files\n- 26 Markdown files\n- 10 CSV files", ["65", "26", "10"]),
    ("The number of JSON files is 65.", ["65"]),
    ("There are 10 .csv files and 65 .json files.", ["10", "65"]),
    ("Files analyzed: 99", ["99"]),
    ("File Count: 99 (65 JSON, 24 MD, 10 CSV)", ["99", "65", "24", "10"]),
    ("JSON = 65, CSV = 10, Markdown = 26", ["65", "10", "26"]),
    ("JSON – 65; CSV – 10; Markdown – 26", ["65", "10", "26"]),
    ("JSON files dominate with 65 files, followed by Markdown with 26 and CSV with 10.", ["26", "10"]),
    ("JSON accounts for 65 files, Markdown 26 and CSV 10.", ["26"]),
    ("JSON: 65 (64.4%), Markdown: 26 (25.7%), CSV: 10 (9.9%)", ["65", "26", "10"]),
    ("The corpus contains 65 JSON documents, 26 MD documents, and 10 CSVs.", ["65", "26", "10"]),
    ("Total number of files: 102.", ["102"]),
    ("28 Markdown files", ["28"]),
    ("Markdown (28 files)", ["28"]),
    ("Only 10 CSV files are present.", ["10"]),
    ("There are 101 JSON files.", ["101"]),
    ("**Total files analyzed:** 102 across CSV, JSON, and Markdown.", ["102"]),
    ("65 JSON files were found, 44 fewer than...", ["65"]),
]


@pytest.mark.parametrize(("text", "wrong"), LIES)
def test_a_false_count_of_all_is_contradicted(text: str, wrong: list[str]) -> None:
    assert contradicted(text) == wrong


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("## csv_data", "- JSON files: 14"),
        ("### Llama3", "- 5 CSV files"),
        ("The reports folder:", "- JSON files: 30"),
        ("* **csv_data**", "  * JSON: 14"),
        ("### Quantization", "| Type | Count |\n|---|---|\n| JSON | 14 |"),
    ],
)
def test_what_stands_above_narrows_a_count(place: str, text: str) -> None:
    assert contradicted(f"{place}\n{text}") == []
    assert len(contradicted(text)) == 1
    assert len(contradicted(f"{place}\n\n## All files\n\n{text}")) == 1


def test_a_part_is_not_contradicted_but_may_be_supported() -> None:
    (figure,) = ground("28 CSV files hold a header", FACTS)
    assert (figure.verdict, figure.truth) == ("supported", "28")


def test_a_row_of_kinds_counts_files_where_it_adds_up_to_all() -> None:
    table = "| CSV | JSON | Markdown |\n|---|---|---|\n| {} | {} | {} |"
    assert contradicted(table.format(10, 65, 26)) == ["10", "65", "26"]
    assert contradicted(table.format(12, 70, 31)) == []


def test_x_of_the_y_files_is_of_all_only_where_y_is() -> None:
    assert contradicted("65 of the 101 files are JSON.") == ["65"]
    assert contradicted("14 of the 19 files are JSON.") == []
    assert contradicted("28 out of 101 are CSV.") == []
