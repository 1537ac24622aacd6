"""After a block: which configurations get another run? Decided once, recorded, then published.

Everything here can be done twice: the first decision on a block counts and is what every later one publishes, and
messages sent twice are the same messages. So whatever dies in between, doing it again is what repairs it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

from analysis.design import Design, Known, Measured, design_of
from analysis.models import OverRuns
from contracts.failures import ChimeraError
from contracts.jobs import JobMaker
from contracts.manifest import Manifest, Round
from contracts.plots import Unit, units_of_block
from contracts.store import Store


class Publisher(Protocol):
    """What publishes tasks: :class:`dispatch.dispatcher.Dispatcher`."""

    def publish_block(self, block: int, units: list[Unit]) -> None: ...

    def decide(self, block: int) -> None: ...

    def finalise(self) -> None: ...


def go_on(store: Store, publisher: Publisher, manifest: Manifest) -> None:
    """Publish what comes when no summary is due: the decision on the next block, or the finaliser."""
    cancelled = store.status(manifest.execution) == "cancelled"
    block = None if cancelled else next_block(manifest, store.rounds(manifest.execution))
    if block is not None and store.may_decide(manifest.execution, block):
        publisher.decide(block)
    elif block is None and store.may_finalise(manifest.execution):
        publisher.finalise()


def next_block(manifest: Manifest, rounds: list[Round]) -> int | None:
    """Return the block to be decided on; ``None``: there is none, the execution ends."""
    if manifest.spec.until_precise is None or (rounds and not rounds[-1].jobs):
        return None
    return rounds[-1].block + 1 if rounds else manifest.spec.first_runs + 1


def decide(store: Store, publisher: Publisher, execution: str, block: int) -> dict[str, Any]:
    """Decide what a block holds, unless that is decided; publish its jobs that have no outcome, or the finaliser."""
    manifest = store.manifest(execution)
    if manifest is None:
        raise ChimeraError(f"the store knows no execution {execution}")
    maker = JobMaker.of(manifest, store.base_dir(execution))
    found = store.round(execution, block)
    if found is None:
        rounds = store.rounds(execution)
        if next_block(manifest, rounds) != block or store.due(execution):
            return {"block": block, "decided": False}
        found = _decided(store, manifest, rounds, maker, block)
        if found is None:  # not running, or another was quicker
            return {"block": block, "decided": False}
    if not found.jobs:
        if store.may_finalise(execution):
            publisher.finalise()
        return {"block": block, "why": found.why}
    missing = set(store.without_outcome(execution, [job.job_id for job in found.jobs]))
    units = [
        Unit(unit.plot, unit.load, tuple(job for job in unit.jobs if maker.job_id(job) in missing))
        for unit in maker.units_of(found)
    ]
    if missing and store.status(execution) == "running":
        publisher.publish_block(block, units)
    return {"block": block, "jobs": len(missing), "why": found.why}


def _decided(
    store: Store, manifest: Manifest, rounds: list[Round], maker: JobMaker, block: int
) -> Round | None:
    """Decide, and record the decision; return the one that counts."""
    design = _told(store, manifest.with_rounds(rounds))
    decision, blocks = design.decide(), design.ask()
    runs = {request.configuration.id: request.run for request in (blocks[0] if blocks else ())}
    units = units_of_block(manifest.spec, manifest.configurations, block, runs) if runs else []
    stopped_before = {s.configuration for one in rounds for s in one.standings if not s.more}
    made = Round(
        block=block,
        decided_at=datetime.now(UTC),
        jobs=tuple(maker.listed(units)),
        standings=tuple(s for s in decision.standings if s.configuration not in stopped_before),
        why=decision.why if decision.finished else f"block {block}: {decision.why}",
    )
    return store.put_round(manifest.execution, made, runs)


def _told(store: Store, manifest: Manifest) -> Design:
    """Return the sweep's design, told what the store holds."""
    planned, figures = manifest.runs_planned(), store.figures(manifest.execution)
    measured = {
        c.id: Measured(planned[c.name], OverRuns.model_validate_json(figures[c.id]))
        for c in manifest.configurations
        if c.id in figures
    }
    design = design_of(manifest.spec, manifest.configurations)
    design.tell(Known(measured, store.spent_s(manifest.execution)))
    return design
