"""What is said when a sweep has ended: the first places, what was excluded, verdicts and warnings.

``summary.json`` of a large sweep is many MB; who only wants to say this need not read it.
"""

from __future__ import annotations

from collections import Counter

from analysis.findings.phrases import several_agents
from analysis.models import SweepSummary
from analysis.reasons import kind_of
from analysis.statistics.description import Description
from contracts.base import Strict

MOST_PLACES = 50
MOST_REASONS = 5


class Place(Strict):
    """One place of the ranking."""

    rank: int | None
    """``None``: no valid run to rank by."""
    config: str
    agent: str | None = None
    """``None``: the sweep has one only."""
    runs: int
    """Planned ones, if that is known, else those recorded."""
    runs_complete: int
    throughput_tok_s: Description
    """Over complete runs, as is the next."""
    ttft_ms: Description
    outcomes: dict[str, int]
    """Calls by outcome."""


class Ending(Strict):
    """A sweep's end in short."""

    places: tuple[Place, ...]
    more_places: int
    """Configurations that are left out here, as are the next two."""
    excluded: tuple[tuple[str, int], ...]
    """Kinds of reasons why calls or runs do not count, with how many, the most frequent first."""
    more_reasons: int
    more_excluded: int
    """Excluded calls or runs whose reasons are in ``stages.jsonl`` alone."""
    said: tuple[str, ...]
    """Verdicts and warnings."""


def ending_of(summary: SweepSummary) -> Ending:
    """Return the end of a summary's sweep."""
    by_name = {(c.config, c.agent): c for c in summary.configurations}
    reasons = Counter(kind_of(entry.reason) for c in summary.configurations for entry in c.excluded)
    several = several_agents(summary.configurations)
    places = []
    for ranked in summary.ranking[:MOST_PLACES]:
        c = by_name[ranked.config, ranked.agent]
        places.append(
            Place(
                rank=ranked.rank,
                config=c.config,
                agent=c.agent if several else None,
                runs=c.runs if c.runs_planned is None else c.runs_planned,
                runs_complete=c.runs_complete,
                throughput_tok_s=c.over_runs.throughput_tok_s,
                ttft_ms=c.over_runs.ttft_ms,
                outcomes={str(outcome): n for outcome, n in c.outcomes.items()},
            )
        )
    return Ending(
        places=tuple(places),
        more_places=len(summary.ranking) - len(places),
        excluded=tuple(reasons.most_common(MOST_REASONS)),
        more_reasons=max(0, len(reasons) - MOST_REASONS),
        more_excluded=sum(c.left_out.get("excluded", 0) for c in summary.configurations),
        said=tuple(filter(None, (summary.verdict, summary.ttft_verdict, *summary.warnings))),
    )
