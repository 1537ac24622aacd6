"""The results folder of an execution: from the store to disk."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable
from pathlib import Path

from analysis.files import write_atomically, write_parts
from analysis.naming import execution_name
from analysis.results_folder import FACTS_FILE, MANIFEST_FILE
from analysis.stages_io import STAGES_FILE, write_stages
from contracts.failures import ChimeraError, SetupError
from contracts.jobs import JobMaker
from contracts.manifest import Manifest
from contracts.outcome import JobOutcome
from contracts.records import records_of
from contracts.store import Store

ORDER_FILE = "order.jsonl"
"""The jobs in the order of their publishing, a line each."""
OTHERS_FILE = "other_attempts.jsonl"
"""Stages of the attempts that do not count: of later deliveries, and of outcomes that were taken back."""
NEEDED_BYTES = 50 * 2**20


def results_folder(root: Path, manifest: Manifest) -> Path:
    """Return ``<root>/<sweep>/<sweep>_<model>_<utc>_<hash>`` (:mod:`analysis.naming`)."""
    return root / manifest.sweep / execution_name(manifest)


def check_writable(root: Path) -> None:
    """Raise :class:`SetupError` where results could not be written at the end of the sweep."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe = root / ".write-test"
        probe.write_text("")
        probe.unlink()
        free = shutil.disk_usage(root).free
    except OSError as error:
        raise SetupError(
            f"can't write results to {root}: {error}; give another folder with --results"
        ) from None
    if free < NEEDED_BYTES:
        raise SetupError(
            f"only {free // 2**20} MB free where the results go ({root}): make room, or give another folder with --results"
        )


def write_results(store: Store, execution: str, root: Path) -> Path:
    """Write manifest, stages, summary and report; return the folder.

    Raises:
        ChimeraError: the store holds no such finished execution, or the disk takes no more.
    """
    manifest = store.manifest(execution)
    if manifest is None or store.status(execution) not in ("finished", "collected"):
        raise ChimeraError(f"the store holds no report of execution {execution}")
    folder = results_folder(root, manifest)
    maker = JobMaker.of(manifest, store.base_dir(execution))
    rounds = store.rounds(execution)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / MANIFEST_FILE, manifest.model_dump_json(indent=2) + "\n")
        lines = (job.model_dump_json() + "\n" for job in maker.listed(maker.units(rounds)))
        write_parts(folder / ORDER_FILE, (line.encode() for line in lines))
        ids = (maker.job_id(job) for unit in maker.units(rounds) for job in unit.jobs)
        _write(folder / STAGES_FILE, store.outcomes(execution, ids))
        others = store.other_outcomes(execution)
        if (first := next(others, None)) is not None:
            _write(folder / OTHERS_FILE, itertools.chain([first], others))
        if (facts := store.facts(execution)) is not None:
            write_atomically(folder / FACTS_FILE, facts)
        for name, parts in store.documents(execution):
            write_parts(folder / name, parts)
    except OSError as error:
        raise ChimeraError(
            f"can't write the results to {folder}: {error}; they stay in the store: run the sweep again"
        ) from None
    return folder


def _write(path: Path, outcomes: Iterable[JobOutcome]) -> None:
    write_stages(path, (record for outcome in outcomes for record in records_of(outcome)))
