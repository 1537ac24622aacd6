"""What became of the calls: failures, degenerate answers, suspect and retried calls, missing runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from analysis.findings.phrases import configs, first_of, mention, mentions, several_agents, share, some
from analysis.formatting import plural
from analysis.models import ConfigurationSummary, Finding, SweepSummary
from analysis.notes import MANY_SUSPECT
from analysis.rates import kinds_words
from contracts.call import Outcome

MANY_FAILED = 0.1
"""Above this share of one failure, what is left of a configuration may be a selection."""

_FAILED = {
    Outcome.ABORTED: (
        "ended without the server's final record",
        "Read the server's log at the times of these calls and the end of their texts. A guard against repetition ends "
        "a stream so: then raise repeat_penalty or lower temperature, and run the sweep anew.",
    ),
    Outcome.SERVER_ERROR: (
        "were answered with an error",
        "Read the reasons under Excluded and the server's log. Where memory was short, lower num_ctx or num_gpu.",
    ),
    Outcome.TIMEOUT: (
        "ran into a time limit",
        "Raise deadline (or server.timeouts) in the sweep file, or bound the answers by num_predict; slow "
        "configurations fail so first, and what is left of them looks faster than they are.",
    ),
    Outcome.CONNECTION: (
        "lost their connection",
        "Look whether the server was restarted or killed at these times (its log, the kernel's for out of memory), "
        "and what lies between worker and server.",
    ),
    Outcome.LOST: (
        "are lost: their worker died, or the job was given up",
        "Read the workers' logs and the kernel's for out of memory; then chimera run SWEEP.yaml --fresh.",
    ),
}


def failures(summary: SweepSummary) -> Iterator[Finding]:
    several = several_agents(summary.configurations)
    calls = sum(c.call_count for c in summary.configurations)
    for outcome, (what, advice) in _FAILED.items():
        found = [c for c in summary.configurations if c.outcomes.get(outcome.value)]
        if not found:
            continue
        found.sort(key=lambda c: -_share(c, outcome))
        failed = sum(c.outcomes[outcome.value] for c in found)
        many = any(_share(c, outcome) > MANY_FAILED for c in found)
        verb = what.replace("were ", "was ").replace("are ", "is ", 1) if failed == 1 else what
        yield Finding(
            rule=f"failures-{outcome.value.replace('_', '-')}",
            severity="critical" if many else "warning",
            text=f"{failed} of {plural(calls, 'call')} {verb.replace('their ', 'its ') if failed == 1 else verb} ({outcome.value})",
            evidence=first_of(
                [
                    f"{mention(c, several)}: {c.outcomes[outcome.value]} of {c.call_count} ({share(_share(c, outcome))})"
                    for c in found
                ]
            ),
            advice=advice,
            configurations=configs(found),
        )


def degenerate(summary: SweepSummary) -> Iterator[Finding]:
    found = [c for c in summary.configurations if c.degenerate_calls]
    if not found:
        return
    several = several_agents(summary.configurations)
    calls = sum(c.call_count for c in summary.configurations)
    first = bool(summary.ranking and summary.ranking[0].degenerate_calls)
    yield Finding(
        rule="degenerate-output",
        severity="critical" if first else "warning",
        text=f"{sum(c.degenerate_calls for c in found)} of {plural(calls, 'call')} gave a degenerate answer: a rate of broken answers says "
        f"little{', and the first place of the ranking has some' if first else ''}",
        evidence=first_of(
            [
                f"{mention(c, several)}: {c.degenerate_calls} of {c.call_count} ({kinds_words(c.rates)})"
                for c in found
            ]
        ),
        advice="Read the texts (stages.jsonl). Against repetition raise repeat_penalty or lower temperature; empty and short "
        "answers come from a too small num_ctx or num_predict, or from a prompt that the model does not take.",
        configurations=configs(found),
    )


def truncated(summary: SweepSummary) -> Iterator[Finding]:
    # The answers of a load are cut at the length that it asks for.
    cut = [c for c in summary.configurations if c.outcomes.get("truncated") and not c.is_load]
    if not cut:
        return
    several = several_agents(summary.configurations)
    number = sum(c.outcomes["truncated"] for c in cut)
    calls = "1 call was" if number == 1 else f"{number} calls were"
    yield Finding(
        rule="truncated",
        severity="warning",
        text=f"{calls} cut at the asked length limit (truncated): valid, but as long as the limit, not the model, made it",
        evidence=first_of(
            [f"{mention(c, several)}: {c.outcomes['truncated']} of {c.call_count}" for c in cut]
        ),
        advice="Compare rates and TTFT, not durations, tokens or texts; or raise num_predict and run the sweep anew.",
        configurations=configs(cut),
    )


def suspect(summary: SweepSummary) -> Iterator[Finding]:
    found = [c for c in summary.configurations if c.suspect_calls]
    number = sum(c.suspect_calls or 0 for c in found)
    calls = sum(c.call_count for c in summary.configurations)
    if not number:
        return
    several = several_agents(summary.configurations)
    many = number > MANY_SUSPECT * calls
    reasons = Counter(reason for c in found for reason in Counter(c.suspect_reasons).elements())
    more = ": the measuring process was disturbed" if many else ""
    yield Finding(
        rule="suspect-calls",
        severity="warning" if many else "note",
        text=f"{number} of {plural(calls, 'call')} {'is' if number == 1 else 'are'} suspect and left out{more}",
        evidence=first_of(
            [f"{reason} ({plural(count, 'call')})" for reason, count in reasons.most_common()]
            + [f"in {mentions(found, several)}"]
        ),
        advice="Give each slot a core of its own (taskset, or a cgroup's cpuset), and let nothing else run on the host; then "
        "chimera calibrate tells what is left.",
        configurations=configs(found),
    )


def retried(summary: SweepSummary) -> Iterator[Finding]:
    found = [c for c in summary.configurations if c.conditions and c.conditions.retried_calls]
    if not found:
        return
    several = several_agents(summary.configurations)
    number = sum(c.conditions.retried_calls or 0 for c in found if c.conditions)
    yield Finding(
        rule="retries",
        severity="note",
        text=f"{plural(number, 'call')} had to be sent more than once: the server was not ready, or refused",
        evidence=first_of(
            [
                f"{mention(c, several)}: {c.conditions.retried_calls} of {c.call_count}"
                for c in found
                if c.conditions
            ]
        ),
        advice="The times begin with the last sending, so they hold; look why the server refused (its log: queue full, "
        "restart), for it was not idle then.",
        configurations=configs(found),
    )


_ANEW = (
    "Runs without a record are measured by running the sweep again (chimera run SWEEP.yaml resumes it); failed ones only anew, "
    "with --fresh. "
)


def incomplete(summary: SweepSummary) -> Iterator[Finding]:
    broken = [c for c in summary.configurations if c.runs_complete < (c.runs_planned or c.runs)]
    if not broken:
        return
    several = several_agents(summary.configurations)
    broken.sort(key=lambda c: c.runs_complete / (c.runs_planned or c.runs))
    none = [c for c in broken if not c.runs_complete]
    unranked = (
        f"; {some(mention(c, several) for c in none)} {'has' if len(none) == 1 else 'have'} no complete run at all and no rank"
        if none
        else ""
    )
    yield Finding(
        rule="incomplete-runs",
        severity="critical" if none else "warning",
        text=f"not every run of {mentions(broken, several)} is complete: what failed or is suspect is not in the comparison, and may be why{unranked}",
        evidence=first_of([f"{mention(c, several)}: {_counts(c)}" for c in broken]),
        advice=("Run the sweep anew (chimera run SWEEP.yaml). " if summary.cancelled else _ANEW)
        + "Until then compare only configurations that lost nothing.",
        configurations=configs(broken),
    )


def methods_mixed(summary: SweepSummary) -> Iterator[Finding]:
    with_runs = [c for c in summary.configurations if c.over_runs.throughput_tok_s.n]
    by_method: dict[str, list[ConfigurationSummary]] = {}
    for c in with_runs:
        by_method.setdefault(c.over_runs.throughput_method, []).append(c)
    if len(by_method) < 2:
        return
    several = several_agents(summary.configurations)
    words = {
        "tokens_over_eval_time": "Σ tokens / Σ eval time",
        "mean_of_call_rates": "mean of the calls' rates",
        "output_over_window": "output tokens of all requests over the time at full load",
    }
    yield Finding(
        rule="methods-mixed",
        severity="warning",
        text="throughput over runs was not computed by the same method for every configuration",
        evidence=tuple(f"{words[method]}: {mentions(of, several)}" for method, of in by_method.items()),
        advice="Compare the mean of rates, which every configuration has (stage tables), or use servers that all report "
        "their eval time.",
    )


def _share(c: ConfigurationSummary, outcome: Outcome) -> float:
    return c.outcomes.get(outcome.value, 0) / max(c.call_count, 1)


def _counts(c: ConfigurationSummary) -> str:
    planned = c.runs if c.runs_planned is None else c.runs_planned
    return (
        f"{c.runs_complete} of {plural(planned, 'run')} complete, {plural(c.total('excluded'), 'exclusion')}"
    )
