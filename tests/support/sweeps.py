"""Sweep files for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def sweep_tree(**changes: Any) -> dict[str, Any]:
    """Return a small valid sweep as YAML would give it; ``None`` removes a key."""
    tree: dict[str, Any] = {
        "name": "test",
        "workload": {"kind": "agent", "paths": ["corpus"]},
        "server": "ollama",
        "model": "ref",
        "axes": {"temperature": [0.2, 0.8]},
        "runs": 3,
        "warmup": 0,
        "deadline": 20,
        "pool": "test",
    }
    return {key: value for key, value in (tree | changes).items() if value is not None}


def write_sweep(folder: Path, **changes: Any) -> Path:
    """Write the sweep of :func:`sweep_tree` to ``<folder>/sweep.yaml``."""
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(sweep_tree(**changes), sort_keys=False))
    return path
