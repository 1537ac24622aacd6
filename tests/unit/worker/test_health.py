"""What probes are told, from what the worker's threads noted; and how they are told it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from contracts.metrics import Check, MetricsServer
from worker.health import MOST_BEATS, Health, Noted
from worker.heartbeat import TTL_S


class Worker:
    """A clock, and whether it stops."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.stopping = False
        self.health = Health(lambda: self.stopping, lambda: self.now)


class Sign:
    def __init__(self) -> None:
        self.away = False
        self.withdrawn = False

    def show(self) -> None:
        if self.away:
            raise ConnectionError("refused")

    def withdraw(self) -> None:
        self.withdrawn = True


def test_ready_from_the_first_sign_of_life_until_it_stops() -> None:
    worker = Worker()
    assert "starting" in (worker.health.not_ready() or "")
    worker.health.stored()
    assert worker.health.not_ready() is None
    worker.stopping = True
    assert "stopping" in (worker.health.not_ready() or "")
    assert worker.health.not_live() is None


def test_not_ready_for_as_long_as_no_sign_of_life_can_be_stored() -> None:
    worker, sign = Worker(), Sign()
    noted = Noted(sign, worker.health)
    noted.show()
    sign.away = True
    worker.now += TTL_S
    assert worker.health.not_ready() is None, "the sign is still there"
    worker.now += 1
    with pytest.raises(ConnectionError):
        noted.show()
    assert f"{TTL_S + 1} s" in (worker.health.not_ready() or "")
    assert worker.health.not_live() is None
    sign.away = False
    noted.show()
    assert worker.health.not_ready() is None
    noted.withdraw()
    assert sign.withdrawn


def test_a_consumer_that_hangs_while_redis_answers_is_not_live() -> None:
    worker = Worker()
    for _ in range(MOST_BEATS - 1):
        worker.health.stored()
    assert worker.health.not_live() is None
    worker.health.stored()
    assert "hangs" in (worker.health.not_live() or "")
    worker.health.turned()
    assert worker.health.not_live() is None


def test_an_hour_without_redis_or_asleep_is_no_reason_to_be_killed() -> None:
    worker = Worker()
    worker.health.stored()
    worker.now += 3600
    assert worker.health.not_live() is None


def wrong() -> str | None:
    return "two words"


def right() -> str | None:
    return None


@pytest.fixture
def served() -> Iterator[str]:
    checks: dict[str, Check] = {"/livez": right, "/readyz": wrong}
    with MetricsServer([], 0, checks=checks) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_checks_are_answered_beside_the_metrics(served: str) -> None:
    live, ready = httpx.get(f"{served}/livez"), httpx.get(f"{served}/readyz")
    assert (live.status_code, live.text) == (200, "ok\n")
    assert (ready.status_code, ready.text) == (503, "two words\n")
    assert "process_cpu_seconds_total" in httpx.get(f"{served}/metrics").text


def test_checks_are_answered_on_an_address_of_version_6() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")
    with MetricsServer([], 0, "::1", {"/livez": right}) as server:
        assert httpx.get(f"http://[::1]:{server.port}/livez").status_code == 200


def probe(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "worker.probe", *arguments], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stderr


def test_the_probe_tells_by_its_exit_code(served: str) -> None:
    assert probe(f"{served}/livez") == (0, "")
    assert probe(f"{served}/readyz") == (1, "503 Service Unavailable: two words\n")
    assert probe("no url") == (1, "usage: python -m worker.probe http://127.0.0.1:9101/livez\n")


def test_the_probe_says_that_nobody_answers() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, and not listening
        code, said = probe(f"http://127.0.0.1:{closed.getsockname()[1]}/livez")
    assert code == 1 and "no answer" in said


def test_the_probe_imports_nothing_that_takes_time() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import worker.probe, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    heavy = {"celery", "redis", "httpx", "pydantic", "numpy", "worker.app", "http.client"}
    assert not heavy & set(done.stdout.split())
