"""Sweeps under a seeded random mix of faults; prints what was done to each and what it came to.

python -m benchmarks.chaos [--repetitions 3] [--jobs 500] [--slots 4] [--seed 1]

Everything is real (Redis, workers, aggregator, producer, each a process that is killed, frozen or starved) but the
model servers, whose calls take 53 ms. The time of each fault and what it strikes is drawn from the seed; what it hits
also depends on the machine. Exit code 1: something was lost, counted twice, measured at the same time as something
else on its slot, left unsaid in the report, left running, or the sweep did not end.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.repetition import CONFIGURATIONS, Ended, Options, repeat


def main() -> int:
    """Repeat, and print a line for each repetition and one for all."""
    arguments = _arguments()
    root = Path(tempfile.mkdtemp(prefix="chimera-chaos-"))
    ended = []
    for number in range(1, arguments.repetitions + 1):
        seed = arguments.seed + number - 1
        options = Options(
            jobs=arguments.jobs,
            slots=arguments.slots,
            faults=arguments.faults,
            every_s=arguments.every,
            limit_s=arguments.limit,
            kinds=arguments.kind or list(FAULTS),
            plots=seed % 2 == 0,
        )
        one = repeat(root / str(number), seed, options)
        ended.append(one)
        print(f"repetition {number} (seed {seed}): {_in_words(one, arguments.jobs)}", flush=True)
        for line in one.complaints:
            print(f"    {line}", flush=True)
    bad = [line for one in ended for line in one.complaints]
    print(_summary(ended))
    if bad:
        print(f"logs and results: {root}")
        return 1
    shutil.rmtree(root)
    return 0


def _in_words(one: Ended, jobs: int) -> str:
    faults = ", ".join(f"{n} × {name}" for name, n in one.faults.most_common())
    parts = [
        f"{jobs} jobs, {one.deliveries} deliveries, {one.attempts} attempts",
        f"{one.faults.total()} faults ({faults})",
    ]
    if one.audit is not None:
        failed = ", ".join(f"{n} {kind}" for kind, n in one.audit.failures.most_common()) or "none"
        parts.append(
            f"{len(one.audit.lost)} lost, {len(one.audit.doubled)} doubled, {len(one.audit.overlaps)} overlaps, "
            f"{len(one.audit.unsaid)} unsaid"
        )
        parts.append(f"{one.audit.complete} complete, failed: {failed}")
    return "; ".join([*parts, f"{one.seconds:.0f} s"])


def _summary(ended: list[Ended]) -> str:
    audits = [one.audit for one in ended if one.audit is not None]
    faults: Counter[str] = sum((one.faults for one in ended), Counter())
    return (
        f"{len(ended)} repetitions, {sum(one.planned for one in audits)} jobs, "
        f"{sum(one.deliveries for one in ended)} deliveries, {sum(one.attempts for one in ended)} attempts, "
        f"{faults.total()} faults: "
        f"{sum(len(one.lost) for one in audits)} lost, {sum(len(one.doubled) for one in audits)} doubled, "
        f"{sum(len(one.overlaps) for one in audits)} overlaps, {sum(len(one.unsaid) for one in audits)} unsaid, "
        f"{len(ended) - len(audits)} not ended"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chaos", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=500, help=f"a multiple of {CONFIGURATIONS}")
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first repetition; each next one has the next"
    )
    parser.add_argument("--faults", type=int, default=40, help="how many a repetition")
    parser.add_argument("--every", type=float, default=1.5, help="mean time between two faults, s")
    parser.add_argument("--limit", type=float, default=400.0, help="most time of a repetition, s")
    parser.add_argument(
        "--kind", action="append", choices=list(FAULTS), help="only this kind of fault; may be repeated"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
