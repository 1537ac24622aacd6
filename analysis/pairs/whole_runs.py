"""Which runs of several agents count: those in which every agent's stages are there and valid.

Where one agent failed, the others had the server to themselves for a while. Their figures of that run are no figures of
agents at the same time, so that the run is complete for none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from analysis.models import ConfigurationSummary
from analysis.outliers import run_outliers
from analysis.over_runs import of_runs
from analysis.pairs.groups import groups
from analysis.statistics.description import describe
from analysis.trends import configuration_trends

OF_THIS_AGENT = "the last run in which its own stages are valid; another agent's are not"
"""Why a run is shown that is complete for none."""


def only_runs_of_all(configurations: Sequence[ConfigurationSummary]) -> list[ConfigurationSummary]:
    """Return the summaries, with what is over runs made anew where a run of an agent is no run of all.

    Trends are then those before :func:`analysis.trends.adjust_trends`. A sweep of several agents has a fixed number of
    runs, so that its intervals are no confidence sequences.
    """
    broken: dict[tuple[str, str], frozenset[int]] = {}
    for group in groups(configurations):
        numbers = (*group.runs, *group.alone_runs)
        left = frozenset(run for run in numbers if group.why_incomplete(run) is not None)
        broken |= {(group.config, member.summary.agent): left for member in group.members}
    return [_without(c, broken.get((c.config, c.agent), frozenset())) for c in configurations]


def _without(c: ConfigurationSummary, broken: frozenset[int]) -> ConfigurationSummary:
    """The summary, with no complete run among those."""
    if not any(run.complete and run.run in broken for run in c.over_runs.runs):
        return c
    runs = tuple(replace(run, complete=False) if run.run in broken else run for run in c.over_runs.runs)
    shown = c.shown
    if shown is not None and shown.run in broken:
        shown = shown.model_copy(update={"why": OF_THIS_AGENT})
    return c.model_copy(
        update={
            "runs_complete": sum(run.complete for run in runs),
            "over_runs": of_runs(runs, c.over_runs.throughput_method, partial(describe, kind=c.sd)),
            "outliers": run_outliers(runs),
            "trends": configuration_trends(runs),
            "shown": shown,
        }
    )
