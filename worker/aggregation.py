"""What the aggregator does: prepared runs → a configuration's summary; all summaries → the report.

All configurations of a sweep in randomised blocks get their last run within the last block, so that their callbacks come
together: nothing here parses what it does not need, and nothing holds all configurations as text.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

from redis.client import NEVER_DECODE

from analysis.ending import ending_of
from analysis.grounding import Grounder
from analysis.models import ConfigurationSummary
from analysis.prepared import prepare, unpack_rows
from analysis.results_folder import documents
from analysis.room import room_for
from analysis.rows import Row
from analysis.stored import read_stored, stored
from analysis.summary import agents_of, summarise_rows, summarise_sweep
from analysis.table import Values
from contracts.facts import Facts
from contracts.failures import ChimeraError
from contracts.jobs import JobMaker
from contracts.manifest import Manifest, SlotIdentity, TakenBack
from contracts.outcome import JobOutcome, ServerIdentity
from contracts.records import StageRecord, records_of
from contracts.store import CHUNK, Store
from contracts.store.keys import execution_key
from worker.rounds import Publisher, go_on, next_block

_AGENT = Row._fields.index("agent")


def aggregate_configuration(
    store: Store, execution: str, configuration_id: str, publisher: Publisher
) -> dict[str, Any]:
    """Summarise a configuration once all its runs have an outcome; after the last one that is due, go on.

    Does nothing where outcomes are missing, unless the execution was cancelled: then an older generation's chord has fired.
    """
    manifest, maker = plan_of(store, execution)
    if manifest.spec.until_precise is not None:
        manifest = manifest.with_rounds(store.rounds(execution))
    configuration = maker.configuration(configuration_id)
    if configuration is None:
        raise ChimeraError(f"execution {execution} has no configuration {configuration_id}")
    name = configuration.name
    job_ids = maker.job_ids(configuration, runs_by_now(manifest, name))
    voids = store.voids(execution, configuration_id)
    with _undisturbed():
        rows, absent = _rows(store, execution, job_ids)
        if absent and store.status(execution) != "cancelled":
            return {"configuration": name, "missing": absent}
        ahead = _ahead(store, execution, job_ids)
        summaries = [
            summarise_rows(
                [row for row in rows if row[_AGENT] == agent] if configuration.agents else rows,
                _records(store, execution, job_ids, agent if configuration.agents else None),
                configuration=configuration,
                agent=agent,
                runs_planned=len(job_ids),
                until=manifest.spec.until_precise,
                grounder=grounder_of(store, execution),
                ahead=ahead if not configuration.agents else None,
                room=room_for(len(manifest.configurations)),
                workload=manifest.spec.workload,
            )
            for agent in agents_of(configuration)
        ]
    _note_slots(store, execution, job_ids, summaries[0])
    text, figures = stored(summaries)
    due = store.put_summary(
        execution, configuration_id, text, figures=figures, runs=len(job_ids), voids=voids
    )
    if due == 0:
        go_on(store, publisher, manifest)
    return {"configuration": name, "runs": len(job_ids), "due": due}


def finalise(store: Store, execution: str) -> dict[str, Any]:
    """Write the sweep's summary and report into the store and mark the execution as finished.

    Does nothing where summaries are due or a block is still to be decided on.
    """
    manifest, rounds = _manifest(store, execution), store.rounds(execution)
    there = set(cast(list[str], store.client.hkeys(execution_key(execution, "summaries"))))
    missing = [c.name for c in manifest.configurations if c.id not in there]
    cancelled = store.cancelled(execution)
    block = None if cancelled else next_block(manifest, rounds)
    if missing or block is not None or store.status(execution) == "abandoned":
        return {"execution": execution, "missing": missing, "undecided": block}
    finished = manifest.with_rounds(rounds).model_copy(
        update={
            "cancelled": cancelled,
            "resumed": store.resumed(execution),
            "taken_back": tuple(
                TakenBack(slot=slot, jobs=jobs, why=why)
                for slot, (jobs, why) in store.taken_back(execution).items()
            ),
            "finished_at": datetime.now(UTC),
            "slots": tuple(store.slot_identities(execution)),
        }
    )
    store.put_manifest(finished)
    store.renew_finaliser(execution)
    with _undisturbed():
        summaries = list(_summaries(store, execution, [c.id for c in manifest.configurations]))
        store.renew_finaliser(execution)
        summary = summarise_sweep(summaries, finished)
        store.put_ending(execution, ending_of(summary).model_dump_json())
        for name, parts in documents(summary):
            store.renew_finaliser(execution)
            store.put_document(execution, name, parts)
    store.set_finished(execution)
    return {"execution": execution, "configurations": len(summaries)}


def _rows(store: Store, execution: str, job_ids: Sequence[str]) -> tuple[list[Values], int]:
    """Return the rows of all runs, and how many runs have no outcome.

    A run that is not prepared (:mod:`worker.ahead`), or in another version's form, is prepared here.
    """
    rows: list[Values] = []
    absent: list[str] = []
    for job_id, packed in zip(job_ids, _fields(store, execution, "prepared", job_ids), strict=True):
        found = unpack_rows(packed) if packed else None
        if found is None:
            absent.append(job_id)
        else:
            rows += found
    there = 0
    for outcome in store.outcomes(execution, absent):
        there += 1
        rows += unpack_rows(prepare(outcome)) or ()
    return rows, len(absent) - there


def _records(
    store: Store, execution: str, job_ids: Sequence[str], agent: str | None
) -> Callable[[int], Sequence[StageRecord]]:
    """Return what reads one run's records, of one agent where there are several, from its outcome: its texts are in no
    prepared form."""

    def records(run: int) -> Sequence[StageRecord]:
        outcomes = store.outcomes(execution, [job_ids[run - 1]])
        found = [record for outcome in outcomes for record in records_of(outcome)]
        return found if agent is None else [record for record in found if record.agent == agent]

    return records


def _ahead(store: Store, execution: str, job_ids: Sequence[str]) -> dict[int, bytes]:
    """Return run → what was found in its texts before (:mod:`worker.ahead`)."""
    found = _fields(store, execution, "checked", job_ids)
    return {run: packed for run, packed in enumerate(found, start=1) if packed is not None}


def _summaries(store: Store, execution: str, ids: Sequence[str]) -> Iterator[ConfigurationSummary]:
    texts = _fields(store, execution, "summaries", ids)
    figures = _fields(store, execution, "figures", ids)
    for text, of_runs in zip(texts, figures, strict=True):
        if text is not None:
            yield from read_stored(text, of_runs)


def _fields(store: Store, execution: str, kind: str, names: Sequence[str]) -> Iterator[bytes | None]:
    """Yield the fields of one of the execution's hashes as they are stored, read in chunks."""
    # The client decodes all replies to text, these are bytes.
    ask = cast(Callable[..., list[bytes | None]], store.client.execute_command)
    for start in range(0, len(names), CHUNK):
        part = names[start : start + CHUNK]
        yield from ask("HMGET", execution_key(execution, kind), *part, **{NEVER_DECODE: []})


def _note_slots(store: Store, execution: str, job_ids: Iterable[str], summary: ConfigurationSummary) -> None:
    """Record who measured, of slots that are not recorded yet: by an outcome of each."""
    known = _slots_noted(store, execution)
    ids = list(job_ids)
    first: dict[str, str] = {}
    for run in summary.over_runs.runs:
        if run.slot is not None and run.slot not in known:
            first.setdefault(run.slot, ids[run.run - 1])
    lost = [slot for slot in summary.slots if slot not in known and slot not in first]
    outcomes = store.outcomes(execution, ids if lost else first.values())
    store.put_slot_identities(execution, [_slot_identity(outcome, store) for outcome in outcomes])
    known.update(summary.slots)


@lru_cache(maxsize=4)
def _slots_noted(store: Store, execution: str) -> set[str]:
    """Slots that this process has recorded."""
    return set()


@lru_cache(maxsize=4)
def plan_of(store: Store, execution: str) -> tuple[Manifest, JobMaker]:
    """Return what does not change while an execution runs: reading it takes longer than summarising a configuration."""
    manifest = _manifest(store, execution)
    return manifest, JobMaker.of(manifest, store.base_dir(execution))


def runs_by_now(manifest: Manifest, name: str) -> int:
    """Return how many runs of a configuration are planned by now."""
    if manifest.order:
        return manifest.runs_planned()[name]
    return manifest.spec.first_runs + manifest.later_runs.get(name, 0)


@lru_cache(maxsize=2)
def grounder_of(store: Store, execution: str) -> Grounder | None:
    """Return what checks texts, ``None``: the files are not known.

    One for all configurations of an execution: reading the facts and indexing them takes longer than checking a text.
    """
    facts = store.facts(execution)
    return None if facts is None else Grounder(Facts.model_validate_json(facts))


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the garbage collector off: it would look through a million rows again and again, and none is in a cycle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _manifest(store: Store, execution: str) -> Manifest:
    manifest = store.manifest(execution)
    if manifest is None:
        raise ChimeraError(f"the store knows no execution {execution}")
    return manifest


def _slot_identity(outcome: JobOutcome, store: Store) -> SlotIdentity:
    # What belongs to a model, not to the server, is told per stage: a slot may run several.
    server = outcome.server and ServerIdentity(
        kind=outcome.server.kind,
        url=outcome.server.url,
        software=outcome.server.software,
        version=outcome.server.version,
    )
    floor = store.floor(outcome.slot)
    host = outcome.host
    if (
        floor is None
        or host is None
        or not floor.holds_for(host.host, outcome.boot_id, host.chimera, host.python)
    ):
        floor = None
    return SlotIdentity(slot=outcome.slot, pool=outcome.pool, host=host, server=server, floor=floor)
