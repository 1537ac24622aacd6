"""Slots that would disturb each other are named before a sweep begins."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.slots import SlotStatus
from producer.preflight import shared_servers


def slot(name: str, server: str, host: str = "h1") -> SlotStatus:
    at = datetime.now(UTC)
    return SlotStatus(
        slot=name, pool="p", host=host, pid=1, server=server, max_deadline_s=60, models={}, seen_at=at
    )


@pytest.mark.parametrize(
    ("slots", "named"),
    [
        ([slot("a", "http://127.0.0.1:1"), slot("b", "http://127.0.0.1:1")], True),
        ([slot("a", "http://127.0.0.1:1"), slot("b", "http://127.0.0.1:2")], False),
        ([slot("a", "http://127.0.0.1:1"), slot("b", "http://127.0.0.1:1", "h2")], False),
        ([slot("a", "http://localhost:1"), slot("b", "http://localhost:1", "h2")], False),
        ([slot("a", "http://10.0.0.1:1"), slot("b", "http://10.0.0.1:1", "h2")], True),
        ([], False),
    ],
)
def test_slots_on_one_server_are_named(slots: list[SlotStatus], named: bool) -> None:
    lines = shared_servers(slots)
    assert len(lines) == named
    if named:
        assert lines[0].startswith(f"slots a, b share the server {slots[0].server}")
