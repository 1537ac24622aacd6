"""``python -m worker``: what is wrong is one line and exit code 2; what is right becomes a Celery worker."""

from __future__ import annotations

import os
import platform
import resource
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.settings import ALSO, BROKER, SERVER, worker_settings
from contracts.slots import SlotStatus
from contracts.store import Store
from worker import __main__ as starting
from worker.stopping import GRACE

URL = "http://127.0.0.1:1"


def status(**changes: Any) -> SlotStatus:
    fields = {"slot": "s0", "pool": "p", "host": platform.node(), "pid": os.getppid(), "server": URL}
    return SlotStatus.model_validate(
        {**fields, "max_deadline_s": 60, "models": {}, "seen_at": datetime.now(UTC), **changes}
    )


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> list[tuple[Any, ...]]:
    """What Celery would be started with: name, queues, log level, settings, environment, metrics, processes."""
    started: list[tuple[Any, ...]] = []
    monkeypatch.setattr(os, "environ", {**os.environ, BROKER: redis_url})
    monkeypatch.delenv(SERVER, raising=False)
    monkeypatch.delenv(ALSO, raising=False)
    monkeypatch.setattr(starting, "probe", lambda url: ({"ollama": ("m",)}, None))
    monkeypatch.setattr(starting, "_become_celery", lambda *given: started.append(given))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    return started


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        starting.main([*arguments])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("chimera: ") and said.count("\n") == 1
    return said


def test_a_slot_serves_its_own_queue_and_its_pools(
    became: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--slot", "s0", "--server", URL, "--pool", "rtx", "--gpu", "3", "--max-deadline", "90"]
    starting.main([*arguments, "--also", "b=http://127.0.0.1:2", "--grace", "7", "--metrics-port", "9"])
    ((name, queues, _, settings, environment, metrics),) = became
    assert (name, queues, metrics) == ("s0", "chimera.pool.rtx,chimera.slot.s0", (9, "127.0.0.1"))
    assert environment["CUDA_VISIBLE_DEVICES"] == "3"
    assert os.environ[GRACE] == "7.0"
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert worker_settings() == settings


def test_without_a_gpu_none_is_hidden(became: list[tuple[Any, ...]]) -> None:
    starting.main(["--slot", "s0", "--server", URL])
    assert "CUDA_VISIBLE_DEVICES" not in became[0][4]


def test_an_aggregator_has_its_queue_and_its_processes(became: list[tuple[Any, ...]]) -> None:
    starting.main(["--aggregator", "--processes", "5"])
    assert became == [("aggregator", "chimera.aggregate", "warning", None, {}, None, 5)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--slot", "s0"], "give the slot's model server: --server http://"),
        (["--slot", "s 0", "--server", URL], "'s 0' is no name for a slot"),
        (["--slot", "s0", "--server", URL, "--pool", "a/b"], "'a/b' is no name for a pool"),
        (["--slot", "s0", "--server", URL, "--also", "b"], "give each further server as NAME=URL"),
    ],
    ids=["no server", "slot", "pool", "further"],
)
def test_wrong_arguments_are_one_line(
    became: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert said in refused(capsys, *arguments)
    assert became == []


def test_a_slot_has_one_live_worker(
    became: list[tuple[Any, ...]], store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.put_slot(status(), ttl_s=60)
    assert f"has a live worker already (pid {os.getppid()} on " in refused(
        capsys, "--slot", "s0", "--server", URL
    )
    store.put_slot(status(host="elsewhere", pid=2**22 + 1), ttl_s=60)  # whose processes can't be looked at
    assert "on elsewhere" in refused(capsys, "--slot", "s0", "--server", URL)
    assert became == []


@pytest.mark.parametrize("pid", [os.getpid(), 2**22 + 1], ids=["our own", "nobody's"])
def test_the_sign_of_a_killed_worker_is_no_worker(
    became: list[tuple[Any, ...]], store: Store, pid: int
) -> None:
    store.put_slot(status(pid=pid), ttl_s=60)
    starting.main(["--slot", "s0", "--server", URL])
    assert len(became) == 1


def test_a_server_is_waited_for_as_long_as_was_said(
    became: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["refused", "refused", None])
    monkeypatch.setattr(starting, "RETRY_S", 0.0)
    monkeypatch.setattr(starting, "probe", lambda url: ({}, next(answers)))
    starting.main(["--slot", "s0", "--server", URL, "--wait", "60"])
    assert len(became) == 1
    monkeypatch.setattr(starting, "probe", lambda url: ({}, f"no server at {url}"))
    assert f"no server at {URL}" in refused(capsys, "--slot", "s1", "--server", URL)


@pytest.mark.parametrize(
    ("limits", "raised"),
    [((256, 4096), [(4096, 4096)]), ((256, resource.RLIM_INFINITY), [(8192, resource.RLIM_INFINITY)])],
    ids=["to the hard limit", "to the most wanted"],
)
def test_a_load_may_open_many_connections(
    became: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
    raised: list[tuple[int, int]],
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: set_to.append(given))
    starting.main(["--slot", "s0", "--server", URL])
    assert set_to == raised
