"""Executions in a real Redis, with the intervals between looks taken out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.store import Store
from tests.support.care import Care, show_slot
from tests.support.rounds import Execution

MakeCare = Callable[..., Care]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look looks."""
    for module in ("reconciler", "rescue"):
        monkeypatch.setattr(f"dispatch.{module}.EVERY_S", 0.0)
    monkeypatch.setattr("dispatch.steward.LOOK_S", 0.0)


@pytest.fixture
def care_of(tmp_path: Path, corpus: Path, store: Store, redis_url: str, looks: None) -> MakeCare:
    """Make an execution of a changed sweep file, with one live slot and an aggregator; its first generation is begun."""
    store.put_aggregator("a", ttl_s=60)
    show_slot(store, "s0")

    def make(*, fixed_slots: tuple[str, ...] = (), begin: bool = True, **changes: Any) -> Care:
        care = Care(redis_url, Execution(tmp_path, store, fixed_slots=fixed_slots, **changes))
        if begin:
            care.start()
        return care

    return make
