"""Before anything is sent: can the live slots do what the sweep asks?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from contracts.failures import SetupError
from contracts.slots import FurtherServer, SlotStatus
from contracts.store import Store
from contracts.sweep import ServerKind
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
        for server in dict.fromkeys((slot.server, *(one.server for one in slot.further.values()))):
            # An address of loopback is another server on each host.
            host = slot.host if is_loopback(urlsplit(server).hostname or "") else ""
            of_server.setdefault((host, server), []).append(slot.slot)
    return [
        f"slots {', '.join(names)} share the server {server}: their jobs disturb each other, and are slower than alone; "
        "give each slot a server of its own"
        for (_, server), names in of_server.items()
        if len(names) > 1
    ]


def models_wanted(plan: Plan) -> dict[str | None, dict[str, str]]:
    """Return which models are wanted of which of a slot's servers (``None``: its own): server → model → place in the sweep file."""
    file = plan.sweep_file
    swept, of_agents = where(file, "model", "axes.model"), where(file, "workload.agents", "workload")
    wanted: dict[str | None, dict[str, str]] = {}
    for configuration in plan.configurations:
        for role in configuration.agents:
            at = swept if role.model in _swept(plan) else of_agents
            wanted.setdefault(role.server, {}).setdefault(role.model, at)
        if not configuration.agents:
            wanted.setdefault(None, {}).setdefault(configuration.model, swept)
    return wanted


def _swept(plan: Plan) -> set[str | None]:
    return {plan.spec.model, *(plan.spec.axes.model or ())}


def _problems(plan: Plan, slot: SlotStatus) -> list[str]:
    spec = plan.spec
    if slot.problem is not None:
        return [f"{where(plan.sweep_file, 'server')}: slot {slot.slot}: {slot.problem}"]
    found = []
    for name, models in models_wanted(plan).items():
        if name is None:
            own = FurtherServer(server=slot.server, models=slot.models)
            found += _lacking(plan, slot, "the server", own, models)
        elif name in slot.further:
            found += _lacking(plan, slot, f"the further server {name!r}", slot.further[name], models)
        else:
            has = ", ".join(slot.further) or "none"
            found.append(
                f"{where(plan.sweep_file, 'workload.agents', 'workload')}: slot {slot.slot} has no further server {name!r} "
                f"(it has: {has}): start its worker with --also {name}=URL"
            )
    if spec.deadline > slot.max_deadline_s:
        found.append(
            f"{where(plan.sweep_file, 'deadline')}: slot {slot.slot} accepts deadlines up to {slot.max_deadline_s:g} s, the sweep's is "
            f"{spec.deadline:g} s: start its worker with --max-deadline {spec.deadline:g}"
        )
    return found


def _lacking(
    plan: Plan, slot: SlotStatus, which: str, server: FurtherServer, models: dict[str, str]
) -> list[str]:
    """Return a line for each thing that is wanted of a slot's server and that it can't do."""
    kind = plan.spec.server.kind
    if server.problem is not None:
        return [f"{where(plan.sweep_file, 'server')}: slot {slot.slot}: {server.problem}"]
    if kind not in server.models:
        spoken = ", ".join(server.models) or "nothing known"
        return [
            f"{where(plan.sweep_file, 'server')}: slot {slot.slot}: {which} at {server.server} does not speak "
            f"{kind!r} (it speaks: {spoken}): name one of those under 'server', or give the slot another server"
        ]
    has = server.models[kind]
    return [
        f"{at}: slot {slot.slot}: {which} at {server.server} has no model {model!r} (it has: {', '.join(has) or 'none'}){_how_to_get(kind, model, has)}"
        for model, at in sorted(models.items())
        if model not in has and f"{model}:latest" not in has
    ]


def _how_to_get(kind: ServerKind, model: str, has: Sequence[str]) -> str:
    near = difflib.get_close_matches(model, has, n=1)
    hint = f": did you mean {near[0]!r}?" if near else ": name one of those in the sweep file"
    return f"{hint} Or load it: ollama pull {model}" if kind == "ollama" else hint
