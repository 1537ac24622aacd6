"""The first of a ranking is chosen by the data: what may be said of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from analysis.models import ConfigurationSummary, RunFigures, SweepFloor
from analysis.ranking import against_first, rank
from analysis.statistics.description import describe
from analysis.verdicts import verdict
from tests.support.present import present
from tests.support.synthetic import Shape, synthetic


@pytest.fixture(scope="module")
def template() -> ConfigurationSummary:
    return synthetic(runs=3, shape=Shape(cold_first=False)).summary().configurations[0]


def made(template: ConfigurationSummary, name: str, rates: Sequence[float]) -> ConfigurationSummary:
    runs = tuple(
        RunFigures(
            run=run,
            complete=True,
            calls=2,
            valid_calls=2,
            throughput_tok_s=float(rate),
            ttft_ms=50.0,
            block=run,
            slot="s0",
        )
        for run, rate in enumerate(rates, 1)
    )
    over = template.over_runs.model_copy(update={"runs": runs, "throughput_tok_s": describe(rates)})
    return template.model_copy(update={"config": name, "over_runs": over})


def ranked(template: ConfigurationSummary, samples: Iterable[Sequence[float]]) -> list[ConfigurationSummary]:
    found = [made(template, f"c{index}", rates) for index, rates in enumerate(samples)]
    return sorted(found, key=lambda c: -present(c.over_runs.throughput_tok_s.mean))


def test_equal_configurations_are_seldom_told_apart(template: ConfigurationSummary) -> None:
    """A/A: of all reports at most 5 % name any slower than the first, though the first is the luckiest one."""
    rng = np.random.default_rng(3)
    sweeps = [ranked(template, rng.normal(100, 1, (6, 5))) for _ in range(200)]
    false = sum(any(c.verdict == "worse" for c in against_first(s, None).values()) for s in sweeps)
    assert false <= 10  # of 200


def test_a_true_lead_is_found(template: ConfigurationSummary) -> None:
    rng = np.random.default_rng(4)
    samples = rng.normal(100, 1, (6, 10))
    samples[2] += 4
    first, *others = ranked(template, samples)
    assert first.config == "c2"
    assert [c.verdict for c in against_first([first, *others], None).values()] == ["worse"] * 5


def test_p_is_corrected_for_all_pairs(template: ConfigurationSummary) -> None:
    rng = np.random.default_rng(5)
    found = against_first(ranked(template, rng.normal(100, 1, (4, 5))), None)
    for comparison in found.values():
        assert comparison.p_holm == pytest.approx(min(1.0, 6 * present(comparison.p)))  # 4 · 3 / 2 pairs
        assert present(comparison.detectable_percent) > 0


def test_the_verdict_says_which_and_by_how_much(template: ConfigurationSummary) -> None:
    ahead = [[103.0, 103.2, 102.9, 103.1, 103.0], [100.0, 100.1, 99.9, 100.2, 100.0]]
    places = rank(ranked(template, ahead), "clean-first", None)
    words = verdict(places, "clean-first", None)
    assert words.startswith("c0 is the fastest: c1, −2.")
    assert "95 % interval" in words and "adjusted p < 0.001" in words
    assert words.count("95 % interval") == 1


def test_a_lead_below_the_floor_is_none(template: ConfigurationSummary) -> None:
    close = [[100.02, 100.021, 100.019], [100.0, 100.001, 99.999]]
    configurations = [c.model_copy(update={"client_rates": c.valid.calls}) for c in ranked(template, close)]
    floor = SweepFloor(ttft_ms=0.5, rate_percent=0.4, slots=("s0",))
    places = rank(configurations, "clean-first", floor)
    assert present(places[1].comparison).verdict == "below the floor"
    assert "below the client's measurement floor (0.4 %)" in verdict(places, "clean-first", floor)


def test_one_agent_is_not_named_and_several_are(template: ConfigurationSummary) -> None:
    a, b = ranked(template, [[103.0, 103.2, 102.9], [100.0, 100.1, 99.9]])
    assert "(chimera)" not in verdict(rank([a, b], "speed", None), "speed", None)
    other = b.model_copy(update={"agent": "insight"})
    assert "c1 (insight)" in verdict(rank([a, other], "speed", None), "speed", None)


def test_equal_means_are_no_lead(template: ConfigurationSummary) -> None:
    rates = [100.0, 100.1, 99.9, 100.2, 99.8]
    places = rank(ranked(template, [rates, rates, [v - 9 for v in rates]]), "speed", None)
    words = verdict(places, "speed", None)
    assert words.startswith(
        "c0 and c1 have the same mean throughput, the highest; the other one is slower: c2, −9."
    )
    assert "highest mean" not in words and "fastest" not in words
    equal = rank(ranked(template, [rates] * 3), "speed", None)
    assert verdict(equal, "speed", None) == "c0, c1 and 1 more have the same mean throughput."


def test_of_many_ties_one_is_named(template: ConfigurationSummary) -> None:
    rng = np.random.default_rng(6)
    places = rank(ranked(template, rng.normal(100, 1, (5, 5))), "speed", None)
    words = verdict(places, "speed", None)
    assert f"between it and {places[1].config} and 3 more (n = 5 runs" in words
    assert places[2].config not in words
