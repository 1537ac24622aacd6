"""The rule engine: a sweep's summary → what a reader must know, what it rests on, and what to do.

A rule is a function from the summary to findings. It reads nothing else, so that the same summary gives the same
findings. Answers (best, what matters, what was not seen to matter) are findings too, of severity ``note``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from analysis.findings import (
    answers,
    axes,
    calls,
    execution,
    floors,
    hardware,
    load,
    noted,
    pairs,
    places,
    spread,
    texts,
    work,
)
from analysis.findings.answers import is_answer
from analysis.models import Finding, Severity, SweepSummary

__all__ = ["RULES", "findings", "is_answer", "warnings_of"]

Rule = Callable[[SweepSummary], Iterator[Finding]]

RULES: Final[tuple[Rule, ...]] = (
    answers.fastest,
    answers.others_best,
    answers.what_matters,
    answers.not_seen,
    execution.cancelled,
    places.pools_mixed,
    places.servers_differ,
    places.digests_differ,
    calls.incomplete,
    calls.degenerate,
    calls.failures,
    places.slot_outlying,
    places.hosts_several,
    places.slots_unequal,
    places.contexts_differ,
    places.layers_kept,
    axes.inert_axes,
    axes.inert_that_moves,
    axes.sampler_without_effect,
    execution.by_plots,
    execution.divided_loads,
    work.prompts_differ,
    *(
        pairs.slowed_down,
        pairs.without_solo,
        pairs.hardly_overlap,
        pairs.unfair,
        pairs.other_work,
        pairs.other_than_alone,
    ),
    *(
        load.beyond_capacity,
        load.search_without_answer,
        load.not_monotonic,
        load.sent_late,
        load.failed,
        load.concurrency_not_reached,
        load.few_requests,
        load.suspect,
        load.answers_short,
    ),
    hardware.throttled,
    hardware.host_busy,
    hardware.cold_mixed,
    calls.suspect,
    floors.not_calibrated,
    floors.other_clock,
    floors.other_host,
    floors.floor_large,
    floors.floor_reached,
    spread.few_runs,
    spread.not_precise,
    spread.wide_intervals,
    spread.unstable,
    spread.bimodal,
    spread.trends,
    spread.drift,
    spread.outliers,
    texts.ungrounded,
    calls.methods_mixed,
    calls.truncated,
    calls.retried,
    execution.taken_back,
    execution.measured_again,
    noted.noted,
)
"""In the order in which findings of one severity stand."""

_ORDER: Final[dict[Severity, int]] = {"critical": 0, "warning": 1, "note": 2}


def findings(summary: SweepSummary) -> tuple[Finding, ...]:
    """Return all findings, the gravest first. The summary's own findings and warnings are not read."""
    found = [finding for rule in RULES for finding in rule(summary)]
    return tuple(sorted(found, key=lambda finding: _ORDER[finding.severity]))


def warnings_of(found: Iterable[Finding]) -> tuple[str, ...]:
    """Return the texts of what to distrust: findings that are more than a note."""
    return tuple(finding.text for finding in found if finding.severity != "note")
