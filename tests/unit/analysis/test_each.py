"""One file for each configuration and agent."""

from __future__ import annotations

import pytest

from analysis.models import Finding
from analysis.naming import file_slug
from analysis.rendering.each import Layout, render_each
from analysis.summary import summarise_records
from tests.support.factories import RecordFactory
from tests.support.synthetic import demo, synthetic


def test_every_configuration_has_a_file_in_either_layout() -> None:
    summary = synthetic(runs=2).summary()
    titles: dict[Layout, str] = {"configuration": "# Chimera Agent Report: ", "agent": "# Chimera Agent\n"}
    for layout, title in titles.items():
        files = render_each(summary, layout)
        assert len(files) == len(summary.configurations) == 4
        assert all(text.startswith(title) for text in files.values())
        assert all("content hash " in text and "**Spec:**" in text for text in files.values())
        assert "num_gpu-40-num_ctx".replace("-num_ctx", "-temperature-0.2_chimera.md") in files


def test_an_agents_file_holds_its_own_findings_and_marks_whose_advice_is_whose() -> None:
    made = demo()
    summary = made.summary()
    mine = next(c.name for c in made.manifest.configurations if c.parameters.num_gpu == 40)
    findings = (
        *(finding(f"own {place}", f"advice {place}", (name,)) for place, name in enumerate([mine, "other"])),
        finding("both", "advice of both", (mine, "other")),
        finding("sweep's", "advice of the sweep", ()),
    )
    told = summary.model_copy(update={"findings": findings})
    texts = render_each(told, "agent")
    text = next(text for name, text in texts.items() if name == f"{file_slug(f'{mine}_chimera')}.md")
    assert "Own 0." in text and "Own 1" not in text and "Sweep's" not in text
    own, _, after = text.partition("### Findings of the Sweep About This and Other Configurations")
    assert "Both." in after and "Both." not in own
    advice = text.index("## Recommendations")
    assert advice < text.index("advice 0") < text.index("### The Model's Recommendations")
    assert text.count("advice 0") == text.count("advice of both") == 1
    assert "advice of the sweep" not in text
    other = next(text for name, text in texts.items() if not name.startswith(file_slug(mine)))
    assert "rules have no advice for this configuration" in other


def test_another_agents_name_is_in_its_title(record: RecordFactory) -> None:
    summary = summarise_records([record(agent="insight", run=1)])
    (text,) = render_each(summary, "agent").values()
    assert text.startswith("# Chimera Agent insight\n")


def finding(text: str, advice: str, configurations: tuple[str, ...]) -> Finding:
    return Finding(
        rule="outlier-runs", severity="note", text=text, advice=advice, configurations=configurations
    )


@pytest.mark.parametrize("names", [("a/b", "a:b"), ("A", "a"), ("../x", "x"), ("\u202e", "日本")])
def test_no_file_takes_anothers_name_or_leaves_the_folder(
    record: RecordFactory, names: tuple[str, ...]
) -> None:
    summary = summarise_records([record(config=name, run=1) for name in names])
    files = list(render_each(summary, "configuration"))
    assert len({file.lower() for file in files}) == len(names)
    assert all("/" not in file and not file.startswith(".") for file in files)
