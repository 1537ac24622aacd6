"""Before anything is sent: can the live slots do what the sweep asks?"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from contracts.failures import SetupError
from contracts.slots import SlotStatus
from contracts.store import Store
from contracts.tls import is_loopback
from producer.plan import Plan
from producer.sweep_file import where


def check_slots(plan: Plan, store: Store) -> list[SlotStatus]:
    """Return the live slots of the sweep's pool whose model servers answer.

    Raises:
        SetupError: there is none, or one of them can't do what the sweep asks; one line a problem.
    """
    pool = plan.spec.pool
    live = store.slots()
    slots = [slot for slot in live if slot.pool == pool]
    if not slots:
        others = sorted({slot.pool for slot in live})
        seen = f"; live pools: {', '.join(others)}" if others else "; no worker is live at all"
        raise SetupError(
            f"{where(plan.sweep_file, 'pool')}: pool {pool!r} has no live slot{seen}. "
            f"Start one: chimera worker --slot NAME --server URL --pool {pool}"
        )
    answering = [slot for slot in slots if slot.problem is None]
    problems = [problem for slot in answering or slots for problem in _problems(plan, slot)]
    if not store.has_aggregator():
        problems.append("no aggregator is live. Start one: chimera aggregator")
    if problems:
        raise SetupError("\n".join(problems))
    return answering


def ill_slots(pool: str, store: Store) -> list[str]:
    """Return a line for each live slot of the pool whose model server does not answer, it may later; or is another's, too."""
    slots = [slot for slot in store.slots() if slot.pool == pool]
    lines = [f"slot {s.slot} does not measure now: {s.problem}" for s in slots if s.problem is not None]
    return lines + shared_servers(slots)


def shared_servers(slots: Iterable[SlotStatus]) -> list[str]:
    """Return a line for each model server that several slots measure at the same time."""
    of_server: dict[tuple[str, str], list[str]] = {}
    for slot in slots:
        # An address of loopback is another server on each host.
        host = slot.host if is_loopback(urlsplit(slot.server).hostname or "") else ""
        of_server.setdefault((host, slot.server), []).append(slot.slot)
    return [
        f"slots {', '.join(names)} share the server {server}: their jobs disturb each other, and are slower than alone; "
        "give each slot a server of its own"
        for (_, server), names in of_server.items()
        if len(names) > 1
    ]


def _problems(plan: Plan, slot: SlotStatus) -> list[str]:
    spec = plan.spec
    if slot.problem is not None:
        return [f"{where(plan.sweep_file, 'server')}: slot {slot.slot}: {slot.problem}"]
    if spec.server.kind not in slot.models:
        spoken = ", ".join(slot.models) or "nothing known"
        return [
            f"{where(plan.sweep_file, 'server')}: slot {slot.slot}: the server at {slot.server} does not speak "
            f"{spec.server.kind!r} (it speaks: {spoken})"
        ]
    has = slot.models[spec.server.kind]
    found = [
        f"{where(plan.sweep_file, 'model', 'axes.model')}: slot {slot.slot}: the server at {slot.server} has no "
        f"model {model!r} (it has: {', '.join(has) or 'none'})"
        for model in sorted({c.model for c in plan.configurations})
        if model not in has and f"{model}:latest" not in has
    ]
    if spec.deadline > slot.max_deadline_s:
        found.append(
            f"{where(plan.sweep_file, 'deadline')}: slot {slot.slot} accepts deadlines up to {slot.max_deadline_s:g} s, the sweep's is "
            f"{spec.deadline:g} s: start its worker with --max-deadline {spec.deadline:g}"
        )
    return found
