"""What to distrust about loads: beyond capacity, late or too few requests, failures, suspect times, short answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from analysis.findings.phrases import configs, first_of, share
from analysis.formatting import plural
from analysis.load.quantiles import fewest
from analysis.load.words import kept_words, level_words
from analysis.models import Finding, Severity, SweepSummary
from analysis.models.load import LoadConfiguration
from analysis.notes import MANY_SUSPECT
from analysis.statistics.percentiles import needed
from contracts.load import MOST_FAILED

OWN_DELAY = 0.01
"""Part of the mean TTFT that the client's own delay of sending may be: as for suspect calls."""
OWN_DELAY_LEAST_MS = 1.0
SHORT = 0.95
"""Median answers below this part of the asked length are called shorter than asked."""
NOT_REACHED = 0.95
"""A closed loop with less than this part of the asked requests at a time is no such load."""


def beyond_capacity(summary: SweepSummary) -> Iterator[Finding]:
    """Loads that the server did not keep up with: meant in a search, where its own figures are those of other loads."""
    found = [load for load in summary.loads if not load.search and load.kept_up < load.can_tell]
    told = [load for load in summary.loads if not load.search and load.can_tell]
    if not found:
        return
    none = all(load.kept_up == 0 for load in told)
    yield _finding(
        "load-beyond-capacity",
        "warning",
        f"the server did not keep up with {len(found)} of {plural(len(told), 'load')}"
        + (": with none of those asked for" if none else ""),
        found,
        lambda load: f"kept up in {kept_words(load)}{_by_what(load)}",
        (
            "Don't quote latencies of these loads as the server's: a queue that grows makes them as long as one measures. Output and "
            "requests served per second are its capacity. "
            if any(load.is_open for load in found)
            else "So many users at a time get less than the SLO promises. "
        )
        + (
            "Ask for lower loads too, or let a search find the limit."
            if none
            else "Quote latencies at lower loads."
        ),
    )


def search_without_answer(summary: SweepSummary) -> Iterator[Finding]:
    """Searches whose range does not hold the limit in every run."""
    found = [s for s in summary.saturations if s.method == "search" and (s.low is None or s.high is None)]
    if not found:
        return
    yield Finding(
        rule="saturation-out-of-range",
        severity="warning",
        text=f"{plural(len(found), 'search')} did not enclose the highest load that the server keeps up with",
        evidence=first_of(
            [
                f"{s.config}: "
                + (
                    "no run tells whether the server kept up"
                    if not s.runs
                    else f"not every run {'found a load that it keeps up with' if s.low is None else 'found one that is too much'}"
                )
                for s in found
            ]
        ),
        advice="Lower search.start where no load was kept up with, raise search.max where all were, and give each step more requests "
        "where none can tell.",
        configurations=configs(found),
    )


def not_monotonic(summary: SweepSummary) -> Iterator[Finding]:
    found = [s for s in summary.saturations if not s.monotonic]
    if not found:
        return
    yield Finding(
        rule="saturation-not-monotonic",
        severity="warning",
        text="a higher load was kept up with than one that was not: how much the server can serve differs from load to load by more than "
        "their distance",
        evidence=first_of(
            [f"{s.config}: not kept up with {level_words(s.high, s.over)}, and with more" for s in found]
        ),
        advice="Measure longer (requests, duration) and more runs; look whether something else used the server at times.",
        configurations=configs(found),
    )


def sent_late(summary: SweepSummary) -> Iterator[Finding]:
    """The client's own delay, which is in every latency from the scheduled time."""
    found = [load for load in summary.loads if _is_late(load)]
    if found:
        yield _finding(
            "requests-sent-late",
            "warning",
            "the client itself sent requests later than they were due: it was not the limit of requests at a time that held them back, "
            "and the delay is in the latencies",
            found,
            lambda load: (
                f"{load.own_late_ms.mean.mean:.3g} ms in the mean, of a mean TTFT of {load.ttft_ms.mean.mean:.4g} ms"
            ),
            "Give the worker cores of its own and let nothing else run there, or ask for less; then look at the latencies from the "
            "sending, which don't hold the delay.",
        )


def failed(summary: SweepSummary) -> Iterator[Finding]:
    found = [load for load in summary.loads if _failed(load) > MOST_FAILED * load.counted]
    if found:
        yield _finding(
            "requests-failed-under-load",
            "warning",
            f"more than {MOST_FAILED:.0%} of the requests failed in {plural(len(found), 'load')}: latencies are of those that were "
            "answered, and look better than they are",
            found,
            lambda load: (
                f"{_failed(load)} of {load.counted} ({', '.join(f'{o} {n}' for o, n in load.failed.items())})"
            ),
            "Look at the lowest load with failures: the server refuses or drops what it can't hold (length of its queue, memory, time "
            "limits). Compare loads below it only.",
        )


def concurrency_not_reached(summary: SweepSummary) -> Iterator[Finding]:
    found = [
        load
        for load in summary.loads
        if load.over == "concurrency"
        and load.asked
        and load.achieved_concurrency.mean is not None
        and load.achieved_concurrency.mean < NOT_REACHED * load.asked
    ]
    if found:
        yield _finding(
            "concurrency-not-reached",
            "warning",
            "fewer requests were under way than were asked for at a time: it is a lower load than its name says",
            found,
            lambda load: f"{load.achieved_concurrency.mean:.3g} at a time in the mean",
            "Look whether requests failed at once (Failed), whether the client was late (its host's CPU), and whether answers are so short "
            "that the time between them counts; quote the achieved concurrency.",
        )


def few_requests(summary: SweepSummary) -> Iterator[Finding]:
    """No window at all, or no tail of the latency."""
    blind = [load for load in summary.loads if load.window_s.n < load.runs]
    if blind:
        yield _finding(
            "load-without-a-window",
            "warning",
            f"{plural(len(blind), 'load')} had too few requests to have a time at full load, and so no figure"
            + (", in some runs" if any(load.window_s.n for load in blind) else ""),
            blind,
            lambda load: (
                f"{plural(load.requests, 'request')} in {plural(load.runs, 'run')}"
                + (f", of which {load.window_s.n} have figures" if load.window_s.n else "")
            ),
            "Ask for several times as many requests as run at a time (requests), or for a longer duration.",
        )
    short = [load for load in summary.loads if load.counted and load.ttft_ms.p99.n < load.runs]
    if short:
        yield _finding(
            "too-few-requests-for-p99",
            "note",
            f"{plural(len(short), 'load')} had too few requests in a run for the p99 of a latency",
            short,
            lambda load: (
                f"{load.counted} counted in {plural(load.runs, 'run')}"
                + (f", of which {load.ttft_ms.p99.n} have one" if load.ttft_ms.p99.n else "")
            ),
            f"Ask for at least {fewest(99)} counted requests a run. To be precise by one run alone it would take "
            f"{needed(99):,} (LoadGen's rule); several runs show the spread with fewer.",
        )


def suspect(summary: SweepSummary) -> Iterator[Finding]:
    found = [load for load in summary.loads if load.suspect]
    if not found:
        return
    many = [load for load in found if load.suspect > MANY_SUSPECT * load.counted]
    yield _finding(
        "suspect-requests-of-a-load",
        "warning" if many else "note",
        "requests that the worker itself may have changed are in no latency of their load"
        + (": what is left may not be typical" if many else ""),
        many or found,
        lambda load: f"{load.suspect} of {load.counted} counted ({share(load.suspect / load.counted)})",
        "Give the worker a core of its own: with many requests at a time it has more to read. Rates of the load hold these requests.",
    )


def answers_short(summary: SweepSummary) -> Iterator[Finding]:
    found = [
        load
        for load in summary.loads
        if load.asked_output_tokens is not None
        and load.output_tokens.mean is not None
        and load.output_tokens.mean < SHORT * load.asked_output_tokens
    ]
    if found:
        yield _finding(
            "answers-shorter-than-asked",
            "warning",
            "answers ended before the asked length: loads are compared by less work than their name says",
            found,
            lambda load: f"median {load.output_tokens.mean:.4g} of {load.asked_output_tokens:g} tokens",
            "Use a server that can be told to go on (ignore_eos), raise num_ctx where the context ended the answer, or take prompts "
            "that ask for long answers; compare output tokens per second, not requests per second.",
        )


def _finding(
    rule: str,
    severity: Severity,
    text: str,
    found: Sequence[LoadConfiguration],
    evidence: Callable[[LoadConfiguration], str],
    advice: str,
) -> Finding:
    return Finding(
        rule=rule,
        severity=severity,
        text=text,
        evidence=first_of([f"{_named(load)}: {evidence(load)}" for load in found]),
        advice=advice,
        configurations=configs(found),
    )


def _named(load: LoadConfiguration) -> str:
    return f"{load.config}, {level_words(load.asked, load.over)}" if load.search else load.config


def _failed(load: LoadConfiguration) -> int:
    return sum(load.failed.values())


def _is_late(load: LoadConfiguration) -> bool:
    late, ttft = load.own_late_ms.mean.mean, load.ttft_ms.mean.mean
    return (
        load.is_open
        and late is not None
        and ttft is not None
        and late > max(OWN_DELAY * ttft, OWN_DELAY_LEAST_MS)
    )


def _by_what(load: LoadConfiguration) -> str:
    """By how much the queue grew, and how many of the requests kept the SLO."""
    growth, good = load.backlog_growth.mean, load.good_share.mean
    told = [f"the backlog grew by {growth:.3g} requests"] if load.is_open and growth is not None else []
    told += [f"{share(good)} of the requests kept the SLO"] if good is not None else []
    return "".join(f"; {one}" for one in told)
