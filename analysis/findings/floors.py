"""The measurement floor: where it was reached, and where it is not known or not the right one."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.findings.phrases import configs, first_of
from analysis.floor import measured_by_client
from analysis.formatting import plural, signed
from analysis.metrics import BY_KEY, TTFT
from analysis.models import Finding, SweepSummary

LARGE = 0.1
"""Of the smallest mean TTFT: a floor above it hides differences that matter to people."""


def floor_large(summary: SweepSummary) -> Iterator[Finding]:
    known = [mean for c in summary.configurations if (mean := c.over_runs.ttft_ms.mean) is not None]
    if summary.floor is None or not known or not summary.floor.ttft_ms > LARGE * min(known):
        return
    worst = [
        f"{slot.slot}: TTFT error at p99 {slot.floor.ttft_error_p99_ms:.2f} ms"
        for slot in summary.slots
        if slot.floor is not None
    ]
    yield Finding(
        rule="floor-large",
        severity="warning",
        text=f"the measurement floor of {TTFT.title}, {summary.floor.ttft_ms:.2f} ms, is {100 * summary.floor.ttft_ms / min(known):.0f} % of the smallest "
        f"mean TTFT ({min(known):.2f} ms): smaller differences can't be told",
        evidence=first_of(worst) or (f"calibrated slots: {', '.join(summary.floor.slots)}",),
        advice="Calibrate again on a quiet host (chimera calibrate), then chimera report: a busy one makes the floor larger than it "
        "need be.",
    )


def floor_reached(summary: SweepSummary) -> Iterator[Finding]:
    floor = summary.floor
    if floor is None:
        return
    compared = [c for c in summary.comparisons if c.verdict == "below the floor"]
    if compared:
        verb = "is" if len(compared) == 1 else "are"
        yield Finding(
            rule="floor-reached",
            severity="note",
            text=f"{plural(len(compared), 'difference')} from the baseline {verb} below the measurement floor (TTFT {floor.ttft_ms:.2f} ms, "
            f"rates measured by the client {floor.rate_percent:.2g} %) and called none, whatever a test says",
            evidence=first_of(
                [
                    f"{BY_KEY[c.metric].title}: {c.candidate} {signed(c.difference)} {BY_KEY[c.metric].unit}"
                    for c in compared
                ]
            ),
            advice="Don't quote them. To tell smaller differences, quieten the hosts and calibrate anew (chimera calibrate), or "
            "use a server that reports its own eval time.",
            configurations=tuple(dict.fromkeys(c.candidate for c in compared)),
        )


def not_calibrated(summary: SweepSummary) -> Iterator[Finding]:
    bare = [slot.slot for slot in summary.slots if slot.floor is None]
    by_client = [c for c in summary.configurations if measured_by_client(c)]
    if bare and by_client:
        yield Finding(
            rule="not-calibrated",
            severity="warning",
            text=f"the client measured the rates, but its own error is not known on {', '.join(bare)}: run chimera calibrate",
            evidence=(f"{plural(len(by_client), 'configuration')} with rates that the client measured",),
            advice="Run chimera calibrate on these slots' machines, while nothing else runs there; then chimera report.",
            configurations=configs(by_client),
        )


def other_clock(summary: SweepSummary) -> Iterator[Finding]:
    floors = {slot.floor.clock for slot in summary.slots if slot.floor is not None}
    found = [c for c in summary.configurations if c.conditions and set(c.conditions.clocks) - floors]
    others = {clock for c in found if c.conditions for clock in c.conditions.clocks} - floors
    if summary.floor is not None and others:
        yield Finding(
            rule="floor-of-another-clock",
            severity="warning",
            text=f"the measurement floor was found with the {' and '.join(sorted(floors))} clock, but calls were timed with "
            f"the {' and '.join(sorted(others))} clock, whose error may be another",
            evidence=(f"calls of {plural(len(found), 'configuration')}",),
            advice="Use an address without TLS on Linux, so that the kernel stamps arrivals, or take client times only for "
            "differences well above the floor.",
            configurations=configs(found),
        )


def other_host(summary: SweepSummary) -> Iterator[Finding]:
    for slot in summary.slots:
        if slot.floor is not None and slot.host is not None and slot.floor.host != slot.host.host:
            yield Finding(
                rule="floor-of-another-host",
                severity="warning",
                text=f"the measurement floor of {slot.slot} was found on {slot.floor.host}, but it measured on "
                f"{slot.host.host}: run chimera calibrate",
                evidence=(f"calibrated {slot.floor.measured_at:%Y-%m-%d %H:%M} UTC on {slot.floor.host}",),
                advice=f"Run chimera calibrate for {slot.slot} on {slot.host.host}.",
            )
