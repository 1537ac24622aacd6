"""The beginning of a generation: from then on no older message is carried out, and what is missing is published."""

from __future__ import annotations

from contracts.manifest import Manifest
from contracts.store import Feeding, Store
from dispatch.dispatcher import Dispatcher


def start_generation(store: Store, dispatcher: Dispatcher, manifest: Manifest) -> int:
    """Begin a new generation of a running or paused execution, which runs then; return how many jobs are missing.

    Nothing is published yet: the execution's steward feeds. Meanwhile it is paused, so that no steward begins early.
    """
    x = manifest.execution
    store.set_status(x, "paused", after=("running",))
    generation = store.next_generation(x)
    store.set_sent_again(x, store.voided(x))  # they are missing like all others
    whole = manifest.with_rounds(store.rounds(x))
    planned, done = whole.runs_planned(), store.counts(x).done
    missing = {c.id: planned[c.name] - done.get(c.id, 0) for c in whole.configurations}
    dispatcher.expect({configuration_id: jobs for configuration_id, jobs in missing.items() if jobs})
    known_block = whole.last_block or whole.spec.first_runs
    store.put_feeding(x, Feeding(known_block=known_block), generation=generation)
    store.set_status(x, "running", after=("paused",))
    return sum(missing.values())
