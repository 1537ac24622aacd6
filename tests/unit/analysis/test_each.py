"""One file for each configuration and agent."""

from __future__ import annotations

import pytest

from analysis.rendering.each import render_each
from analysis.summary import summarise_records
from tests.support.synthetic import synthetic


def test_every_configuration_has_a_file_in_either_layout() -> None:
    summary = synthetic(runs=2).summary()
    for layout, title in (("configuration", "# Chimera Agent Report: "), ("agent", "# Chimera Agent chimera")):
        files = render_each(summary, layout)
        assert len(files) == len(summary.configurations) == 4
        assert all(text.startswith(title) for text in files.values())
        assert "num_gpu-40-num_ctx".replace("-num_ctx", "-temperature-0.2_chimera.md") in files


@pytest.mark.parametrize("names", [("a/b", "a:b"), ("A", "a"), ("../x", "x"), ("\u202e", "日本")])
def test_no_file_takes_anothers_name_or_leaves_the_folder(record, names) -> None:
    summary = summarise_records([record(config=name, run=1) for name in names])
    files = list(render_each(summary, "configuration"))
    assert len({file.lower() for file in files}) == len(names)
    assert all("/" not in file and not file.startswith(".") for file in files)
