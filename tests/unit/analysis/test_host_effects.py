"""The slots of a pool, apart from what they measured."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.host_effects import host_effects
from analysis.models import ConfigurationSummary, HostEffects
from benchmarks.statistics.comparisons import slots_named
from benchmarks.statistics.simulated import configuration, run
from tests.support.present import present


def sweep(
    slots: dict[str, float],
    *,
    configurations: int = 10,
    runs: int = 6,
    cv: float = 0.01,
    key: str = "throughput_tok_s",
    seed: int = 0,
    pools: dict[str, str] | None = None,
) -> list[ConfigurationSummary]:
    """Any free slot takes the next run; ``slots``: slot → factor. Configurations differ by some ten per cent."""
    rng = np.random.default_rng(seed)
    made = []
    for c in range(configurations):
        figures = []
        for block in range(1, runs + 1):
            slot = str(rng.choice(list(slots)))
            value = 100 * (1 + c / 10) * slots[slot] * math.exp(cv * rng.normal())
            figures.append(run(block, {key: value}, slot=slot, pool=(pools or {}).get(slot, "rtx")))
        made.append(configuration(f"c{c}", figures, {"num_gpu": c}))
    return made


POOL = {f"gpu-{i}": 1.0 for i in range(1, 7)}


def test_the_slow_slot_is_named() -> None:
    (made,) = host_effects(sweep(POOL | {"gpu-7": 0.939}))
    assert (made.metric, made.pool) == ("throughput_tok_s", "rtx")
    assert [slot.slot for slot in made.slots if slot.outlying] == ["gpu-7"]
    slow = made.slots[-1]
    assert slow.percent == pytest.approx(-6.1, abs=1.2)
    assert present(slow.interval).low < -6.1 < present(slow.interval).high
    assert present(slow.p) < present(slow.p_holm) < 1e-4
    assert sum(slot.runs for slot in made.slots) == 60
    assert made.variance_share > 0.5


def test_alike_slots_are_not_named() -> None:
    (made,) = host_effects(sweep(POOL))
    assert not any(slot.outlying for slot in made.slots)
    assert made.variance_share < 0.2
    assert made.sd_percent < 0.5


def test_the_component_is_the_planted_one() -> None:
    factors = {f"s{i}": math.exp(0.03 * e) for i, e in enumerate((-1.5, -1, -0.5, 0, 0, 0.5, 1, 1.5))}
    (made,) = host_effects(sweep(factors, runs=12))
    assert made.sd_percent == pytest.approx(3 * np.std([-1.5, -1, -0.5, 0, 0, 0.5, 1, 1.5], ddof=1), abs=0.5)


def test_slots_that_measured_other_configurations_are_not_blamed_for_them() -> None:
    """Slow configurations came to slot b by chance; a raw mean would call b slow."""
    rng = np.random.default_rng(1)
    made = []
    for c in range(10):
        slots = "aab" if c < 5 else "abb"
        level = 100 if c < 5 else 50
        figures = [
            run(i, {"throughput_tok_s": level * math.exp(0.01 * rng.normal())}, slot=s, pool="p")
            for i, s in enumerate(slots, 1)
        ]
        made.append(configuration(f"c{c}", figures, {"num_gpu": c}))
    (found,) = host_effects(made)
    assert all(abs(slot.percent) < 1.5 and not slot.outlying for slot in found.slots)


@pytest.mark.parametrize(("key", "worse"), [("throughput_tok_s", "slow"), ("ttft_ms", "other")])
def test_of_two_slots_the_worse_one_is_named(key: str, worse: str) -> None:
    (made,) = host_effects(sweep({"other": 1.0, "slow": 0.9}, key=key))
    assert [slot.slot for slot in made.slots if slot.outlying] == [worse]


def test_less_than_1_percent_is_not_named() -> None:
    (made,) = host_effects(sweep(POOL | {"gpu-7": 0.994}, cv=0.0005))
    last = made.slots[-1]
    assert present(last.p_holm) < 1e-6
    assert not last.outlying


def test_pools_are_not_mixed() -> None:
    slots = {"a1": 1.0, "a2": 1.0, "b1": 2.0, "b2": 2.0}
    made = host_effects(sweep(slots, pools={s: s[0] for s in slots}))
    assert {host.pool: [slot.slot for slot in host.slots] for host in made} == {
        "a": ["a1", "a2"],
        "b": ["b1", "b2"],
    }
    assert all(abs(slot.percent) < 2 for host in made for slot in host.slots)


def test_slots_without_a_common_configuration_are_left_out() -> None:
    rng = np.random.default_rng(2)

    def of(name: str, slots: str) -> ConfigurationSummary:
        figures = [
            run(i, {"throughput_tok_s": rng.normal(100, 1)}, slot=s, pool="p") for i, s in enumerate(slots, 1)
        ]
        return configuration(name, figures, {"num_gpu": ord(name)})

    assert host_effects([of("a", "1111"), of("b", "2222")]) == ()
    (made,) = host_effects([of("a", "1122"), of("b", "2233"), of("c", "9999")])
    assert [slot.slot for slot in made.slots] == ["1", "2", "3"]
    # One run on slot 3 is too few.
    (fewer,) = host_effects([of("a", "1122"), of("b", "1223")])
    assert [slot.slot for slot in fewer.slots] == ["1", "2"]


def test_nothing_where_slots_are_not_known_or_one() -> None:
    assert host_effects(sweep({"only": 1.0})) == ()
    unknown = [run(i, {"throughput_tok_s": 100.0 + i}) for i in range(1, 5)]
    assert host_effects([configuration("a", unknown, {})]) == ()


def test_drift_is_not_the_slots() -> None:
    """Slot b joined late, when all had become slower."""
    rng = np.random.default_rng(3)
    made = []
    for c in range(12):
        figures = []
        for block in range(1, 9):
            slot = "a" if block <= 4 else str(rng.choice(["a", "b"]))
            value = 100 * (1 - 0.02 * block) * math.exp(0.005 * rng.normal())
            figures.append(run(block, {"throughput_tok_s": value}, slot=slot, pool="p"))
        made.append(configuration(f"c{c}", figures, {"num_gpu": c}))
    (found,) = host_effects(made)
    assert all(abs(slot.percent) < 1 and not slot.outlying for slot in found.slots)


def test_named_and_falsely_named() -> None:
    rng = np.random.default_rng(4)
    hit, wrong = slots_named(8, 12, 5, 20, rng, slower=0.06)
    assert hit == 1
    assert wrong <= 0.15
    _, wrong = slots_named(8, 12, 5, 20, rng)
    assert wrong <= 0.15


def test_equal_figures_tell_nothing_of_slots() -> None:
    assert host_effects(sweep({"a": 1.0, "b": 1.0}, cv=0.0)) == ()


def test_host_effects_read_back() -> None:
    (made,) = host_effects(sweep(POOL))
    assert HostEffects.model_validate(made.model_dump(mode="json")) == made
