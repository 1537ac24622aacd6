"""What every artefact carries."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.compare import Result
from analysis.models import SweepSummary
from analysis.provenance import Provenance, provenance, provenance_of_records, spec_hash
from analysis.rendering import render_json
from analysis.rendering.document import Document, Lines
from analysis.rendering.layout.provenance import configuration_provenance, provenance_section
from analysis.rendering.markdown import render_document
from producer.cli import cli
from producer.manifest import make_manifest
from producer.plan import make_plan
from producer.sweep_file import load
from tests.support.factories import RecordFactory
from tests.support.present import present
from tests.support.sweeps import write_sweep
from tests.support.synthetic import Shape, synthetic


def lines_of(block: Lines) -> dict[str, str]:
    return dict(block.pairs)


def test_a_summary_and_its_records_tell_the_same() -> None:
    made = synthetic(runs=3, shape=Shape(slots={"s0": 1.0, "s1": 1.0}))
    of_records = provenance_of_records(made.records, made.manifest)
    summary = made.summary()
    of_summary = provenance(summary)
    told = {"reproduce": of_records.reproduce}  # a summary knows what its figures rest on, records don't
    assert of_summary.model_copy(update=told) == of_records
    assert of_summary.spec_hash == spec_hash(made.manifest)
    assert spec_hash(made.manifest) != spec_hash(synthetic(runs=4).manifest)
    assert spec_hash(None) is None


def test_the_summary_carries_its_spec_hash_and_provenance_and_reads_back() -> None:
    summary = synthetic(runs=3).summary()
    text = render_json(summary)
    told = json.loads(text)
    assert told["spec_hash"] and told["provenance"]["spec_hash"] == told["spec_hash"]
    assert SweepSummary.model_validate_json(text) == summary
    assert Provenance.model_validate(told["provenance"]) == provenance(summary)
    assert f"content hash {told['spec_hash']}" in render_document(
        Document("x", (provenance_section(provenance(summary)),))
    )


@pytest.mark.parametrize("ranking", ["clean-first", "speed"])
@pytest.mark.parametrize("sd", ["sample", "population"])
def test_the_command_of_the_same_figures_says_what_they_rest_on(ranking: str, sd: str) -> None:
    made = synthetic({"model": ("-m 'x'; echo", "m:2")}, runs=2)
    name = made.manifest.configurations[0].name
    summary = made.summary(ranking=ranking, baseline=name, sd=sd)
    (command,) = [line for line in provenance(summary).reproduce if line.startswith("chimera report")]
    words = shlex.split(command)
    assert f"--baseline={name}" in words and words[words.index("--ranking") + 1] == ranking
    assert ("--sd" in words) == (sd == "population")
    parsed = dict(cli.commands["report"].make_context("report", words[2:]).params)
    again = made.summary(ranking=parsed["ranking"], baseline=parsed["baseline"], sd=parsed["sd"])
    assert again == summary


def test_all_that_identifies_a_result() -> None:
    made = synthetic(runs=3, shape=Shape(slots={"s0": 1.0, "s1": 1.0}))
    found = provenance(made.summary())
    assert found.sweep_id == made.manifest.sweep_id and found.corpus_digest == "0" * 16
    assert found.code == "0.1.0" and found.git_commit == made.manifest.git_commit
    assert [(m.name, m.digests, m.quantisations) for m in found.models] == [("m:1", ("abc",), ("Q4_K_M",))]
    assert [(s.kind, s.version, s.slots) for s in found.servers] == [("ollama", "0.12", ("s0", "s1"))]
    assert [host.host for host in found.hosts] == ["node-s0", "node-s1"]
    assert found.pools == ("default",)


def test_the_block_says_it_all_and_what_is_not_known(record: RecordFactory) -> None:
    made = synthetic(runs=3)
    text = render_document(Document("x", (provenance_section(provenance(made.summary())),)))
    for part in (
        made.manifest.sweep_id,
        "0.1.0",
        made.manifest.git_commit,
        "abc",
        "0.12",
        "node-s0",
        "chimera run",
    ):
        assert present(part) in text
    bare = provenance_of_records([record()], None)
    block = provenance_section(bare).blocks[0]
    assert isinstance(block, Lines)
    told = lines_of(block)
    unknown = [label for label, value in told.items() if value == "not known"]
    assert unknown == [
        *(
            "Sweep",
            "Execution",
            "Measured",
            "Sweep id",
            "Spec",
            "Files",
            "Code",
            "Model",
            "Server",
            "Pool",
            "Host",
        )
    ]
    assert any(line.startswith("chimera report") for line in bare.reproduce)


def test_a_configuration_names_only_its_own_slots() -> None:
    made = synthetic(runs=3, shape=Shape(slots={"s0": 1.0, "s1": 1.0}))
    summary = made.summary()
    one = summary.configurations[0].model_copy(update={"slots": ("s1",), "hosts": ("node-s1",)})
    told = lines_of(configuration_provenance(one, summary))
    assert told["Measured on"] == "slot s1; host node-s1; pool default"
    assert told["Server"] == "Ollama 0.12" and told["Model digest"] == "abc"


def test_hostile_names_stay_text() -> None:
    made = synthetic(runs=3, model="<script>alert(1)</script>|`x`\x1b[31m", name="s")
    text = render_document(Document("x", (provenance_section(provenance(made.summary())),)))
    assert "<script>" not in text and "\x1b" not in text


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "a.csv").write_text("a,b\n1,2\n")
    return write_sweep(
        tmp_path,
        axes={"temperature": ["default", 0.8], "top_k": [20]},
        include=[{"temperature": 0.1, "top_p": "default"}],
        exclude=[{"temperature": 0.8}],
        warmup="unload",
    )


def test_the_commands_give_the_very_same_sweep(sweep: Path, tmp_path: Path) -> None:
    plan = make_plan(load(sweep), sweep)
    manifest = make_manifest(plan)
    (tmp_path / "manifest.json").write_text(manifest.model_dump_json())
    (command,) = [c for c in provenance_of_records([], manifest).reproduce if c.startswith("python")]
    words = shlex.split(command)
    assert words[0] == "python" and words[-2:] == [">", "sweep.yaml"]
    made = subprocess.run(
        [sys.executable, *words[1:-2]], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    again = tmp_path / "again.yaml"
    again.write_text(made.stdout)
    assert json.loads(made.stdout)["name"] == "test"
    assert make_plan(load(again), again).sweep_id == plan.sweep_id


def test_the_prompts_version_is_told_by_the_sweeps_id(sweep: Path) -> None:
    manifest = make_manifest(make_plan(load(sweep), sweep))
    assert Result("x", (), manifest).prompts_version == "1"
    versions = {name: told for name, told in manifest.versions.items() if name != "prompts"}
    manifest = manifest.model_copy(update={"versions": versions})
    assert Result("x", (), manifest).prompts_version == "1"
    other = manifest.model_copy(update={"sweep_id": "0" * 16})
    assert Result("x", (), other).prompts_version is None
