"""Axes of the sampler whose values gave the very same texts: what the server may not apply at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from analysis.models import ConfigurationSummary, NoEffect
from analysis.table import Calls
from contracts.call import Outcome
from contracts.configuration import format_value

SAMPLER_AXES = ("temperature", "top_p", "top_k", "repeat_penalty", "seed")
"""The others change speed or length; the text may well be the same."""


MOST_TEXTS = 20
"""Different texts of one stage that a summary names: of more it is only known that they differ."""


def text_hashes(calls: Calls) -> dict[str, tuple[str, ...]]:
    """Return the hashes of the different complete texts, by stage; of many the first :data:`MOST_TEXTS`, sorted."""
    found: dict[str, set[str]] = {}
    degenerate = Outcome.DEGENERATE
    for stage, succeeded, outcome, text_hash in zip(
        calls.stage, calls.succeeded, calls.judged, calls.text_hash, strict=True
    ):
        if text_hash is not None and (succeeded or outcome is degenerate):
            found.setdefault(stage, set()).add(text_hash)
    return {stage: tuple(sorted(hashes)[:MOST_TEXTS]) for stage, hashes in sorted(found.items())}


def without_effect(configurations: Sequence[ConfigurationSummary]) -> tuple[NoEffect, ...]:
    """Return the values of a sampler's axis that gave one and the same text, all else being equal.

    Of every stage and in every run: two values that differ in a single text did have an effect, or chance did.
    """
    return tuple(
        NoEffect(
            axis=axis, model=group[0].model, values=values, configurations=tuple(c.config for c in group)
        )
        for axis in SAMPLER_AXES
        for group in _groups(axis, configurations)
        if len(values := _values(axis, group)) > 1 and _one_text(group)
    )


def no_effect_words(entry: NoEffect) -> str:
    """``repeat_penalty 1 and 1.3 of m gave the very same text in every run: …``."""
    *most, last = [format_value(value) for value in entry.values]
    of_model = f" of {entry.model}" if entry.model else ""
    return (
        f"{entry.axis} {', '.join(most)} and {last}{of_model} gave the very same text in every run: it changes nothing "
        "at these settings, or the server does not apply it"
    )


def _groups(
    axis: str, configurations: Iterable[ConfigurationSummary]
) -> Iterator[list[ConfigurationSummary]]:
    alike: dict[object, list[ConfigurationSummary]] = {}
    for c in configurations:
        if c.parameters is not None and c.text_hashes:
            alike.setdefault((c.agent, c.model, _without(axis, c.parameters)), []).append(c)
    yield from (group for group in alike.values() if len(group) > 1)


def _without(axis: str, asked: Mapping[str, int | float]) -> tuple[tuple[str, int | float], ...]:
    return tuple(sorted((name, value) for name, value in asked.items() if name != axis))


def _values(axis: str, group: Iterable[ConfigurationSummary]) -> tuple[int | float | None, ...]:
    return tuple(dict.fromkeys((c.parameters or {}).get(axis) for c in group))


def _one_text(group: Sequence[ConfigurationSummary]) -> bool:
    first = group[0].text_hashes
    return all(len(hashes) == 1 for hashes in first.values()) and all(c.text_hashes == first for c in group)
