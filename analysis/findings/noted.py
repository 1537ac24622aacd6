"""Notes of single configurations, gathered over the sweep by what they are about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.findings.phrases import configs, first_of, mention, several_agents
from analysis.formatting import plural
from analysis.models import ConfigurationSummary, Finding, Note, Severity, SweepSummary


@dataclass(frozen=True)
class _About:
    severity: Severity
    text: str
    """What is said of the configurations, whose number stands before it."""
    advice: str
    after_warmup: str | None = None
    """The advice where there were warm-up calls or unloading before each run."""


_ABOUT = {
    "several-identities": _About(
        "critical",
        "under one name hold records of several models or parameters",
        "Give every configuration a name of its own in the results file and make the report anew.",
    ),
    "clocks-disagree": _About(
        "warning",
        "where the server's counters and the client's clock disagree on the rate",
        "Find out what the server's eval time and token count cover before quoting either (docs/servers.md); compare such "
        "configurations only with their like.",
    ),
    "unload-failed": _About(
        "warning",
        "where unloading the model before a run failed or had no effect",
        "Look whether another client keeps the model loaded (keep_alive), and measure these runs anew.",
    ),
    "cpu-steal": _About(
        "warning",
        "on hosts whose CPU time the hypervisor gave to others",
        "Measure on a machine of your own, or pin the virtual CPUs; client times of these calls may be late.",
    ),
    "short-answer": _About(
        "warning",
        "with answers of a tenth of the usual length: a rate over a few tokens says little",
        "Ask for a length (min_words of the workload, num_predict), so that short answers are degenerate and not measured.",
    ),
    "no-throughput": _About(
        "warning",
        "with valid calls that have no throughput",
        "Use a server that reports token counts, or ask it to (stream_options.include_usage).",
    ),
    "different-texts": _About(
        "note",
        "whose texts differ although a seed and temperature 0 were asked for",
        "Don't build on equal texts: batching and parallel arithmetic change the last digits of logits. Compare "
        "durations only over many runs, for the texts' lengths differ too.",
    ),
    "cold-unknown": _About(
        "note",
        "of which some calls may be cold or warm: it is not known",
        "Use warmup: 1 or more, or warmup: unload, so that it is known; where the server reports no load time, its "
        "TTFT may hold one.",
        "Use a server that reports its load time, or keep the model loaded (keep_alive): warm-up calls alone don't tell "
        "whether it was let go of between.",
    ),
    "prompt-cache": _About(
        "note",
        "with prompts partly taken from the server's prompt cache",
        "To pay every prompt's prefill, set server.prompt_cache: false; else compare TTFT only between equals.",
    ),
    "client-rate": _About(
        "note",
        "whose rates the client measured, because the server reports no eval time",
        "Run chimera calibrate on the slots, so that the client's own error is known.",
    ),
    "outcome-inferred": _About(
        "note",
        "whose outcomes are inferred, not recorded",
        "Record outcome in the results file (docs/results.md): an inference can be wrong.",
    ),
}


def noted(summary: SweepSummary) -> Iterator[Finding]:
    several = several_agents(summary.configurations)
    for rule, about in _ABOUT.items():
        found: list[tuple[ConfigurationSummary, Note]] = [
            (c, note) for c in summary.configurations for note in c.notes if note.rule == rule
        ]
        if found:
            named = configs(c for c, _ in found)
            yield Finding(
                rule=rule,
                severity=about.severity,
                text=f"{plural(len(named), 'configuration')} {about.text}",
                evidence=first_of([f"{mention(c, several)}{_run(note)}: {note.text}" for c, note in found]),
                advice=about.after_warmup if about.after_warmup and summary.warmup else about.advice,
                configurations=named,
            )


def _run(note: Note) -> str:
    return "" if note.run is None else f", run {note.run} / {note.stage}"
