"""Fixtures that every kind of test may use."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.redis_client import connect
from contracts.store import Store
from producer.embedded_redis import EmbeddedRedis
from tests.support.cluster import Cluster, Shell

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """A shell that starts the tests in the background makes them, and all that they start, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def _redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    home = tmp_path_factory.mktemp("redis-home")
    (home / "logs").mkdir()
    server = EmbeddedRedis(home)
    yield server
    server.child.stop_now()


@pytest.fixture
def redis_url(_redis: EmbeddedRedis) -> str:
    """A real, empty Redis."""
    connect(_redis.url).flushall()
    return _redis.url


@pytest.fixture
def store(redis_url: str) -> Store:
    return Store(connect(redis_url))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of seeds, corpus and oracles beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here")
    return SHARED


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A small corpus: ``<tmp>/corpus`` with one file of each kind."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.csv").write_text("model,tok_s\nsmall,101.5\nlarge,42.25\n")
    (folder / "b.json").write_text('{"ttft_ms": [12.5, 13.5]}')
    (folder / "c.md").write_text("# Notes\n\nNothing yet.\n")
    return folder


@pytest.fixture
def cluster(redis_url: str, tmp_path: Path) -> Iterator[Cluster]:
    """A broker and nothing else yet; all that is started on it is stopped."""
    made = Cluster(redis_url, tmp_path)
    yield made
    made.stop()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """``chimera`` with an embedded Redis of its own, not started yet."""
    return Shell(tmp_path)
