"""What every artefact carries: what was measured, by which code, on what, and how to do it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from analysis.models import SweepSummary
from analysis.naming import execution_name, summary_name
from contracts.base import Strict, content_hash
from contracts.manifest import Manifest, SlotIdentity
from contracts.records import StageRecord

CHIMERA = "chimera-bench"
"""The distribution's name among a manifest's versions."""
PROMPTS = "prompts"
"""The version of the prompt files among them."""


class ModelOf(Strict):
    """One model, as the servers told; more than one value: not the same in all runs."""

    name: str
    digests: tuple[str, ...] = ()
    quantisations: tuple[str, ...] = ()


class ServerOf(Strict):
    """One version of one model server, and the slots that it stood behind."""

    kind: str | None
    """``ollama``, ``llama.cpp``, ``openai``; ``None``: not known."""
    software: str | None = None
    version: str | None
    slots: tuple[str, ...] = ()


class HostOf(Strict):
    """One machine."""

    host: str
    system: str | None = None
    """Operating system and architecture."""
    cpu: str | None = None
    gpus: tuple[str, ...] | None = None
    """Names; ``None``: not known."""
    drivers: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()


class Provenance(Strict):
    """``None`` or empty: not known."""

    name: str | None
    """By the convention of :mod:`analysis.naming`."""
    sweep: str | None
    execution: str | None
    sweep_id: str | None
    """Content hash of spec, corpus and prompts' version: the same for the same experiment."""
    spec_hash: str | None = None
    """Content hash of the sweep file as understood, its defaults left out."""
    corpus_digest: str | None
    versions: dict[str, str]
    """Distribution → version, Python's and the prompts' among them."""
    git_commit: str | None
    """Of the checkout that holds the sweep file."""
    created_at: datetime | None
    finished_at: datetime | None
    resumed: int | None
    order_seed: int | None
    pools: tuple[str, ...]
    models: tuple[ModelOf, ...]
    servers: tuple[ServerOf, ...]
    hosts: tuple[HostOf, ...]
    reproduce: tuple[str, ...]
    """Commands of a shell, a line each; a line that begins with ``#`` explains."""

    @property
    def code(self) -> str | None:
        """Version of Chimera that planned it."""
        return _code(self.versions)

    @property
    def title(self) -> str:
        """The shortest name that tells it apart."""
        return self.name or self.execution or self.sweep or "results without a manifest"


def provenance(summary: SweepSummary, manifest: Manifest | None = None) -> Provenance:
    """Return what a summary tells; the manifest adds the hash of the spec alone."""
    configurations = summary.configurations
    told = [(c.model, c.model_digests, c.quantisations) for c in configurations]
    pools = {pool for c in configurations for pool in c.pools} | {slot.pool for slot in summary.slots}
    return Provenance(
        name=summary_name(summary),
        sweep=summary.sweep,
        execution=summary.execution,
        sweep_id=summary.sweep_id,
        spec_hash=_spec_hash(manifest),
        corpus_digest=summary.corpus_digest,
        versions=dict(summary.versions),
        git_commit=summary.git_commit,
        created_at=summary.created_at,
        finished_at=summary.finished_at,
        resumed=summary.resumed,
        order_seed=summary.order_seed,
        pools=tuple(sorted(pools)),
        models=_models((m, set(digests), set(quantisations)) for m, digests, quantisations in told),
        servers=_servers(summary.slots),
        hosts=_hosts(summary.slots, {host for c in configurations for host in c.hosts}),
        reproduce=_commands(
            summary.versions,
            summary.git_commit,
            summary.sweep_id,
            options="" if summary.sd == "sample" else f" --sd {summary.sd}",
        ),
    )


def provenance_of_records(records: Sequence[StageRecord], manifest: Manifest | None) -> Provenance:
    """Return the same without a summary: what stages, and their manifest if there is one, tell."""
    slots = manifest.slots if manifest else ()
    told: dict[str | None, tuple[set[str], set[str]]] = {}
    for configuration in manifest.configurations if manifest else ():
        told.setdefault(configuration.model, (set(), set()))
    for record in records:
        digests, quantisations = told.setdefault(record.model, (set(), set()))
        if record.model_digest is not None:
            digests.add(record.model_digest)
        if record.quantisation is not None:
            quantisations.add(record.quantisation)
    pools = {r.pool for r in records if r.pool is not None} | {slot.pool for slot in slots}
    versions = dict(manifest.versions) if manifest else {}
    sweeps, executions = {r.sweep for r in records}, {r.execution for r in records}
    return Provenance(
        name=execution_name(manifest) if manifest else None,
        sweep=manifest.sweep if manifest else _only(sweeps),
        execution=manifest.execution if manifest else _only(executions),
        sweep_id=manifest.sweep_id if manifest else None,
        spec_hash=_spec_hash(manifest),
        corpus_digest=manifest.corpus_digest if manifest else None,
        versions=versions,
        git_commit=manifest.git_commit if manifest else None,
        created_at=manifest.created_at if manifest else None,
        finished_at=manifest.finished_at if manifest else None,
        resumed=manifest.resumed if manifest else None,
        order_seed=manifest.order_seed if manifest else None,
        pools=tuple(sorted(pools)),
        models=_models((model, *known) for model, known in told.items()),
        servers=_servers(slots) or _servers_of(records),
        hosts=_hosts(slots, {r.host for r in records if r.host is not None}),
        reproduce=_commands(
            versions, manifest.git_commit if manifest else None, manifest.sweep_id if manifest else None
        ),
    )


def _spec_hash(manifest: Manifest | None) -> str | None:
    if manifest is None:
        return None
    return content_hash(manifest.spec.model_dump(mode="json", exclude_defaults=True))


def _models(told: Iterable[tuple[str | None, set[str], set[str]]]) -> tuple[ModelOf, ...]:
    found: dict[str, tuple[set[str], set[str]]] = {}
    for model, digests, quantisations in told:
        if model is None and not digests:
            continue
        known = found.setdefault(model or "(name not recorded)", (set(), set()))
        known[0].update(digests)
        known[1].update(quantisations)
    return tuple(
        ModelOf(name=name, digests=tuple(sorted(digests)), quantisations=tuple(sorted(quantisations)))
        for name, (digests, quantisations) in sorted(found.items())
    )


def _servers(slots: Iterable[SlotIdentity]) -> tuple[ServerOf, ...]:
    found: dict[tuple[str | None, str | None, str | None], list[str]] = {}
    for slot in slots:
        if slot.server is not None:
            key = (slot.server.kind, slot.server.software, slot.server.version)
            found.setdefault(key, []).append(slot.slot)
    return _servers_from(found)


def _servers_of(records: Iterable[StageRecord]) -> tuple[ServerOf, ...]:
    found: dict[tuple[str | None, str | None, str | None], list[str]] = {}
    for record in records:
        if record.server_version is not None:
            slots = found.setdefault((None, None, record.server_version), [])
            if record.slot is not None and record.slot not in slots:
                slots.append(record.slot)
    return _servers_from(found)


def _servers_from(found: dict[tuple[str | None, str | None, str | None], list[str]]) -> tuple[ServerOf, ...]:
    return tuple(
        ServerOf(kind=kind, software=software, version=version, slots=tuple(sorted(slots)))
        for (kind, software, version), slots in sorted(
            found.items(), key=lambda entry: tuple(map(str, entry[0]))
        )
    )


def _hosts(slots: Iterable[SlotIdentity], named: set[str]) -> tuple[HostOf, ...]:
    found: dict[str, HostOf] = {name: HostOf(host=name) for name in named}
    for slot in slots:
        host = slot.host
        if host is None:
            continue
        known = found.get(host.host)
        found[host.host] = HostOf(
            host=host.host,
            system=f"{host.os} ({host.machine})",
            cpu=host.cpu,
            gpus=None if host.gpus is None else tuple(gpu.name or "unnamed GPU" for gpu in host.gpus),
            drivers=tuple(sorted({gpu.driver for gpu in host.gpus or () if gpu.driver})),
            slots=tuple(sorted({*(known.slots if known else ()), slot.slot})),
        )
    return tuple(found[name] for name in sorted(found))


def _only(values: set[str | None]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None


_SPEC = "import json; print(json.dumps(json.load(open('manifest.json'))['spec']))"


def _commands(
    versions: dict[str, str], commit: str | None, sweep_id: str | None, options: str = ""
) -> tuple[str, ...]:
    """JSON is YAML: the manifest's spec is a sweep file."""
    if sweep_id is None:
        return (
            "# the same figures from the same stages (no manifest: what was asked for is not known):",
            f"chimera report RESULTS{options} --out again",
        )
    code = _code(versions)
    lines = [
        "# in the results folder: the same figures from the same stages",
        f"chimera report .{options} --out again",
        f"# the measurement again, on slots of the pool{f', with {CHIMERA} {code}' if code else ''}",
    ]
    if commit is not None:
        plain, _, dirty = commit.partition("+")
        changed = ", with local changes that no commit holds" if dirty else ""
        lines.append(f"# the checkout of the sweep file was at {plain}{changed}")
    return (
        *lines,
        f'python -c "{_SPEC}" > sweep.yaml',
        "# move sweep.yaml to where its workload's paths lead to the files, and there:",
        f"chimera plan sweep.yaml   # prints the sweep id; it must be {sweep_id}",
        "chimera run sweep.yaml --fresh",
    )


def _code(versions: dict[str, str]) -> str | None:
    return versions.get(CHIMERA) or versions.get("chimera")
