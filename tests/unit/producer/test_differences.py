"""What is said of a sweep file that is not what its execution was begun with."""

from __future__ import annotations

from pathlib import Path

import pytest

from producer.differences import differences
from producer.manifest import make_manifest
from producer.plan import Plan, make_plan
from producer.sweep_file import load
from tests.support.sweeps import write_sweep


def planned(folder: Path, **changes: object) -> Plan:
    path = write_sweep(folder, **changes)
    return make_plan(load(path), path)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ({"runs": 3}, {"runs": 2}, "runs: 3 → 2"),  # 3 is the default, and it was given
        ({"runs": None}, {"runs": 2}, "runs: 3 → 2"),
        ({}, {"order": {"seed": 7}}, "order.seed: 0 → 7"),
        ({}, {"axes": {"seed": [7]}}, "axes.seed: not given → [7]"),
    ],
)
def test_a_default_is_shown_as_what_it_is(
    tmp_path: Path, corpus: Path, before: dict[str, object], after: dict[str, object], line: str
) -> None:
    assert line in differences(make_manifest(planned(tmp_path, **before)), planned(tmp_path, **after))


def test_what_is_equal_is_not_shown(tmp_path: Path, corpus: Path) -> None:
    manifest = make_manifest(planned(tmp_path, runs=3))
    assert differences(manifest, planned(tmp_path, runs=2)) == ["runs: 3 → 2"]
