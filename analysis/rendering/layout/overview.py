"""The sweep overview: the answer first, what to distrust, what to do, the table of configurations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from analysis.models import Excluded, SweepSummary
from analysis.ranking import CRITERION
from analysis.rendering.document import Block, Lines, Paragraph, Row, Section, Table
from analysis.rendering.layout.charts import overview_charts
from analysis.rendering.layout.findings import key_findings_section, recommendations_section
from analysis.rendering.layout.outcomes import outcome_sections
from analysis.rendering.layout.table_of_configurations import MEANING, configurations_table
from analysis.rendering.layout.words import ESTIMATOR, parameter_value, warmup_text
from analysis.rendering.numbers import ABSENT, utc
from contracts.manifest import SlotIdentity

_MOST_EXCLUDED = 100
_NOT_KNOWN = "not known"


def overview_section(summary: SweepSummary) -> Section:
    """Return the first section of the report."""
    return Section(
        "Sweep Overview",
        (
            _header(summary),
            key_findings_section(summary),
            *recommendations_section(summary),
            Section("Configurations", tuple(_configurations(summary))),
            *overview_charts(summary),
            _sweep(summary),
            *outcome_sections(summary),
            *_inert(summary),
            Section("Excluded", tuple(_excluded(summary))),
            *_slots(summary),
        ),
        anchor="overview",
    )


def _header(summary: SweepSummary) -> Lines:
    """What the answers are about, and no more."""
    ended = () if summary.cancelled is None else (("Ended before its time", _cancelled(summary)),)
    return Lines(
        (
            *ended,
            ("Sweep", summary.sweep or "not known (no manifest: aggregated from a results file alone)"),
            ("Models" if len(summary.models) > 1 else "Model", ", ".join(summary.models) or "not recorded"),
            ("Configurations", _number(summary)),
            ("Runs planned", _planned(summary)),
        )
    )


def _number(summary: SweepSummary) -> str:
    """How many configurations; where agents ran at the same time, also of how many agents."""
    names = {c.config for c in summary.configurations}
    if len(names) == len(summary.configurations):
        return str(len(names))
    return f"{len(names)} ({len(summary.configurations)} with each of their agents)"


def _cancelled(summary: SweepSummary) -> str:
    """Why, and what is missing."""
    planned = sum(c.runs_planned or 0 for c in summary.configurations)
    measured = sum(min(c.runs, c.runs_planned or 0) for c in summary.configurations)
    none = sum(not c.runs for c in summary.configurations)
    without = f"; {none:,} of {len(summary.configurations):,} configurations have no run" if none else ""
    return f"{summary.cancelled}; {planned - measured:,} of {planned:,} planned runs are missing{without} (see Excluded)"


def _sweep(summary: SweepSummary) -> Section:
    pairs = [("sd is", ESTIMATOR[summary.sd])]
    if summary.baseline is not None:
        pairs.append(("Baseline", summary.baseline))
    if summary.warmup is not None:
        pairs.append(("Before a run", warmup_text(summary.warmup)))
    if summary.created_at is not None:
        pairs += [
            ("Started", utc(summary.created_at)),
            ("Finished", utc(summary.finished_at)),
            ("Resumed", {0: "never", 1: "once"}.get(summary.resumed or 0, f"{summary.resumed} times")),
            *([("Ended because", summary.ended_because)] if summary.ended_because else []),
            ("Order", f"randomised blocks, seed {summary.order_seed}"),
        ]
    return Section("The Sweep", (Lines(tuple(pairs)),))


def _planned(summary: SweepSummary) -> str:
    if summary.runs_until is not None:
        until = summary.runs_until
        targets = ", ".join(f"{name} ± {100 * target:g} %" for name, target in until.until.items())
        return f"{until.min} to {until.max} per configuration, until {targets}"
    if summary.runs_planned is not None:
        return f"{summary.runs_planned} per configuration"
    planned = sorted({c.runs_planned for c in summary.configurations if c.runs_planned is not None})
    if not planned:
        return _NOT_KNOWN
    return (
        f"{planned[0]} to {planned[-1]} per configuration"
        if len(planned) > 1
        else f"{planned[0]} per configuration"
    )


def _slots(summary: SweepSummary) -> Iterator[Block]:
    if not summary.slots:
        return
    header = ("Slot", "Pool", "Host", "CPU", "GPU", "Server")
    rows = tuple(Row(_slot(slot)) for slot in summary.slots)
    yield Section("Slots, Hosts and Servers", (Table(header, "llllll", rows),))


def _slot(slot: SlotIdentity) -> tuple[str, ...]:
    host, server = slot.host, slot.server
    cpu = ABSENT
    if host and (host.cpu or host.cpu_count):
        cpu = f"{host.cpu or 'CPU'} ({host.cpu_count or '?'} logical)"
    return (
        slot.slot,
        slot.pool,
        f"{host.host}, {host.os} ({host.machine})" if host else ABSENT,
        cpu,
        _gpus(slot),
        f"{server.software or server.kind} {server.version or '(version not told)'}" if server else ABSENT,
    )


def _gpus(slot: SlotIdentity) -> str:
    if slot.host is None or slot.host.gpus is None:
        return "not known (no NVML)" if slot.host else ABSENT
    return ", ".join(gpu.name or "unnamed GPU" for gpu in slot.host.gpus) or "none"


def _configurations(summary: SweepSummary) -> Iterator[Block]:
    yield configurations_table(summary)
    yield Paragraph(MEANING)
    if any(load.is_open for load in summary.loads):
        yield Paragraph(
            "Of open loops TTFT and duration are from the scheduled time, not from the sending (see Load)."
        )
    if summary.loads:
        yield Paragraph(
            "Throughput of a load is that of all its requests together; a load is not chosen for it."
        )
    yield Paragraph(CRITERION[summary.ranking_rule])


def _inert(summary: SweepSummary) -> tuple[Section, ...]:
    """Configurations under several names: the server made one value of several that were asked for."""
    if not summary.inert:
        return ()
    rows = tuple(
        Row(
            (
                entry.axis,
                entry.model or ABSENT,
                _values(entry.asked),
                parameter_value(entry.applied),
                _values(entry.others),
                entry.why,
            )
        )
        for entry in summary.inert
    )
    header = ("Axis", "Model", "Asked", "Applied", "Other values", "Why")
    words = (
        "The asked values of one row are one to the server: configurations that differ in nothing else are one under "
        "several names, and what differs between them is chance. An axis without other values is inert: it swept nothing."
    )
    return (Section("Inert Axes", (Table(header, "lllrll", rows), Paragraph(words))),)


def _values(values: Sequence[int | float | None]) -> str:
    return ", ".join(map(parameter_value, values)) or "none"


def _excluded(summary: SweepSummary) -> Iterator[Block]:
    """One row for all calls of a configuration that are left out for one reason."""
    groups: dict[tuple[str, str, str], list[Excluded]] = {}
    for c in summary.configurations:
        for entry in c.excluded:
            groups.setdefault((c.config, c.agent, entry.reason), []).append(entry)
    if summary.taken_back:
        jobs = "; ".join(f"{one.jobs} of {one.slot} ({one.why})" for one in summary.taken_back)
        yield Paragraph(
            f"Taken back, because their slot's server was broken, and measured elsewhere: jobs {jobs}."
        )
    if not groups:
        yield Paragraph("Nothing: every recorded call is valid.")
        return
    rows = tuple(
        Row(
            (
                config,
                agent,
                str(len(entries)),
                _runs(entry.run for entry in entries),
                ", ".join(dict.fromkeys(entry.stage for entry in entries)),
                reason,
            )
        )
        for (config, agent, reason), entries in list(groups.items())[:_MOST_EXCLUDED]
    )
    yield Table(("Configuration", "Agent", "Exclusions", "Runs", "Stages", "Reason"), "llrlll", rows)
    if len(groups) > _MOST_EXCLUDED:
        yield Paragraph(f"… and {len(groups) - _MOST_EXCLUDED} more rows: stages.jsonl holds every call.")
    out = sum(c.left_out.get("excluded", 0) for c in summary.configurations)
    if out:
        yield Paragraph(f"{out:,} more exclusions are only counted here: stages.jsonl holds every call.")


def _runs(numbers: Iterable[int]) -> str:
    """``1, 3 to 5``."""
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(
        str(low) if low == high else f"{low}, {high}" if high == low + 1 else f"{low} to {high}"
        for low, high in spans
    )
