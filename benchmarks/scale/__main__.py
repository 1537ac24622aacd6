"""Chimera's cost by the number of jobs, beside a plain Celery chord of as many; prints a table for each size.

python -m benchmarks.scale [--jobs 1000,10000,100000] [--runs 100] [--json FILE]

Real Redis with an append-only file, real Celery workers (2 slots) and aggregator, ``chimera run`` as the producer; the
jobs measure nothing and return an outcome like a real one at once. The plain chord has the same settings, and tasks that
return a receipt and store nothing.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.scale.measured import SLOTS, Figures, chord, planned, published, swept, versions
from benchmarks.scale.table import table


def main() -> None:
    """Measure each size and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--jobs", default="1000,10000,100000", help="sizes, with commas between them")
    parser.add_argument("--runs", type=int, default=100, help="of each configuration")
    parser.add_argument("--without-chord", action="store_true", help="leave the plain chord out")
    parser.add_argument("--limit", type=float, default=3600.0, metavar="S", help="of one sweep or chord")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that all is cleared away
    found: dict[int, dict[str, Figures]] = {}
    about = {"at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "slots": str(SLOTS), **versions()}
    print(", ".join(f"{name} {value}" for name, value in about.items()), flush=True)
    for jobs in map(int, options.jobs.split(",")):
        configurations = max(1, jobs // options.runs)
        chimera = {
            **planned(jobs, configurations),
            **published(jobs, configurations),
            **swept(jobs, configurations, options.limit),
        }
        plain = {} if options.without_chord else chord(jobs, options.limit)
        found[jobs] = {"chimera": chimera, "plain chord": plain}
        print(
            f"\n#### {jobs:,} jobs, {configurations:,} configurations\n\n{table(chimera, plain)}", flush=True
        )
        if options.json:
            options.json.write_text(json.dumps({"about": about, "figures": found}, indent=1))


if __name__ == "__main__":
    main()
