"""How the execution went: ended before its time, jobs taken back or measured again, models loaded plot by plot."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.findings.phrases import configs, first_of, mention, several_agents, some
from analysis.formatting import plural
from analysis.models import Finding, SweepSummary
from analysis.models.calls import OwnLoad
from analysis.samples import Plot, plot_of
from contracts.configuration import format_value
from contracts.plots import DEFAULT_LOADS, RELOADING


def cancelled(summary: SweepSummary) -> Iterator[Finding]:
    """What a cancelled sweep lacks, by configuration."""
    if summary.cancelled is None:
        return
    several = several_agents(summary.configurations)
    lacking = [c for c in summary.configurations if c.runs < (c.runs_planned or 0)]
    planned = sum(c.runs_planned or 0 for c in summary.configurations)
    missing = sum((c.runs_planned or 0) - c.runs for c in lacking)
    lacking.sort(key=lambda c: c.runs)
    yield Finding(
        rule="cancelled",
        severity="critical" if missing else "warning",
        text=f"the sweep was ended before its time ({summary.cancelled}): {missing:,} of {plural(planned, 'planned run')} "
        f"{'is' if missing == 1 else 'are'} missing",
        evidence=first_of(
            [f"{mention(c, several)}: {c.runs} of {plural(c.runs_planned or 0, 'run')}" for c in lacking]
        ),
        advice="Run the sweep anew for all planned runs (chimera run SWEEP.yaml). Until then compare only configurations with as "
        "many runs as were planned: which runs are missing may be no chance.",
        configurations=configs(lacking),
    )


def taken_back(summary: SweepSummary) -> Iterator[Finding]:
    """Outcomes of a broken server are none of the configuration's."""
    if not summary.taken_back:
        return
    jobs = sum(one.jobs for one in summary.taken_back)
    slots = [one.slot for one in summary.taken_back]
    whose = (
        "its slot's server was"
        if jobs == 1
        else "their slots' servers were"
        if len(slots) > 1
        else "their slot's server was"
    )
    yield Finding(
        rule="taken-back",
        severity="note",
        text=f"{plural(jobs, 'job')} {'was' if jobs == 1 else 'were'} taken back because {whose} broken, and measured elsewhere "
        f"({some(slots)})",
        evidence=first_of(
            [f"{one.slot}: {plural(one.jobs, 'job')}, {one.why}" for one in summary.taken_back]
        ),
        advice="Look at the server's log on these slots; their failed attempts are kept beside the results and are in no figure.",
    )


def measured_again(summary: SweepSummary) -> Iterator[Finding]:
    """Later deliveries: what counts is the first outcome, whichever delivery it is of."""
    found = [c for c in summary.configurations if c.repeated_runs]
    if not found:
        return
    several = several_agents(summary.configurations)
    number = sum(c.repeated_runs for c in found)
    yield Finding(
        rule="later-attempts",
        severity="note",
        text=f"{plural(number, 'run')} {'was' if number == 1 else 'were'} measured by a later delivery of the job: an attempt before "
        "ended without an outcome",
        evidence=first_of([f"{mention(c, several)}: {plural(c.repeated_runs, 'run')}" for c in found]),
        advice="The attempts are numbered in stages.jsonl. Where they come from one slot, look at its worker's log.",
        configurations=configs(found),
    )


def by_plots(summary: SweepSummary) -> Iterator[Finding]:
    """What differences between models, contexts and layers rest on, where each load serves many runs."""
    loads = _loads(summary)
    if len(loads) < 2:
        return
    counts = [len(found) for found in loads.values()]
    fewest, total = min(counts), sum(counts)
    few = fewest < DEFAULT_LOADS
    yield Finding(
        rule="whole-plots",
        severity="warning" if few else "note",
        text=f"models were loaded plot by plot, {total} loads of {len(loads)} plots: differences between plots "
        f"({', '.join(RELOADING)}) rest on loads, those within a plot on runs"
        + (
            f"; with {plural(fewest, 'load')} of a plot no difference between plots is claimed" if few else ""
        ),
        evidence=(
            f"{min(counts)} to {max(counts)} loads of each plot"
            if min(counts) < max(counts)
            else f"{fewest} of each plot",
        ),
        advice=f"For differences between plots ask for more loads, not for more runs: order: {{kind: plots, loads: {max(DEFAULT_LOADS, 2 * fewest)}}}.",
    )


def divided_loads(summary: SweepSummary) -> Iterator[Finding]:
    """Loads whose jobs were shared with another slot: a slow slot's, or one's that was gone."""
    total, divided = 0, list[str]()
    for plot, found in _loads(summary).items():
        slots: dict[int, list[str]] = {}
        for load, slot in sorted(found, key=lambda one: (one[0], one[1] or "")):
            slots.setdefault(load, []).append(slot or "a slot that is not known")
        total += len(slots)
        named = ", ".join(
            f"{axis}={format_value(value)}"
            for axis, value in zip(RELOADING, plot, strict=True)
            if value is not None
        )
        divided += [f"{named}, load {load}: {', '.join(on)}" for load, on in slots.items() if len(on) > 1]
    if divided:
        yield Finding(
            rule="divided-loads",
            severity="note",
            text=f"{len(divided)} of {plural(total, 'load')} {'was' if len(divided) == 1 else 'were'} divided over slots: what was "
            "measured on each slot counts as a load of its own",
            evidence=first_of(divided),
            advice="Nothing has to be done: the tail of a load goes to another slot where that ends the sweep sooner, or where the first "
            "one is gone. With order: {placement: balanced} a load is divided only where its slot is gone.",
        )


def _loads(summary: SweepSummary) -> dict[Plot, set[OwnLoad]]:
    loads: dict[Plot, set[OwnLoad]] = {}
    for c in summary.configurations:
        for run in c.over_runs.runs:
            if run.own_load is not None:
                loads.setdefault(plot_of(c), set()).add(run.own_load)
    return loads
