"""How far the figures can be trusted: the measurement floor of each slot, and how the calls were timed."""

from __future__ import annotations

from collections.abc import Iterator

from analysis import floor
from analysis.models import SweepSummary
from analysis.rendering.document import Block, Paragraph, Row, Section, Table
from analysis.rendering.layout.tables import Column, sparse_table
from analysis.rendering.layout.words import configuration_anchor
from analysis.rendering.numbers import ABSENT, count, utc, value
from contracts.manifest import SlotIdentity

_NOT_CALIBRATED = "not calibrated: run chimera calibrate"
_FRAMES = {"told": "told by the server", "one": "one", "unknown": "unknown"}


def conditions_sections(summary: SweepSummary) -> tuple[Section, ...]:
    """Return the section, or nothing where neither slots nor calls tell any."""
    blocks = (*_floor(summary), *_timed(summary), *_gpus(summary))
    return (Section("Conditions of Measurement", blocks, anchor="conditions"),) if blocks else ()


def _floor(summary: SweepSummary) -> Iterator[Block]:
    if not summary.slots:
        return
    if summary.floor is None:
        yield Section(
            "Measurement Floor",
            (Paragraph(f"No slot is calibrated: run chimera calibrate. {_UNKNOWN}"),),
        )
        return
    header = (
        *("Slot", "Calibrated", "Clock", "TTFT error, median (ms)", "p99 (ms)", "worst (ms)"),
        *("ITL error, median (%)", "p99 (%)", "worst (%)", "Timer step (ns)", "Calls at once"),
    )
    table = Table(header, "lllrrrrrrrr", tuple(map(_floor_row, summary.slots)))
    applied = f"The floor of this sweep: TTFT {summary.floor.ttft_ms:.2f} ms, rates measured by the client {summary.floor.rate_percent:.2f} %."
    yield Section("Measurement Floor", (Paragraph(_WHAT), table, Paragraph(f"{applied} {floor.RULE}")))


_WHAT = (
    "What Chimera's own client adds, measured on the slot's machine against a server with a known schedule."
)
_UNKNOWN = (
    "What Chimera's own client adds to TTFT and ITL on these machines is not known, so that a small difference of "
    "client times may be the client's own."
)


def _floor_row(slot: SlotIdentity) -> Row:
    found = slot.floor
    if found is None:
        return Row((slot.slot, _NOT_CALIBRATED, *[ABSENT] * 9), tone="muted")
    return Row(
        (
            slot.slot,
            utc(found.measured_at),
            found.clock,
            f"{found.ttft_error_median_ms:+.3f}",
            f"{found.ttft_error_p99_ms:.3f}",
            f"{found.ttft_error_max_ms:.3f}",
            f"{found.itl_error_median_percent:+.3f}",
            f"{found.itl_error_p99_percent:.3f}",
            f"{found.itl_error_max_percent:.3f}",
            str(found.timer_resolution_ns),
            f"{found.calls} at {found.concurrency}",
        )
    )


def _timed(summary: SweepSummary) -> Iterator[Block]:
    rows = [
        (index, c, c.conditions) for index, c in enumerate(summary.configurations) if c.conditions is not None
    ]
    table = sparse_table(
        (
            Column("Configuration", "l", tuple(c.config for _, c, _ in rows), keep=True),
            Column("Agent", "l", tuple(c.agent for _, c, _ in rows), keep=True),
            Column("Clock", "l", tuple(_counts(t.clocks, {}) for *_, t in rows)),
            Column("Largest loop lag (ms)", "r", tuple(value(t.loop_lag_max_ms) for *_, t in rows)),
            Column("Largest arrival lag (ms)", "r", tuple(value(t.arrival_lag_max_ms) for *_, t in rows)),
            Column("Suspect", "r", tuple(count(c.suspect_calls) for _, c, _ in rows)),
            Column("Retried", "r", tuple(count(t.retried_calls) for *_, t in rows)),
            Column("Connecting, median (ms)", "r", tuple(value(t.connect_median_ms) for *_, t in rows)),
            Column("Tokens per frame", "l", tuple(_counts(t.frame_tokens, _FRAMES) for *_, t in rows)),
        ),
        anchors=[configuration_anchor(index) for index, *_ in rows],
    )
    if table is not None:
        yield Section("How Calls Were Timed", (table, Paragraph(_TIMED)))


_TIMED = (
    "Clock: the kernel stamps an arrival when the bytes reach the socket, the process (user) when it has read them. "
    "Loop lag: the longest time for which the worker did not look for arrivals; arrival lag: the longest time from "
    "the kernel's stamp to the reading. Connecting is part of no other time: connections stand before a call is sent."
)


def _counts(counts: dict[str, int], words: dict[str, str]) -> str:
    """``kernel``, or ``kernel 5, user 1`` where calls differ."""
    if len(counts) == 1:
        return words.get(*[*counts] * 2)
    return ", ".join(f"{words.get(name, name)} {number}" for name, number in counts.items()) or ABSENT


def _gpus(summary: SweepSummary) -> Iterator[Block]:
    """Say once why no GPU was sampled, where stages were."""
    stages = [stage for c in summary.configurations for stage in c.telemetry]
    if not stages or any(stage.gpus for stage in stages):
        return
    why = "NVML could not be asked" if all(stage.gpus is None for stage in stages) else "NVML sees no GPU"
    yield Paragraph(f"No GPU telemetry: {why}.")
