"""Where figures come from: one block for the report, the comparison and the sections of configurations."""

from __future__ import annotations

from analysis.formatting import utc
from analysis.models import ConfigurationSummary, SweepSummary
from analysis.models.provenance import HostOf, ModelOf, Provenance, ServerOf, code_version
from analysis.rendering.document import Block, Lines, Paragraph, Section, Verbatim
from contracts.manifest import SlotIdentity

NOT_KNOWN = "not known"
_MOST = 8
"""Slots, digests and hosts that one line names."""


def provenance_section(p: Provenance, title: str = "Provenance", anchor: str = "") -> Section:
    """Return identity and commands; what is not known says so."""
    return Section(title, (*provenance_blocks(p),), anchor=anchor)


def provenance_blocks(p: Provenance) -> tuple[Block, ...]:
    """Return the same without a heading."""
    return (
        provenance_lines(p),
        Paragraph("How to do it again:"),
        Verbatim("\n".join(p.reproduce)),
    )


def provenance_lines(p: Provenance) -> Lines:
    """Return what identifies a result."""
    return Lines(
        (
            ("Result", p.title),
            ("Sweep", p.sweep or NOT_KNOWN),
            ("Execution", p.execution or NOT_KNOWN),
            ("Measured", f"{utc(p.created_at)} to {utc(p.finished_at)}" if p.created_at else NOT_KNOWN),
            ("Sweep id", _hashed(p.sweep_id, "of spec, files and prompts' version")),
            ("Spec", _hashed(p.spec_hash, "of the sweep file as understood")),
            ("Files", _hashed(p.corpus_digest, "")),
            ("Code", _code(p)),
            ("Models" if len(p.models) > 1 else "Model", _joined([_model(m) for m in p.models])),
            ("Servers" if len(p.servers) > 1 else "Server", _joined([_server(s) for s in p.servers])),
            ("Pools" if len(p.pools) > 1 else "Pool", ", ".join(p.pools) or NOT_KNOWN),
            ("Hosts" if len(p.hosts) > 1 else "Host", _joined([_host(h) for h in p.hosts])),
        )
    )


def configuration_provenance(c: ConfigurationSummary, sweep: SweepSummary) -> Lines:
    """Return what identifies one configuration's figures: only its own slots are named."""
    slots = [slot for slot in sweep.slots if slot.slot in c.slots]
    code = code_version(sweep.versions)
    return Lines(
        (
            ("Configuration id", c.config_id or NOT_KNOWN),
            ("Sweep id", _hashed(sweep.sweep_id, "of spec, files and prompts' version")),
            ("Spec", _hashed(sweep.spec_hash, "of the sweep file as understood")),
            ("Code", _commit(f"chimera-bench {code}" if code else "version not known", sweep.git_commit)),
            ("Model digest", ", ".join(c.model_digests) or NOT_KNOWN),
            ("Server", _joined(list(dict.fromkeys(map(_slot_server, slots))))),
            ("Measured on", _measured_on(c)),
        )
    )


def _hashed(value: str | None, of: str) -> str:
    if value is None:
        return NOT_KNOWN
    return f"content hash {value}{f' ({of})' if of else ''}"


def _code(p: Provenance) -> str:
    if not p.versions:
        return NOT_KNOWN
    first = [f"chimera-bench {p.code}"] if p.code else []
    rest = [
        f"{name} {version}"
        for name, version in p.versions.items()
        if name not in ("chimera-bench", "chimera")
    ]
    return _commit(", ".join([*first, *rest]), p.git_commit)


def _commit(versions: str, commit: str | None) -> str:
    return f"{versions}; the sweep file's checkout: {f'git {commit}' if commit else 'no git commit known'}"


def _model(m: ModelOf) -> str:
    told = [f"digest {', '.join(m.digests)}" if m.digests else "digest not told", *m.quantisations]
    return f"{m.name} ({'; '.join(told)})"


def _server(s: ServerOf) -> str:
    name = s.software or s.kind or "server"
    protocol = f", protocol {s.kind}" if s.kind and s.software and s.kind != s.software.lower() else ""
    return f"{name} {s.version or '(version not told)'}{protocol}{_on(s.slots)}"


def _slot_server(slot: SlotIdentity) -> str:
    if slot.server is None:
        return NOT_KNOWN
    return f"{slot.server.software or slot.server.kind} {slot.server.version or '(version not told)'}"


def _host(h: HostOf) -> str:
    gpus = "GPUs not known" if h.gpus is None else ", ".join(h.gpus) or "no GPU"
    drivers = f", driver {', '.join(h.drivers)}" if h.drivers else ""
    told = [part for part in (h.system, h.cpu) if part]
    words = "; ".join([*told, f"{gpus}{drivers}"]) if told or h.gpus is not None else "nothing else recorded"
    return f"{h.host} ({words}{_on(h.slots)})"


def _on(slots: tuple[str, ...]) -> str:
    return f"; slot{'s' * (len(slots) > 1)} {_some(slots)}" if slots else ""


def _measured_on(c: ConfigurationSummary) -> str:
    parts = [
        f"{label}{'s' * (len(names) > 1)} {_some(names)}"
        for label, names in (("slot", c.slots), ("host", c.hosts), ("pool", c.pools))
        if names
    ]
    return "; ".join(parts) or NOT_KNOWN


def _joined(texts: list[str]) -> str:
    return _some(tuple(texts), "; ") or NOT_KNOWN


def _some(names: tuple[str, ...], separator: str = ", ") -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return separator.join(names[:_MOST]) + more
