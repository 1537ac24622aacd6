from __future__ import annotations

from collections.abc import Callable

import pytest

from analysis.summary import summarise_configuration
from contracts.records import StageRecord


@pytest.mark.parametrize(
    ("server_rate", "client_itl_ms", "said"),
    [(110.0, 10.0, "10.0 % above"), (90.0, 10.0, "10.0 % below"), (102.0, 10.0, None), (110.0, None, None)],
)
def test_a_server_rate_that_the_client_did_not_see_is_noted(
    record: Callable[..., StageRecord], server_rate: float, client_itl_ms: float | None, said: str | None
) -> None:
    columns = {"throughput_tok_s": server_rate, "throughput_source": "server", "itl_mean_ms": client_itl_ms}
    summary = summarise_configuration([record(run=run, **columns) for run in (1, 2, 3)])
    noted = [note.text for note in summary.notes if "client saw" in note.text]
    assert len(noted) == (said is not None)
    assert all(said is not None and said in text for text in noted)
