"""From a summary, or from stages and their manifest, to the provenance that every artefact carries."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from analysis.models import SweepSummary
from analysis.models.provenance import CHIMERA, HostOf, ModelOf, Provenance, ServerOf, code_version
from analysis.naming import execution_name, summary_name
from contracts.base import content_hash
from contracts.manifest import Manifest, SlotIdentity
from contracts.records import StageRecord

__all__ = [
    "CHIMERA",
    "HostOf",
    "ModelOf",
    "Provenance",
    "ServerOf",
    "provenance",
    "provenance_of_records",
    "spec_hash",
]


def provenance(summary: SweepSummary) -> Provenance:
    """Return what a summary tells."""
    configurations = summary.configurations
    told = [(c.model, c.model_digests, c.quantisations) for c in configurations]
    pools = {pool for c in configurations for pool in c.pools} | {slot.pool for slot in summary.slots}
    return Provenance(
        name=summary_name(summary),
        sweep=summary.sweep,
        execution=summary.execution,
        sweep_id=summary.sweep_id,
        spec_hash=summary.spec_hash,
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
            options=_options(summary),
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
        spec_hash=spec_hash(manifest),
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


def spec_hash(manifest: Manifest | None) -> str | None:
    """Return the content hash of the sweep file as understood, its defaults left out; ``None``: not known."""
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


def _options(summary: SweepSummary) -> str:
    """Return what the figures rest on and a sweep file can say otherwise, so that no default decides."""
    words = [] if summary.sd == "sample" else ["--sd", summary.sd]
    words += ["--ranking", summary.ranking_rule]
    if summary.baseline is not None:
        words.append(f"--baseline={summary.baseline}")  # one word: a name may begin with a dash
    return f" {shlex.join(words)}"


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
    code = code_version(versions)
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
