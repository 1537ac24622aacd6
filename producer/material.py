"""What a workload reads, checked before anything is sent: files to ingest, or prompts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from contracts.configuration import Configuration
from contracts.corpus import digest, discover, resolve_roots, root_names
from contracts.failures import InputError
from contracts.prompts_file import read_prompts
from contracts.workloads import CorpusWorkload, PromptsWorkload, Workload
from producer.sweep_file import where

MADE = "synthetic"
"""Digest of prompts that are made: the workload itself says all of them."""
FEWEST_OPEN = 20
"""Requests of an open loop."""
FEWEST_ROUNDS = 4
"""Requests of a closed loop, for each that runs at a time: the first and the last are cut as ramps."""


def material(workload: Workload, base_dir: Path, sweep_file: Path) -> tuple[str, int]:
    """Return a content hash of what the workload reads, and how many files or conversations it is.

    Raises:
        InputError: it can't be read, or is nothing.
    """
    if isinstance(workload, CorpusWorkload):
        try:
            files = discover(resolve_roots(workload.paths, base_dir), root_names(workload.paths))
            found = digest(files)
        except (OSError, ValueError, RuntimeError) as error:  # the latter two: a NUL, or ~ of nobody
            raise InputError(f"{where(sweep_file, 'workload.paths')}: {error}") from None
        if not files:
            raise InputError(
                f"{where(sweep_file, 'workload.paths')}: no csv, json or md file below {list(workload.paths)}"
            )
        return found, len(files)
    if workload.file is None:
        return MADE, 0
    try:
        prompts = read_prompts(resolve_roots((workload.file,), base_dir)[0])
    except (InputError, RuntimeError) as error:
        raise InputError(f"{where(sweep_file, 'workload.file')}: {error}") from None
    return prompts.digest, len(prompts.conversations)


def check_requests(
    workload: PromptsWorkload, points: Iterable[Configuration], deadline_s: float, sweep_file: Path
) -> None:
    """Refuse a load of which nothing would be left without its ramps, or that can't end within a job's deadline.

    Raises:
        InputError: names how many it takes.
    """
    at, requests = where(sweep_file, "workload.requests"), workload.requests
    if workload.duration is not None and workload.duration >= deadline_s:
        raise InputError(
            f"{where(sweep_file, 'workload.duration')}: {workload.duration:g} s of load don't fit a job's deadline of {deadline_s:g} s, "
            "in which the last answers must end, too"
        )
    if requests is None:
        return
    points = list(points)
    search = workload.search
    most = max((c.parameters.concurrency or 0 for c in points), default=0)
    if search is not None and search.over == "concurrency":
        most = int(search.max)
    if requests < FEWEST_ROUNDS * most:
        raise InputError(
            f"{at}: {requests} requests are too few for concurrency {most}: ramp-up and ramp-down are cut (at least "
            f"{FEWEST_ROUNDS} for each at a time, {FEWEST_ROUNDS * most})"
        )
    is_open = any(c.parameters.rate is not None for c in points) or (
        search is not None and search.over == "rate"
    )
    if is_open and requests < FEWEST_OPEN:
        raise InputError(
            f"{at}: {requests} requests are too few for an open loop: at least {FEWEST_OPEN}, better some hundred"
        )
