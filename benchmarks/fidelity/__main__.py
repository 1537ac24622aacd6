"""``python -m benchmarks.fidelity``: prints the plan, each run, a table per concurrency, and the targets."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.fidelity import report
from benchmarks.fidelity.checks import checks
from benchmarks.fidelity.contestants import MINIMAL, Absent
from benchmarks.fidelity.options import Options, read_options
from benchmarks.fidelity.plan import Round, plan
from benchmarks.fidelity.run import Placement, Run, run_once
from benchmarks.fidelity.summary import Row, row
from benchmarks.fidelity.table import table
from benchmarks.fidelity.tokenizer import write_tokenizer

QUIET_LOAD = 0.5


def main() -> int:
    """Return 0 if it could run, whatever the figures are."""
    options = read_options()
    if sys.platform != "linux":
        print("the fidelity benchmark meters processes through Linux' /proc", file=sys.stderr)
        return 2
    # Terminated or interrupted, it ends its server and its client.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    machine = report.machine()
    about = {"began": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine}
    versions, absent = _versions(options)
    present = [c for c in options.contestants if c.name in versions]
    rounds = plan(options, present)
    _print_plan(options, rounds, versions, absent, machine)
    runs: list[Run] = []
    try:
        runs = _run_all(options, rounds)
    except KeyboardInterrupt:
        print("\nstopped: nothing is reported", file=sys.stderr)
        return 130
    rows = _rows(options, runs, absent)
    _print_tables(options, rows)
    targets = checks(rows, [c.name for c in options.contestants if c.peer])
    print("\nTargets at c = 32:")
    for target in targets:
        print(f"- {target}")
    if options.json is not None:
        tree = report.as_dict(options, about, versions, runs, rows, targets, MINIMAL.name)
        options.json.write_text(json.dumps(tree, indent=1) + "\n")
    return 0


def _versions(options: Options) -> tuple[dict[str, str], dict[str, str]]:
    """Return the versions of who can take part, and why the others can't."""
    versions, absent = {}, {}
    for contestant in options.contestants:
        try:
            versions[contestant.name] = contestant.version()
        except Absent as reason:
            absent[contestant.name] = str(reason)
    return versions, absent


def _print_plan(
    options: Options,
    rounds: list[Round],
    versions: dict[str, str],
    absent: dict[str, str],
    machine: Mapping[str, Any],
) -> None:
    minutes = sum(r.planned_s for r in rounds) / 60
    print("machine: " + ", ".join(f"{name} {value}" for name, value in machine.items()))
    if machine["load_before"] > QUIET_LOAD:
        print("the machine is not quiet: what else runs on it is in the figures")
    print("clients: " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    for name, reason in absent.items():
        print(f"{name} takes no part: {reason}")
    repeats = ", ".join(f"c = {c}: {n}" for c, n in options.repeats.items())
    print(f"rounds: {repeats}; {sum(len(r.order) for r in rounds)} runs, about {minutes:.0f} min", flush=True)


def _run_all(options: Options, rounds: list[Round]) -> list[Run]:
    cpus = sorted(os.sched_getaffinity(0))
    place = Placement()
    if options.pin and len(cpus) > 1:
        place = Placement(frozenset(cpus[:1]), frozenset(cpus[1:]))
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="fidelity-") as name:
        tokenizer = Path(name) / "tokenizer"
        write_tokenizer(tokenizer)
        for each in rounds:
            for contestant in each.order:
                run = run_once(contestant, each.workload, tokenizer, place)
                runs.append(run)
                print(
                    f"c = {each.workload.concurrency}, round {each.number} of {each.of}: {_line(run)}",
                    flush=True,
                )
    return runs


def _line(run: Run) -> str:
    found = row([run])
    if found.problem is not None or found.ttft_error_ms is None or run.usage is None:
        return f"{run.contestant}: {found.problem or 'no TTFT'}"
    return (
        f"{run.contestant}: TTFT error {found.ttft_error_ms.median:+.2f} ms (p99 {found.ttft_error_ms.p99:.2f}), "
        f"CPU {run.usage.cpu_s:.1f} s, {run.usage.peak_mb:.0f} MB, {run.usage.wall_s:.0f} s, "
        f"{run.matched}/{run.workload.requests} by {run.matched_by}"
        + (f"; {len(run.notes)} failed: {run.notes[0][:120]}" if run.notes else "")
    )


def _rows(options: Options, runs: list[Run], absent: dict[str, str]) -> list[Row]:
    rows: list[Row] = []
    for concurrency in options.concurrency:
        for contestant in options.contestants:
            if contestant.name in absent:
                rows.append(Row(contestant.name, concurrency, 0, absent[contestant.name]))
                continue
            own = [
                r for r in runs if (r.contestant, r.workload.concurrency) == (contestant.name, concurrency)
            ]
            rows.append(row(own))
    return rows


def _print_tables(options: Options, rows: list[Row]) -> None:
    for concurrency in options.concurrency:
        here = [r for r in rows if r.concurrency == concurrency]
        work = f"{options.per_stream * concurrency} requests × {options.repeats[concurrency]}"
        print(f"\n### c = {concurrency} ({work})\n\n{table(here, MINIMAL.name)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
