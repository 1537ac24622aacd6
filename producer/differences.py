"""What differs between a sweep file and the execution that it is to resume."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contracts.manifest import Manifest
from producer.plan import Plan

ABSENT = "not given"


def differences(manifest: Manifest, plan: Plan) -> list[str]:
    """Return a line for each key of the sweep file that differs: ``runs: 3 → 5``; and one where ingested files do."""
    before = dict(_flat(manifest.spec.model_dump(mode="json")))
    after = dict(_flat(plan.spec.model_dump(mode="json")))
    lines = [
        f"{key}: {before.get(key, ABSENT)} → {after.get(key, ABSENT)}"
        for key in sorted({*before, *after})
        if before.get(key, ABSENT) != after.get(key, ABSENT)
    ]
    if manifest.corpus_digest != plan.corpus_digest:
        lines.append("the files below workload.paths: their contents or names changed")
    return lines or ["the version of Chimera: its prompts or its format changed"]


def _flat(tree: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, ABSENT if tree is None else str(tree)
