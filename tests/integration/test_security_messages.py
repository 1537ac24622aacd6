"""Messages that a worker must not carry out, sent to a real one: refused, said in one line, nothing runs, it lives."""

from __future__ import annotations

import base64
import json
import pickle
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from celery import Celery
from kombu.serialization import dumps

from contracts.celery_app import make_app
from contracts.queues import AGGREGATE_QUEUE, DECIDE, FINALISE
from contracts.redis_client import connect
from contracts.settings import SIGNING_KEY_FILE
from contracts.signing import Signer
from producer.processes import Child
from tests.support.cluster import Cluster, wait_for

KEYS = ["first-key-" + "0" * 32, "second-key-" + "0" * 32]
PARKED = "parked"


class Bomb:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


class Target:
    """A worker that answers, and what it says."""

    def __init__(self, cluster: Cluster, worker: Child, folder: Path) -> None:
        self.app = make_app(cluster.url, max_deadline_s=60)
        self.redis = connect(cluster.url)
        self.worker = worker
        self.bomb = folder / "bomb"

    def message(self, task: str = FINALISE, *arguments: str, app: Celery | None = None) -> dict[str, Any]:
        """Return a message as it would lie in the queue."""
        arguments = arguments or ("finalise", "x-unknown")
        (app or self.app).send_task(task, args=list(arguments), queue=PARKED, task_id=f"id-{uuid.uuid4()}")
        made: dict[str, Any] = json.loads(str(self.redis.rpop(PARKED)))
        return made

    def put(self, message: dict[str, Any] | str | bytes) -> None:
        text = json.dumps(message) if isinstance(message, dict) else message
        self.redis.lpush(AGGREGATE_QUEUE, text)

    def said(self) -> str:
        return self.worker.log.read_text()

    def refuses(self, messages: list[dict[str, Any] | str | bytes], reason: str) -> None:
        """Put the messages, and a good one behind them; check that each is refused in one line with the reason."""
        before = self.said()
        for message in messages:
            self.put(message)
        good = self.message()
        self.put(good)
        good_id = good["headers"]["id"]
        wait_for(lambda: f"{FINALISE}[{good_id}]" in self.said(), what="the good message is carried out")

        def refusals() -> list[str]:
            said = self.said().removeprefix(before).splitlines()
            return [line for line in said if "a message was refused" in line]

        # The aggregator's processes say what they do in any order.
        wait_for(lambda: len(refusals()) >= len(messages), what="each message is refused")
        lines, refused = self.said().removeprefix(before).splitlines(), refusals()
        assert len(refused) == len(messages), refused
        assert all(reason in line for line in refused), refused
        for message in messages:
            if isinstance(message, dict):
                task_id = str(message["headers"].get("id"))
                assert not [
                    line
                    for line in lines
                    if task_id in line and line not in refused and "received" not in line
                ]
        assert self.worker.alive
        assert self.redis.hlen("unacked") == 0 or wait_for(lambda: self.redis.hlen("unacked") == 0)


@pytest.fixture(scope="module", params=["plain", "signed"])
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, _redis: Any
) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp(request.param)
    connect(_redis.url).flushall()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(SIGNING_KEY_FILE, raising=False)
        if request.param == "signed":
            (folder / "keys").write_text("\n".join(KEYS))
            patch.setenv(SIGNING_KEY_FILE, str(folder / "keys"))
        cluster = Cluster(_redis.url, folder)
        worker = cluster.python("aggregator", "-m", "worker", "--aggregator", "--loglevel", "info")
        worker.wait_until(cluster.store.has_aggregator, seconds=60)
        yield Target(cluster, worker, folder)
        cluster.stop()


def in_form(message: dict[str, Any], content_type: str, body: bytes) -> dict[str, Any]:
    """Return the message with another body."""
    properties = {**message["properties"], "body_encoding": "base64"}
    encoded = base64.b64encode(body).decode()
    return {**message, "content-type": content_type, "body": encoded, "properties": properties}


BODY: list[Any] = [
    ["finalise", "x-unknown"],
    {},
    {"callbacks": None, "errbacks": None, "chain": None, "chord": None},
]


@pytest.mark.parametrize(
    ("content_type", "dump"),
    [
        ("application/x-python-serialize", pickle.dumps),
        ("application/json", lambda body: json.dumps(body).encode()),
        ("application/x-yaml", lambda body: yaml.safe_dump(body).encode()),
        ("text/plain", lambda body: json.dumps(body).encode()),
    ],
)
def test_only_one_form_is_accepted(target: Target, content_type: str, dump: Callable[[Any], bytes]) -> None:
    target.refuses([in_form(target.message(), content_type, dump(BODY))], "untrusted content")


@pytest.mark.parametrize("content_type", ["application/data", "application/text", None, ""])
def test_what_kombu_would_not_decode_is_refused(target: Target, content_type: str) -> None:
    """kombu lets these types pass whatever is accepted; the stock worker ends, and so does the next."""
    target.refuses(
        [in_form(target.message(), content_type, json.dumps(BODY).encode())], "the form of a task's"
    )


def test_a_body_of_another_form_is_refused(target: Target) -> None:
    serializer = str(target.app.conf.task_serializer)
    messages: list[dict[str, Any] | str | bytes] = []
    bodies: tuple[Any, ...] = (
        5,
        None,
        "x",
        b"x",
        [],
        [[], {}],
        [[], {}, 5],
        [5, {}, {}],
        {"args": []},
        [[], {}, {}, {}],
    )
    for body in bodies:
        content_type, _, encoded = dumps(body, serializer=serializer)
        messages.append(in_form(target.message(), str(content_type), cast(bytes, encoded)))
    target.refuses(messages, "the form of a task's")


@pytest.mark.parametrize(
    "content_type", ["application/x-python-serialize", "pickle", "application/x-msgpack"]
)
def test_nothing_is_ever_unpickled(target: Target, content_type: str) -> None:
    bomb = pickle.dumps([[Bomb(target.bomb)], {}, {}])
    target.refuses([in_form(target.message(), content_type, bomb)], "a message was refused")
    assert not target.bomb.exists()


def test_what_is_no_message_at_all_is_dropped(target: Target) -> None:
    one = target.message()
    bomb = base64.b64encode(zlib.compress(bytes(64 << 20))).decode()

    def with_headers(**headers: Any) -> dict[str, Any]:
        return {**one, "headers": {**one["headers"], **headers}}

    messages: list[dict[str, Any] | str | bytes] = [
        *("garbage", b"\xff\xfe", "", "[" * 100_000, '{"__type__": "uuid", "__value__": 5}'),
        *("3", "[]", "{}", '{"body": "x"}'),
        *(with_headers(timelimit=limits) for limits in ("x", [1], [1, 2, 3], [10**400, 10**400])),
        # What is not signed is not obeyed.
        *(with_headers(timelimit=[1, None]), with_headers(eta="2030-01-01T00:00:00")),
        *(with_headers(expires="2000-01-01T00:00:00"), with_headers(stamped_headers=[[1], {}], stamps={})),
        {**with_headers(compression="application/x-gzip"), "body": bomb},
        {**one, "properties": {**one["properties"], "body_encoding": "nope"}},
        *({**one, name: [1]} for name in ("content-type", "content-encoding")),
        {**one, "properties": {}},
    ]
    target.refuses(messages, "a message was refused")


def test_what_a_header_says_does_not_reach_the_terminal(target: Target) -> None:
    one = target.message()
    headers = {**one["headers"], "task": "\x1b[31mred\nERROR: a line of its own", "id": "\x1b]0;title\x07"}
    target.refuses([{**one, "headers": headers}], "there is no task")
    assert "\x1b" not in target.said() and "\nERROR: a line" not in target.said()


def test_remote_control_takes_the_same_form_only(target: Target) -> None:
    stranger = Celery("stranger", broker=str(target.app.conf.broker_url))
    stranger.conf.update(task_serializer="json", accept_content=["json"])
    stranger.control.broadcast("shutdown")
    for garbage in ("garbage", "[]", "[" * 100_000):
        target.redis.publish("/0.celery.pidbox", garbage)
    before = target.said()
    wait_for(lambda: target.app.control.inspect(timeout=1, limit=1).ping(), what="the worker answers still")
    assert "type json" in target.said() and "Traceback" not in target.said().removeprefix(before)
    assert target.worker.alive


# --- with a key ----------------------------------------------------------------------------------


with_keys = pytest.mark.parametrize("target", ["signed"], indirect=True)


def body_of(message: dict[str, Any]) -> bytes:
    return base64.b64decode(message["body"])


@with_keys
def test_an_unsigned_message_is_refused(target: Target) -> None:
    one = target.message()
    plain = body_of(one)[36:]
    type_of_signed = str(one["content-type"])
    target.refuses([in_form(one, "application/x-msgpack", plain)], "untrusted content")
    target.refuses([in_form(one, type_of_signed, plain)], "no valid signature")


@with_keys
def test_a_wrongly_signed_or_changed_message_is_refused(target: Target) -> None:
    one = target.message()
    kind, body = str(one["content-type"]), body_of(one)
    changed = body.replace(b"x-unknown", b"y-unknown")
    assert changed != body
    stranger = Signer((b"a stranger's key " * 3,)).sign(body[36:])
    cut = body[:-1]
    messages = [in_form(target.message(), kind, bad) for bad in (changed, stranger, cut, b"", b"CHI1")]
    target.refuses(list(messages), "")


@with_keys
def test_a_message_of_the_second_key_is_accepted(target: Target) -> None:
    one = target.message()
    with_second = Signer((KEYS[1].encode(),)).sign(body_of(one)[36:])
    message = in_form(one, str(one["content-type"]), with_second)
    target.put(message)
    wait_for(lambda: f"{FINALISE}[{message['headers']['id']}]" in target.said(), what="it is carried out")


def test_a_body_replayed_under_another_name_is_refused(target: Target) -> None:
    """Also without a key: the kind is the first argument of every task."""
    fitting = target.message(DECIDE, "decide", "x-unknown")
    replayed = {**fitting, "headers": {**fitting["headers"], "task": FINALISE}}
    target.refuses([replayed], "its body is not for 'finalise'")
