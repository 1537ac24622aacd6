"""Axes that swept nothing."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.comparisons import ALPHA
from analysis.findings.phrases import configs, first_of, some
from analysis.formatting import p_words, plural
from analysis.inert import inert_words
from analysis.metrics import BY_KEY
from analysis.models import ConfigurationSummary, Finding, InertAxis, NoEffect, SweepSummary
from analysis.no_effect import no_effect_words
from contracts.configuration import format_value


def inert_axes(summary: SweepSummary) -> Iterator[Finding]:
    for entry in summary.inert:
        same = [c for c in summary.configurations if _is_one_of(c, entry)]
        one = format_value(entry.applied)
        keep = some([one, *map(format_value, entry.others)]) if entry.others else one
        yield Finding(
            rule="inert-axis",
            severity="warning",
            text=inert_words(entry),
            evidence=(
                f"{plural(len(same), 'configuration')} with {entry.axis} {some(map(format_value, entry.asked))}; applied: {one}",
            ),
            advice=f"Sweep {entry.axis} over values that the server applies: keep {keep}, and leave "
            f"{some(format_value(value) for value in entry.asked if value != entry.applied)} out.",
            configurations=configs(same),
        )


def inert_that_moves(summary: SweepSummary) -> Iterator[Finding]:
    """What is one value to the server can't make a difference: then another thing does."""
    for effects in summary.main_effects:
        for axis in effects.axes:
            p = axis.p_holm if axis.p_holm is not None else axis.p
            if axis.inert and p is not None and p <= ALPHA:
                metric = BY_KEY[effects.metric]
                levels = [f"{level.value}: {level.mean:.2f} {metric.unit}" for level in axis.levels]
                yield Finding(
                    rule="inert-axis-moves",
                    severity="warning",
                    text=f"{metric.title} differs between values of {axis.axis}, which were applied as one ({p_words(p)})",
                    evidence=first_of(levels),
                    advice=f"Something else goes with {axis.axis}, or its value is not applied as the server tells: look at the "
                    "order, the slots and the loads of these runs before believing either.",
                )


def sampler_without_effect(summary: SweepSummary) -> Iterator[Finding]:
    """One finding for all groups of configurations of which the same is true."""
    groups: dict[str, list[NoEffect]] = {}
    for entry in summary.no_effect:
        groups.setdefault(no_effect_words(entry), []).append(entry)
    for words, entries in groups.items():
        entry = entries[0]
        values = some(map(format_value, entry.values))
        within = (
            ""
            if len(entries) == 1
            else f", in each of {len(entries)} groups of configurations alike in all else"
        )
        yield Finding(
            rule="sampler-without-effect",
            severity="warning",
            text=f"{words}{within}",
            evidence=first_of(
                [
                    f"one text per stage in all runs of {plural(len(e.configurations), 'configuration')}: {some(e.configurations)}"
                    for e in entries
                ]
            ),
            advice=f"Fix {entry.axis} at one of {values}, or sweep it where it can matter: at a temperature above 0, "
            "and with a server whose reply lists it among the applied parameters.",
            configurations=tuple(dict.fromkeys(name for e in entries for name in e.configurations)),
        )


def _is_one_of(c: ConfigurationSummary, entry: InertAxis) -> bool:
    if c.parameters is None or c.model != entry.model:
        return False
    return c.parameters.get(entry.axis) in entry.asked
