from __future__ import annotations

from datetime import UTC, datetime

from contracts.breaker import Breaker
from contracts.redis_client import connect
from contracts.slots import SlotStatus
from producer.doctor import Finding, examine
from tests.support.cluster import Cluster, Shell


def red(url: str) -> dict[str, Finding]:
    return {finding.part: finding for finding in examine(url) if finding.good is False}


def test_a_healthy_cluster_has_nothing_red(cluster: Cluster) -> None:
    server = cluster.reference_server()
    aggregator = cluster.aggregator()
    cluster.slot("s0", server)
    aggregator.wait_until(lambda: not red(cluster.url), seconds=60)
    said = {finding.part: finding.what for finding in examine(cluster.url)}
    assert "s0 (pool test" in said["slot"]
    assert "ref" in said["server"]


def test_what_is_missing_is_named_with_what_to_do(cluster: Cluster) -> None:
    found = red(cluster.url)
    assert set(found) == {"aggregator", "workers", "slots"}
    assert found["slots"].advice is not None and "chimera worker --slot" in found["slots"].advice


def test_a_redis_that_throws_outcomes_away_is_red(cluster: Cluster) -> None:
    client = connect(cluster.url)
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert red(cluster.url)["redis"].advice == "set it to noeviction"
    finally:
        client.config_set("maxmemory-policy", "noeviction")


def test_a_redis_that_does_not_answer_is_one_red_line(shell: Shell) -> None:
    code, output = shell.run("doctor", "--broker", "redis://:secret@127.0.0.1:1/0")
    assert code == 1
    assert "can't be reached" in output and "secret" not in output


def test_without_a_broker_it_looks_at_the_embedded_parts(shell: Shell) -> None:
    _, output = shell.run("doctor")
    assert "embedded: " in output
    assert "Traceback" not in output


def test_a_slot_that_is_out_of_its_pool_is_named_with_the_reason(cluster: Cluster) -> None:
    now = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    status = SlotStatus(
        slot="g0",
        pool="p",
        host="h",
        pid=1,
        server="http://h",
        max_deadline_s=60,
        models={"ollama": ("m\x1b]0;owned\x07",)},
        seen_at=now,
    )
    breaker = Breaker(
        slot="g0", pool="p", state="open", failures=3, reason="HTTP 500\x1b[2J", since=now, probe_at=now
    )
    cluster.store.put_slot(status, ttl_s=60)
    cluster.store.put_breaker(breaker)
    found = list(examine(cluster.url))
    (broken,) = (finding for finding in found if finding.part == "breaker")
    assert broken.good is None
    assert broken.what.startswith(
        "g0 is out of its pool, since 2026-05-01 12:00:00 UTC, after 3 failures: HTTP 500"
    )
    said = "".join(finding.what + str(finding.advice) for finding in found)
    assert "\x1b" not in said and "\x07" not in said
    assert "slots are live but no worker understands" in said
