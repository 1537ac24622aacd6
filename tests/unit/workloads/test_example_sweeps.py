"""The examples that the README names load, and their files are there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from contracts.corpus import discover, resolve_roots
from contracts.sweep import SweepSpec
from contracts.workloads import CorpusWorkload
from worker.workloads.agent.digest import table_digest
from worker.workloads.agent.ingest import ingest
from worker.workloads.agent.prompts import load_prompts

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.mark.parametrize("name", sorted(str(p.relative_to(EXAMPLES)) for p in EXAMPLES.rglob("*.yaml")))
def test_an_example_loads_and_its_files_parse(name: str) -> None:
    path = EXAMPLES / name
    spec = SweepSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    if not isinstance(spec.workload, CorpusWorkload):
        return
    got = ingest(discover(resolve_roots(spec.workload.paths, path.parent)))
    assert all(got.result.counts.values())
    assert got.result.unparsed == {}


def test_the_quickstarts_prompt_is_short() -> None:
    spec = SweepSpec.model_validate(
        yaml.safe_load((EXAMPLES / "quickstart.yaml").read_text(encoding="utf-8"))
    )
    assert isinstance(spec.workload, CorpusWorkload)
    got = ingest(discover(resolve_roots(spec.workload.paths, EXAMPLES)))
    digest = table_digest(got.tables, got.result.counts, spec.workload.digest_tokens)
    # gemma3 counts 593 tokens for it; its tokenizer is not here, so the characters stand for them
    assert len(load_prompts().analysis(digest)) < 1500
