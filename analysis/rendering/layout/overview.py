"""The sweep overview: what was measured on what, the ranking, what was excluded, what to distrust."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.models import ConfigurationSummary, Ranked, SweepSummary
from analysis.ranking import CRITERION
from analysis.rendering.document import Block, Bullet, Bullets, Lines, Paragraph, Row, Section, Table
from analysis.rendering.layout.outcomes import outcome_sections
from analysis.rendering.layout.words import (
    ESTIMATOR,
    configuration_anchor,
    outcome_counts,
    parameter_value,
    runs_text,
    warmup_text,
)
from analysis.rendering.numbers import ABSENT, count, mean_sd, plural, utc
from contracts.manifest import SlotIdentity

_MOST_EXCLUDED = 100
_NOT_KNOWN = "not known"


def overview_section(summary: SweepSummary) -> Section:
    """Return the first section of the report."""
    return Section(
        "Sweep Overview",
        (
            _header(summary),
            *_slots(summary),
            Section("Ranking", tuple(_ranked_blocks(summary))),
            *outcome_sections(summary),
            *_inert(summary),
            Section("Excluded", tuple(_excluded(summary))),
            Section("What to Distrust", (_distrust(summary),)),
        ),
        anchor="overview",
    )


def _header(summary: SweepSummary) -> Lines:
    pairs = [
        ("Sweep", summary.sweep or "not known (no manifest: aggregated from a results file alone)"),
        ("Execution", summary.execution or _NOT_KNOWN),
        ("Models" if len(summary.models) > 1 else "Model", ", ".join(summary.models) or "not recorded"),
        ("Configurations", str(len(summary.configurations))),
        ("Runs planned", _planned(summary)),
        ("± is", ESTIMATOR[summary.sd]),
    ]
    if summary.warmup is not None:
        pairs.append(("Before a run", warmup_text(summary.warmup)))
    if summary.created_at is not None:
        pairs += [
            ("Started", utc(summary.created_at)),
            ("Finished", utc(summary.finished_at)),
            ("Resumed", {0: "never", 1: "once"}.get(summary.resumed or 0, f"{summary.resumed} times")),
            ("Order", f"randomised blocks, seed {summary.order_seed}"),
            ("Files", f"content hash {summary.corpus_digest}"),
            ("Code", _code(summary)),
        ]
    return Lines(tuple(pairs))


def _planned(summary: SweepSummary) -> str:
    return _NOT_KNOWN if summary.runs_planned is None else f"{summary.runs_planned} per configuration"


def _code(summary: SweepSummary) -> str:
    versions = [f"{name} {version}" for name, version in summary.versions.items()]
    commit = f"git {summary.git_commit}" if summary.git_commit else "no git commit"
    return ", ".join([*versions, commit])


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


def _ranked_blocks(summary: SweepSummary) -> Iterator[Block]:
    yield _ranking(summary)
    yield Paragraph(summary.verdict)
    if summary.ttft_verdict is not None:
        yield Paragraph(summary.ttft_verdict)
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


def _ranking(summary: SweepSummary) -> Table:
    places = {(c.config, c.agent): index for index, c in enumerate(summary.configurations)}
    header = (
        *("Rank", "Configuration", "Agent", "Runs complete", "Throughput over runs (tok/s)"),
        *("TTFT over runs, no cold calls (ms)", "Difference from the first", "Calls by outcome"),
    )
    clean_first = summary.ranking_rule == "clean-first"
    set_back = clean_first and any(not entry.degenerate_calls for entry in summary.ranking[:1])
    rows = tuple(
        _ranked(entry, summary.configurations[place], configuration_anchor(place), set_back)
        for entry in summary.ranking
        for place in [places[entry.config, entry.agent]]
    )
    return Table(header, "rllrrrll", rows, link_column=1)


def _ranked(entry: Ranked, configuration: ConfigurationSummary, anchor: str, set_back: bool) -> Row:
    cells = (
        count(entry.rank),
        entry.config,
        entry.agent,
        runs_text(configuration),
        mean_sd(entry.throughput_tok_s),
        mean_sd(configuration.over_runs.ttft_ms),
        _difference(entry, set_back),
        outcome_counts(configuration),
    )
    return Row(cells, tone="muted" if entry.rank is None else "", anchor=anchor)


def _difference(entry: Ranked, set_back: bool) -> str:
    """What can be said of it; of one that is set back for its answers only that."""
    difference = {None: ABSENT, True: "not clear", False: "clear"}[entry.overlaps_first]
    if entry.below_floor:
        difference = "none: below the floor"
    if entry.why is None:
        return difference
    return entry.why if set_back or difference == ABSENT else f"{difference}; {entry.why}"


def _excluded(summary: SweepSummary) -> Iterator[Block]:
    entries = [(c, entry) for c in summary.configurations for entry in c.excluded]
    if not entries:
        yield Paragraph("Nothing: every recorded call is valid.")
        return
    rows = tuple(
        Row((c.config, c.agent, str(entry.run), entry.stage, entry.reason))
        for c, entry in entries[:_MOST_EXCLUDED]
    )
    yield Table(("Configuration", "Agent", "Run", "Stage", "Reason"), "llrll", rows)
    if len(entries) > _MOST_EXCLUDED:
        yield Paragraph(f"… and {len(entries) - _MOST_EXCLUDED} more: summary.json names them all.")


def _distrust(summary: SweepSummary) -> Block:
    texts = list(summary.warnings)
    excluded = sum(len(c.excluded) for c in summary.configurations)
    if excluded:
        texts.append(
            f"{plural(excluded, 'exclusion')} (above): the figures rest on fewer calls than were planned or made"
        )
    cold = [c for c in summary.configurations if c.cold_calls]
    if cold and summary.warmup != "unload":
        calls = plural(sum(len(c.cold_calls) for c in cold), "cold call")
        texts.append(
            f"{calls} in {plural(len(cold), 'configuration')}: kept out of the warm TTFT, not out of the rates"
        )
    texts += [
        f"{c.config} ({c.agent}): {plural(len(c.notes), 'note')} below"
        for c in summary.configurations
        if c.notes
    ]
    if not texts:
        return Paragraph("Nothing that the rules below know of.")
    return Bullets(tuple(Bullet(text) for text in texts), tone="warning")
