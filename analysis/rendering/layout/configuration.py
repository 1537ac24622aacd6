"""One configuration as measured by one agent, in the first seed's layout."""

from __future__ import annotations

from analysis.applied import same_value
from analysis.models import AppliedParameter, ConfigurationSummary, SweepSummary
from analysis.provenance import provenance as provenance_of
from analysis.reasons import kind_of
from analysis.rendering.document import (
    Block,
    Bullet,
    Bullets,
    Document,
    Lines,
    Paragraph,
    Row,
    Section,
    Table,
)
from analysis.rendering.layout.findings import findings_blocks, findings_of
from analysis.rendering.layout.grounding import grounding_sections
from analysis.rendering.layout.load_runs import load_runs_sections
from analysis.rendering.layout.metrics import aggregate_section, calls_section, statistics_section
from analysis.rendering.layout.over_runs import over_runs_sections
from analysis.rendering.layout.provenance import provenance_section
from analysis.rendering.layout.telemetry import telemetry_sections
from analysis.rendering.layout.words import NOT_RECORDED, left_out_words, parameter_value
from analysis.rendering.layout.workflow import technical_report_section, workflow_section
from analysis.rendering.numbers import utc
from analysis.same_text import same_text_words
from contracts.configuration import describe_parameters
from contracts.outcome import HostIdentity

_MOST_SINGLE = 12
"""Excluded calls and runs that are listed one by one; of more, each kind of reason is."""


def configuration_title(c: ConfigurationSummary) -> str:
    alone = ", measured alone" if c.agents == 1 else ""
    return f"Chimera Agent Report: {c.config} ({c.agent}{alone})"


def configuration_blocks(c: ConfigurationSummary, sweep: SweepSummary) -> tuple[Block, ...]:
    """Return the section of one configuration; ``sweep`` tells the machines' identities."""
    return (
        _header(c, sweep),
        Section("Configuration", (Paragraph(_parameters(c)), *_as_run(c), *_applied(c))),
        aggregate_section(c),
        Section("Excluded", (_excluded(c), *left_out_words(c, "excluded", "exclusion"))),
        *_notes(c),
        *(load_runs_sections(c) if c.is_load else _of_the_agent(c)),
        *grounding_sections(c),
        *_same_text(c),
        *telemetry_sections(c),
    )


def _of_the_agent(c: ConfigurationSummary) -> tuple[Block, ...]:
    """What the agent did and wrote, each of its calls, and figures over runs."""
    return (
        workflow_section(c),
        technical_report_section(c),
        calls_section(c),
        statistics_section(c),
        *over_runs_sections(c),
    )


def configuration_report(c: ConfigurationSummary, sweep: SweepSummary) -> Document:
    """Return a document of one configuration alone: the first seed's, with what the rules say of it and its origin."""
    header, *rest = configuration_blocks(c, sweep)
    return Document(
        configuration_title(c),
        (
            header,
            Section("Key Findings", findings_blocks(findings_of(sweep, c.config))),
            *rest,
            provenance_section(provenance_of(sweep)),
        ),
    )


def _header(c: ConfigurationSummary, sweep: SweepSummary) -> Lines:
    hosts = [slot.host for slot in sweep.slots if slot.slot in c.slots and slot.host is not None]
    runs = str(c.runs) if c.runs_planned is None else f"{c.runs} (of {c.runs_planned} planned)"
    return Lines(
        (
            ("Model", c.model or NOT_RECORDED),
            ("Runs", runs),
            ("Timestamp", utc(c.ended_at)),
            ("Language", _distinct([f"Python {host.python}" for host in hosts])),
            ("System", _distinct([_system(host) for host in hosts])),
        )
    )


def _distinct(texts: list[str]) -> str:
    return ", ".join(dict.fromkeys(texts)) or NOT_RECORDED


def _system(host: HostIdentity) -> str:
    return f"{host.os} ({host.machine})"


def _parameters(c: ConfigurationSummary) -> str:
    if c.parameters is None:
        return f"{c.config} (parameters not recorded)"
    return describe_parameters(c.parameters)


def _as_run(c: ConfigurationSummary) -> tuple[Paragraph, ...]:
    """Say what the server itself told of the model that it ran; what it did not tell is left out."""
    told = (
        ("context", ", ".join(f"{tokens} tokens" for tokens in c.contexts)),
        ("quantisation", ", ".join(c.quantisations)),
        ("model digest", ", ".join(c.model_digests)),
    )
    words = "; ".join(f"{name} {text}" for name, text in told if text)
    return (Paragraph(f"As the server ran it: {words}."),) if words else ()


def _applied(c: ConfigurationSummary) -> tuple[Table, ...]:
    """Asked and applied, where any applied value is known."""
    if not c.applied:
        return ()
    rows = tuple(
        Row(
            (
                entry.name,
                parameter_value(entry.asked),
                " or ".join(map(parameter_value, entry.applied)),
                _how(entry),
            )
        )
        for entry in c.applied
    )
    return (Table(("Parameter", "Asked", "Applied", "How that is known"), "lrrl", rows),)


def _how(entry: AppliedParameter) -> str:
    differs = entry.asked is not None and any(not same_value(entry.asked, value) for value in entry.applied)
    return f"{'not as asked: ' if differs else ''}{entry.how}"


def _same_text(c: ConfigurationSummary) -> tuple[Section, ...]:
    if not c.same_text:
        return ()
    items = tuple(Bullet(same_text_words(entry), entry.stage) for entry in c.same_text)
    words = "Asked with a seed and temperature 0, so that the text should be the same each time."
    return (Section("Reproducibility", (Paragraph(words), Bullets(items))),)


def _excluded(c: ConfigurationSummary) -> Block:
    if not c.excluded:
        return Paragraph("Nothing: every recorded call is valid.")
    if len(c.excluded) <= _MOST_SINGLE:
        return Bullets(
            tuple(Bullet(entry.reason, f"Run {entry.run} / {entry.stage}") for entry in c.excluded)
        )
    kinds: dict[str, list[str]] = {}
    for entry in c.excluded:
        kinds.setdefault(kind_of(entry.reason), []).append(f"run {entry.run} / {entry.stage}: {entry.reason}")
    return Bullets(tuple(Bullet(kind, f"{len(found)} ×", tuple(found)) for kind, found in kinds.items()))


def _notes(c: ConfigurationSummary) -> tuple[Section, ...]:
    if not c.notes:
        return ()
    items = tuple(
        Bullet(note.text, "" if note.run is None else f"Run {note.run} / {note.stage}") for note in c.notes
    )
    return (Section("Notes", (Bullets(items, tone="warning"), *left_out_words(c, "notes", "note"))),)
