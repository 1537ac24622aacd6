"""Rules about loads: each planted defect is found with evidence and advice, and a plain load has none."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.findings import findings, load
from analysis.models import Finding, SweepSummary
from analysis.models.load import LoadConfiguration, Saturation
from analysis.summary import summarise_records
from tests.support.synthetic_loads import Server, grid

OWN = (
    load.beyond_capacity,
    load.search_without_answer,
    load.not_monotonic,
    load.sent_late,
    load.failed,
    load.concurrency_not_reached,
    load.few_requests,
    load.suspect,
    load.answers_short,
)


def loads(levels: list[float], over: str = "rate", **options: Any) -> SweepSummary:
    records, manifest = grid(levels, over=over, **{"requests": 400, "noise": 0.01, **options})
    return summarise_records(records, manifest)


def own(summary: SweepSummary) -> dict[str, Finding]:
    found = {finding.rule: finding for rule in OWN for finding in rule(summary)}
    for finding in found.values():
        assert finding.evidence and finding.advice.endswith(".") and finding.configurations
        assert finding in findings(summary)
    return found


def changed(**columns: Any) -> Any:
    """Change every fourth request."""

    def change(fields: dict[str, Any]) -> dict[str, Any]:
        return fields | (columns if fields["stage"] == "request" and fields["request"] % 4 == 0 else {})

    return change


@pytest.mark.parametrize(
    ("levels", "over"), [([5, 10], "rate"), ([1, 4, 8], "concurrency")], ids=["open", "closed"]
)
def test_a_plain_load_has_nothing_to_distrust(levels: list[float], over: str) -> None:
    assert own(loads(levels, over)) == {}


def test_beyond_capacity() -> None:
    finding = own(loads([5, 40]))["load-beyond-capacity"]
    assert finding.severity == "warning"
    assert finding.text == "the server did not keep up with 1 of 2 loads"
    assert finding.configurations == ("rate=40",)
    assert finding.evidence[0].startswith("rate=40: kept up in 0 of 3 runs; the backlog grew by ")
    assert "with none of those asked for" in own(loads([40, 60]))["load-beyond-capacity"].text


def test_users_that_get_less_than_the_slo() -> None:
    finding = own(loads([4, 8], "concurrency", workload={"slo": {"ttft_ms": 100}}))["load-beyond-capacity"]
    assert finding.evidence == ("concurrency=8: kept up in 0 of 3 runs; 0.0 % of the requests kept the SLO",)
    assert "users" in finding.advice


def test_a_client_that_sends_late() -> None:
    finding = own(loads([5], late_ms=5.0, noise=0.0))["requests-sent-late"]
    assert finding.evidence == ("rate=5: 5 ms in the mean, of a mean TTFT of 25 ms",)


def test_a_wait_for_the_limit_is_not_the_clients_own() -> None:
    summary = loads([60], max_in_flight=4, workload={"max_in_flight": 4})
    assert summary.loads[0].ttft_due_ms.mean.mean != summary.loads[0].ttft_sent_ms.mean.mean
    assert "requests-sent-late" not in own(summary)


def test_failures_under_load() -> None:
    finding = own(loads([5], change=changed(outcome="server_error")))["requests-failed-under-load"]
    assert "(server_error " in finding.evidence[0]


def test_fewer_at_a_time_than_asked_for() -> None:
    """Users whose requests are sent long after they were free."""
    finding = own(loads([4], "concurrency", late_ms=100.0))["concurrency-not-reached"]
    assert finding.configurations == ("concurrency=4",)


def test_too_few_requests() -> None:
    found = own(loads([5], requests=100))
    assert found["too-few-requests-for-p99"].severity == "note"
    assert "299" in found["too-few-requests-for-p99"].advice
    blind = own(loads([16], "concurrency", requests=10))
    assert "load-without-a-window" in blind and "too-few-requests-for-p99" not in blind


def test_suspect_requests() -> None:
    finding = own(loads([5], change=changed(suspect=("late reading",))))["suspect-requests-of-a-load"]
    assert finding.severity == "warning" and "(25" in finding.evidence[0]


def test_short_answers() -> None:
    found = own(loads([5], server=Server(tokens=12)))
    assert found["answers-shorter-than-asked"].evidence == ("rate=5: median 12 of 20 tokens",)


def test_searches_without_an_answer() -> None:
    base = loads([5])
    open_end = Saturation(config="search", method="search", runs=3, low=8.0)
    odd = Saturation(config="odd", method="search", runs=3, low=4.0, high=8.0, monotonic=False)
    found = own(base.model_copy(update={"saturations": (open_end, odd), "findings": ()}))
    assert found["saturation-out-of-range"].configurations == ("search",)
    assert found["saturation-out-of-range"].evidence == ("search: not every run found one that is too much",)
    assert found["saturation-not-monotonic"].configurations == ("odd",)


def test_a_load_of_which_nothing_is_known_has_no_finding_but_that() -> None:
    base = loads([5])
    blank = LoadConfiguration(config="rate=5", over="rate", asked=5.0)
    assert own(base.model_copy(update={"loads": (blank,), "saturations": ()})) == {}
