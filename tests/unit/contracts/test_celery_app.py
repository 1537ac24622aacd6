from __future__ import annotations

import pytest

from contracts.celery_app import make_app, visibility_timeout_s
from contracts.chord_backend import PersistentChordBackend
from contracts.failures import BrokerError
from contracts.redis_client import check, connect, redacted


@pytest.mark.parametrize("deadline_s", [1.0, 60.0, 86_400.0])
def test_a_message_stays_invisible_longer_than_its_job_takes(deadline_s: float) -> None:
    assert visibility_timeout_s(deadline_s) > deadline_s * 1.5
    app = make_app("redis://127.0.0.1:1/0", max_deadline_s=deadline_s)
    options = app.conf.broker_transport_options
    assert options["visibility_timeout"] == visibility_timeout_s(deadline_s)


def test_only_msgpack_is_accepted() -> None:
    conf = make_app("redis://127.0.0.1:1/0", max_deadline_s=1).conf
    assert conf.accept_content == conf.result_accept_content == ["msgpack"]
    assert conf.task_serializer == conf.result_serializer == "msgpack"
    assert conf.task_acks_late and conf.worker_prefetch_multiplier == 1


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_the_backend_is_the_persistent_one(scheme: str) -> None:
    app = make_app(f"{scheme}://127.0.0.1:1/0", max_deadline_s=1)
    assert isinstance(app.backend, PersistentChordBackend)


def test_the_configuration_that_flower_shows_has_no_password() -> None:
    app = make_app("redis://user:hunter2@127.0.0.1:1/0", max_deadline_s=1)
    assert "hunter2" not in str(app.conf.table(with_defaults=True, censored=True))
    assert "hunter2" not in app.backend.as_uri()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://u:secret@h:1/0", "redis://h:1/0"),
        ("redis://:p@ss@h:1/0", "redis://h:1/0"),
        ("redis://h:1", "redis://h:1"),
        ("redis://u:pa/ss@h:1/0", "redis://h:1/0"),
        ("redis://h:1/0?password=secret", "redis://h:1/0"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_a_wrong_password_is_said_so(redis_url: str) -> None:
    wrong = redis_url.replace("redis://:", "redis://:x")
    with pytest.raises(BrokerError, match="refuses the password") as caught:
        check(connect(wrong, retries=0), wrong)
    assert "x" + redis_url.split(":")[2].split("@")[0] not in str(caught.value)
