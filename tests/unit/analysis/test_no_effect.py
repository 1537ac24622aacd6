from __future__ import annotations

from collections.abc import Callable

import pytest

from analysis.no_effect import no_effect_words, without_effect
from analysis.summary import summarise_configuration
from contracts.records import StageRecord

Record = Callable[..., StageRecord]


def configurations(record: Record, *configs: tuple[dict[str, float], list[str]]) -> list:  # type: ignore[type-arg]
    return [
        summarise_configuration(
            [
                record(config=f"c{place}", run=run, parameters=parameters, model="m", text_hash=text)
                for run, text in enumerate(texts, 1)
            ]
        )
        for place, (parameters, texts) in enumerate(configs)
    ]


def test_values_with_the_very_same_text_are_named(record: Record) -> None:
    (entry,) = without_effect(
        configurations(
            record,
            ({"repeat_penalty": 1.0, "seed": 7}, ["a", "a"]),
            ({"repeat_penalty": 1.3, "seed": 7}, ["a", "a"]),
        )
    )
    assert (entry.axis, entry.values) == ("repeat_penalty", (1.0, 1.3))
    assert no_effect_words(entry).startswith(
        "repeat_penalty 1 and 1.3 of m gave the very same text in every run"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (({"top_k": 10}, ["a"]), ({"top_k": 40}, ["b"])),
        (({"top_k": 10}, ["a", "b"]), ({"top_k": 40}, ["a", "b"])),
        (({"top_k": 10, "seed": 1}, ["a"]), ({"top_k": 40, "seed": 2}, ["a"])),
        (({"num_ctx": 1024}, ["a"]), ({"num_ctx": 2048}, ["a"])),
    ],
    ids=["other texts", "texts vary by chance", "two axes differ", "no axis of the sampler"],
)
def test_nothing_is_named_where_there_may_be_an_effect(
    record: Record, one: tuple[dict[str, float], list[str]], other: tuple[dict[str, float], list[str]]
) -> None:
    assert without_effect(configurations(record, one, other)) == ()
