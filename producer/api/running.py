"""``run(sweep)``: what ``chimera run`` does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, TypeAlias, cast

from rich.console import Console

from contracts.logs import LineStream
from producer.api.results import Results, load_results
from producer.api.sweep import Sweep
from producer.execution import RunOptions, run_plan

Progress: TypeAlias = Console | Callable[[str], object] | None
"""Where it is said how the sweep goes: nowhere, on a console of rich (a live bar on a terminal), or to a function, line
by line."""

COLUMNS = 160
"""Width of the table at the end, for a function."""


def run(
    sweep: Sweep,
    *,
    broker: str | None = None,
    slots: int | None = None,
    servers: Iterable[str] = (),
    fresh: bool = False,
    calibrate: bool = True,
    results: str | os.PathLike[str] = "results",
    progress: Progress = None,
) -> Results:
    """Run a sweep, or resume it where it is unfinished, and return its results.

    Without a broker all parts run as child processes of this one, and are stopped before this returns or raises; with
    one, the sweep goes on in the cluster where this is interrupted, and the next ``run`` of the same sweep collects it.

    Args:
        sweep: What is measured.
        broker: Redis URL; ``None``: ``CHIMERA_BROKER``, else an embedded Redis, with a folder as of ``CHIMERA_HOME``.
        slots: Embedded: number of slots; ``None``: 1, or as the unfinished execution was begun.
        servers: Embedded: addresses of model servers of yours, one slot for each; none: the embedded model server, or as
            the unfinished execution was begun.
        fresh: Start anew, even where an execution is unfinished.
        calibrate: First calibrate the pool's slots that are not calibrated yet.
        results: Folder of all results; the sweep's own is below it.
        progress: Where it is said how the sweep goes; ``None``: nothing is printed. An exception of the function ends
            the run as Ctrl-C does.

    Raises:
        InputError: the sweep or an argument is wrong; nothing was sent.
        SetupError: something that is needed is missing, can't be reached, or died too often.
        SweepIncomplete: the sweep ended without its report.
        KeyboardInterrupt: as it came; what was started is stopped.
    """
    plan = sweep.plan()
    options = RunOptions(
        sweep_file=plan.sweep_file,
        broker=broker,
        slots=slots,
        servers=tuple(servers),
        fresh=fresh,
        calibrate=calibrate,
        results=Path(results),
    )
    return load_results(run_plan(plan, options, _console(progress)))


def _console(progress: Progress) -> Console:
    if isinstance(progress, Console):
        return progress
    if progress is None:
        return Console(quiet=True)
    return Console(
        file=cast(IO[str], LineStream(progress)), width=COLUMNS, force_terminal=False, color_system=None
    )
