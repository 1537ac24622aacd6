"""The sweep of a benchmark: so many configurations, all runs shared by them."""

from __future__ import annotations

from pathlib import Path

import yaml

from benchmarks.scale.names import DEADLINE_S, POOL, WARMUPS


def write_sweep(folder: Path, jobs: int, configurations: int) -> Path:
    """Write the sweep file and its corpus; return its path."""
    (folder / "data.csv").write_text("a,b\n1,2\n")
    tree = {
        **{"name": "scale", "workload": {"paths": ["data.csv"], "structured": "off"}, "server": "ollama"},
        **{"model": "ref", "axes": {"seed": list(range(configurations))}, "runs": jobs // configurations},
        **{"warmup": WARMUPS, "deadline": DEADLINE_S, "pool": POOL, "order": {"kind": "blocks"}},
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path
