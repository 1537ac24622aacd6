"""What the aggregator does: outcomes → a configuration's summary; all summaries → the report."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from analysis.grounding import Grounder
from analysis.results_folder import documents
from analysis.summary import ConfigurationSummary, summarise_configuration, summarise_sweep
from contracts.facts import Facts
from contracts.failures import ChimeraError
from contracts.jobs import JobMaker
from contracts.manifest import Manifest, SlotIdentity
from contracts.outcome import JobOutcome, ServerIdentity
from contracts.records import records_of
from contracts.store import Store
from worker.rounds import Publisher, go_on, next_block


def aggregate_configuration(
    store: Store, execution: str, configuration_id: str, publisher: Publisher
) -> dict[str, Any]:
    """Summarise a configuration once all its runs have an outcome; after the last one that is due, go on.

    Does nothing where outcomes are missing: then an older generation's chord has fired.
    """
    manifest = _manifest(store, execution).with_rounds(store.rounds(execution))
    configuration = next(c for c in manifest.configurations if c.id == configuration_id)
    name = configuration.name
    maker = JobMaker.of(manifest, store.base_dir(execution))
    job_ids = maker.job_ids(configuration, manifest.runs_planned()[name])
    outcomes = list(store.outcomes(execution, job_ids))
    if len(outcomes) < len(job_ids) and store.status(execution) != "cancelled":
        return {"configuration": name, "missing": len(job_ids) - len(outcomes)}
    outcomes.sort(key=lambda outcome: outcome.run)
    records = [record for outcome in outcomes for record in records_of(outcome)]
    summary = summarise_configuration(
        records,
        configuration=configuration,
        runs_planned=len(job_ids),
        until=manifest.spec.until_precise,
        grounder=_grounder(store, execution),
    )
    store.put_slot_identities(execution, [_slot_identity(outcome, store) for outcome in outcomes])
    due = store.put_summary(
        execution,
        configuration_id,
        summary.model_dump_json(),
        figures=summary.over_runs.model_dump_json(),
        runs=len(job_ids),
    )
    if due == 0:
        go_on(store, publisher, manifest)
    return {"configuration": name, "runs": len(job_ids), "due": due}


def finalise(store: Store, execution: str) -> dict[str, Any]:
    """Write the sweep's summary and report into the store and mark the execution as finished.

    Does nothing where summaries are due or a block is still to be decided on.
    """
    manifest, rounds = _manifest(store, execution), store.rounds(execution)
    texts = store.summaries(execution)
    missing = [c.name for c in manifest.configurations if c.id not in texts]
    cancelled = store.cancelled(execution)
    block = None if cancelled else next_block(manifest, rounds)
    if missing or block is not None or store.status(execution) == "abandoned":
        return {"execution": execution, "missing": missing, "undecided": block}
    finished = manifest.with_rounds(rounds).model_copy(
        update={
            "cancelled": cancelled,
            "finished_at": datetime.now(UTC),
            "slots": tuple(store.slot_identities(execution)),
        }
    )
    summaries = [ConfigurationSummary.model_validate_json(texts[c.id]) for c in manifest.configurations]
    store.put_manifest(finished)
    store.put_documents(execution, documents(summarise_sweep(summaries, finished)))
    store.set_finished(execution)
    return {"execution": execution, "configurations": len(summaries)}


@lru_cache(maxsize=2)
def _grounder(store: Store, execution: str) -> Grounder | None:
    """One for all configurations of an execution: reading the facts and indexing them takes longer than checking a text."""
    facts = store.facts(execution)
    return None if facts is None else Grounder(Facts.model_validate_json(facts))


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
