"""Which configurations a reader needs in full, where not all fit into one file."""

from __future__ import annotations

from analysis.models import ConfigurationSummary, SweepSummary
from analysis.rendering.layout.words import configuration_anchor

_BEST = 20


def by_importance(summary: SweepSummary) -> tuple[str, ...]:
    """Return the anchors of all configurations: the best ranked, those that a finding or a note concerns, the rest.

    Within each kind by rank.
    """
    places = {(r.config, r.agent): r.rank for r in summary.ranking if r.rank is not None}
    last = len(summary.configurations)
    ordered = sorted(
        enumerate(summary.configurations),
        key=lambda entry: places.get((entry[1].config, entry[1].agent), last),
    )
    named = {name for finding in summary.findings for name in finding.configurations}
    best, others = ordered[:_BEST], ordered[_BEST:]
    concerned = [entry for entry in others if _is_concerned(entry[1], named)]
    rest = [entry for entry in others if not _is_concerned(entry[1], named)]
    return tuple(configuration_anchor(index) for index, _ in (*best, *concerned, *rest))


def _is_concerned(c: ConfigurationSummary, named: set[str]) -> bool:
    return c.config in named or bool(c.notes or c.outliers or c.excluded)
