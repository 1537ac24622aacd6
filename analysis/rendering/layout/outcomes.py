"""How often the calls of each configuration came to which outcome."""

from __future__ import annotations

from analysis.models import ConfigurationSummary, SweepSummary
from analysis.rates import KINDS
from analysis.rendering.document import Row, Section, Table
from analysis.rendering.layout.words import configuration_anchor, outcome_title
from analysis.rendering.numbers import ABSENT, percent
from contracts.call import Degeneration, Outcome

_Key = tuple[Outcome, Degeneration | None]


def outcome_sections(summary: SweepSummary) -> tuple[Section, ...]:
    """Return one table over all configurations; nothing where every call is ``ok`` and none suspect."""
    found: list[_Key] = [
        (outcome, kind)
        for outcome in Outcome
        for kind in KINDS
        if any(
            (r.outcome, r.degeneration) == (outcome, kind) for c in summary.configurations for r in c.rates
        )
    ]
    suspect = any(c.suspect_calls for c in summary.configurations)
    if not suspect and all(outcome is Outcome.OK for outcome, _ in found):
        return ()
    titles = [outcome_title(*key) for key in found] + ["suspect"] * suspect
    rows = tuple(
        Row(
            (c.config, c.agent, str(c.call_count), *_cells(c, found), *([_suspect(c)] * suspect)),
            tone="bad" if c.degenerate_calls else "",
            anchor=configuration_anchor(index),
        )
        for index, c in enumerate(summary.configurations)
    )
    align = "llr" + "r" * len(titles)
    return (Section("Outcome Rates", (Table(("Configuration", "Agent", "Calls", *titles), align, rows),)),)


def _cells(c: ConfigurationSummary, keys: list[_Key]) -> list[str]:
    rates = {(rate.outcome, rate.degeneration): rate for rate in c.rates}
    return [
        f"{rate.calls} ({percent(rate.fraction)})" if (rate := rates.get(key)) else _none(c) for key in keys
    ]


def _none(c: ConfigurationSummary) -> str:
    return "0" if c.call_count else ABSENT


def _suspect(c: ConfigurationSummary) -> str:
    if c.suspect_calls is None:
        return ABSENT
    return f"{c.suspect_calls} ({percent(c.suspect_calls / c.call_count)})" if c.suspect_calls else "0"
