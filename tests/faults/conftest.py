"""Parts to be ill-treated: a Redis of the test's own, and all that is started on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.parts import Parts


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """A Redis and nothing else yet; ends all, and checks that nothing is left."""
    made = Parts(tmp_path / "parts")
    yield made
    made.stop()
    assert made.left_over() == []
