from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.failures import BrokerError
from contracts.slots import ModelLimits, SlotStatus
from producer.inert import inert_lines, known_limits, of_slots
from producer.plan import make_plan
from producer.sweep_file import load
from tests.support.sweeps import write_sweep


def slot(name: str, **limits: ModelLimits) -> SlotStatus:
    return SlotStatus(
        slot=name,
        pool="test",
        host="h",
        pid=1,
        server="http://127.0.0.1:1",
        max_deadline_s=60,
        models={"ollama": tuple(limits)},
        limits=limits,
        seen_at=datetime.now(UTC),
    )


def lines(tmp_path: Path, limits: dict[str, ModelLimits], **axes: Any) -> list[str]:
    path = write_sweep(tmp_path, axes=axes)
    return inert_lines(make_plan(load(path), path), limits)


def test_layers_beyond_the_models_own_are_one_configuration(tmp_path: Path, corpus: Path) -> None:
    limits = {"ref": ModelLimits(layers=34, context=8192)}
    (line,) = lines(tmp_path, limits, num_gpu=[20, 60, 80, 120], num_ctx=[4096])
    assert "60, 80 and 120" in line and "20 is apart" in line


def test_an_axis_that_is_one_value_is_inert(tmp_path: Path, corpus: Path) -> None:
    limits = {"ref": ModelLimits(layers=34, context=8192)}
    (line,) = lines(tmp_path, limits, num_ctx=[16384, 32768])
    assert "the axis num_ctx is inert" in line


def test_different_values_are_not_called_one(tmp_path: Path, corpus: Path) -> None:
    limits = {"ref": ModelLimits(layers=34, context=8192)}
    assert lines(tmp_path, limits, num_gpu=[10, 20], num_ctx=[2048, 8192]) == []


def test_unknown_limits_are_said_to_be_unknown(tmp_path: Path, corpus: Path) -> None:
    (line,) = lines(tmp_path, {}, num_gpu=[60, 80])
    assert "not known whether 'ref' takes all values of num_gpu" in line


def test_a_greedy_sampler_makes_axes_inert(tmp_path: Path, corpus: Path) -> None:
    (line,) = lines(tmp_path, {}, temperature=[0, 0.8], top_k=[10, 40], seed=[7])
    assert line == "at temperature 0 the sampler is greedy: top_k changes nothing there"


def test_slots_that_disagree_tell_nothing() -> None:
    same, other = ModelLimits(layers=34), ModelLimits(layers=12)
    assert of_slots([slot("a", m=same), slot("b", m=same)]) == {"m": same}
    assert of_slots([slot("a", m=same), slot("b", m=other)]) == {}
    assert of_slots([slot("a", **{"m:latest": same})])["m"] == same


def test_only_a_broker_that_was_named_must_answer(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sweep(tmp_path)
    plan = make_plan(load(path), path)
    dead = "redis://127.0.0.1:1/0"
    with pytest.raises(BrokerError):
        known_limits(plan, dead)
    monkeypatch.setenv("CHIMERA_BROKER", dead)
    assert known_limits(plan, None) == {}
