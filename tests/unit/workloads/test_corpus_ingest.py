"""Ingest on the shared corpus: counts and first paths as the seed reports print them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.corpus import digest, discover
from tests.support.present import present
from worker.workloads.agent.digest import CHARS_PER_TOKEN, table_digest
from worker.workloads.agent.ingest import Ingested, ingest

SHARED = Path(__file__).resolve().parents[4] / "shared"
LATEST = re.compile(r"Latest modified: .*")


@pytest.fixture(scope="module")
def corpus() -> Path:
    folder = SHARED / "corpus"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    return folder


@pytest.fixture(scope="module")
def ingested(corpus: Path) -> Ingested:
    return ingest(discover([corpus / "reports", corpus / "csv_data"]))


def seed_summary() -> str:
    seeds = sorted((SHARED / "seeds").glob("000*.txt"))
    if not seeds:
        pytest.skip(f"{SHARED / 'seeds'} holds no 000*.txt")
    text = seeds[0].read_text(encoding="utf-8").replace("\r\n", "\n")
    return present(re.search(r"### Data Summary\n```\n(.*?)\n```", text, re.DOTALL))[1]


def test_the_data_summary_is_the_seeds_but_for_the_times(ingested: Ingested) -> None:
    assert LATEST.sub("*", ingested.result.data_summary) == LATEST.sub("*", seed_summary())
    assert len(LATEST.findall(ingested.result.data_summary)) == 3


def test_counts_are_the_seeds(ingested: Ingested) -> None:
    assert ingested.result.files_total == 101
    assert ingested.result.counts == {"csv": 28, "json": 44, "md": 29}


def test_a_file_that_is_no_csv_is_named_and_counts(ingested: Ingested) -> None:
    assert ingested.result.unparsed == {"reports/profiling/ncu_summary.csv": "not text: holds NUL characters"}


def test_the_digest_of_what_was_read_is_the_producers(corpus: Path, ingested: Ingested) -> None:
    assert ingested.corpus_digest == digest(discover([corpus / "reports", corpus / "csv_data"]))


@pytest.mark.parametrize("tokens", [64, 300, 512, 5000, 100_000])
def test_the_table_digest_keeps_its_budget(ingested: Ingested, tokens: int) -> None:
    text = table_digest(ingested.tables, ingested.result.counts, tokens)
    assert text.startswith("Files: 101 = 28 CSV + 44 JSON + 29 Markdown\n")
    assert len(text) <= tokens * CHARS_PER_TOKEN
    assert ("more tables" in text) == (tokens <= 5000)
    if tokens > 64:
        assert "- tokens_s: n=36, mean=183.8, min=180.2, max=187.2" in text
