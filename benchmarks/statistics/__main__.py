"""``python -m benchmarks.statistics``: simulates what the statistics promise; a few minutes on one core."""

from __future__ import annotations

import importlib
import importlib.util

PARTS = ("coverage", "stopping", "flags", "comparisons", "plots", "adaptive")


def main() -> None:
    """Print each part's tables."""
    for part in PARTS:
        name = f"{__package__}.{part}"
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name).main()


if __name__ == "__main__":
    main()
