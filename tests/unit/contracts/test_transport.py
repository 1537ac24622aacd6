"""Messages that are none: what is refused before Celery sees it, and what is left of it in the log."""

from __future__ import annotations

import copy
import json
import logging
from typing import Any

import kombu.transport
import pytest

from contracts.celery_app import make_app
from contracts.queues import CALIBRATE
from contracts.refusals import MAX_CHARS, OneLine, shorten
from contracts.transport import Transport, flaw


@pytest.fixture(scope="module")
def good() -> dict[str, Any]:
    """A task's message as it lies in Redis, by the code that publishes it."""
    app = make_app("redis://127.0.0.1:1/0", max_deadline_s=1)
    headers, properties, _, _ = app.amqp.as_task_v2("id", "chimera.measure", args=("measure",), kwargs={})
    properties = {**properties, "delivery_tag": "t", "delivery_info": {"exchange": "", "routing_key": "q"}}
    made: dict[str, Any] = json.loads(json.dumps({"body": "x", "headers": headers, "properties": properties}))
    return made


def test_kombu_uses_it_for_both_schemes() -> None:
    for url in ("redis://127.0.0.1:1/0", "rediss://127.0.0.1:1/0"):
        connection = make_app(url, max_deadline_s=1).connection_for_read()
        chosen: list[Any] = [connection.get_transport_cls()]
        assert chosen == [Transport]
        assert connection.as_uri().startswith(url.partition(":")[0])  # Flower chooses its client by it
    by_name: list[Any] = [kombu.transport.get_transport_cls("redis")]
    assert by_name == [Transport]


def test_a_task_and_a_command_are_let_through(good: dict[str, Any]) -> None:
    assert flaw(good) is None
    calibration = {**good["headers"], "task": CALIBRATE, "expires": "2026-11-22T00:00:00+00:00"}
    assert flaw({**good, "headers": calibration}) is None
    assert flaw({**good, "headers": {"ticket": "x", "clock": 3}}) is None


@pytest.mark.parametrize("message", [None, 3, "x", [], {}, {"body": "x"}, {"properties": []}])
def test_what_is_no_message_is_refused(message: Any) -> None:
    assert flaw(message) is not None


@pytest.mark.parametrize(
    ("where", "value"),
    [
        *(("headers", None), ("headers", 5), ("headers", []), ("body", 5), ("properties", None)),
        *(
            ("properties.delivery_tag", None),
            ("properties.delivery_tag", 5),
            ("properties.delivery_info", "x"),
        ),
        *(("headers.task", None), ("headers.task", {}), ("headers.id", 7), ("headers.id", None)),
        *(("headers.timelimit", "x"), ("headers.timelimit", ["x", None]), ("headers.timelimit", [{}, 1])),
        *(("headers.retries", "1"), ("headers.eta", 5), ("headers.group", []), ("headers.argsrepr", 5)),
        *(("headers.stamps", "x"), ("headers.stamped_headers", "x"), ("headers.ignore_result", "x")),
        *(("headers.timelimit", [1]), ("headers.timelimit", [None] * 3), ("headers.timelimit", [1, None])),
        *(("headers.stamps", {"a": []}), ("headers.stamped_headers", [[1], {}])),
        *(("headers.eta", "2026-11-22T00:00:00"), ("headers.expires", "2026-11-22T00:00:00")),
        *(("headers.compression", "application/x-gzip"), ("headers.compression", [1])),
        *(("properties.body_encoding", "nope"), ("properties.body_encoding", [1])),
        *(("content-type", [1]), ("content-encoding", [1])),
    ],
)
def test_a_part_of_a_wrong_type_is_refused(good: dict[str, Any], where: str, value: Any) -> None:
    message = copy.deepcopy(good)
    assert flaw(message) is None
    *path, last = where.split(".")
    inner = message
    for name in path:
        inner = inner[name]
    inner[last] = value
    assert flaw(message) is not None


def record(name: str, message: str, *arguments: Any) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.ERROR, "f", 1, message, arguments, None)
    try:
        raise ValueError("secret body")
    except ValueError as error:
        made.exc_info = (type(error), error, error.__traceback__)
    OneLine().filter(made)
    return made


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "Received invalid task message: %s\nThe message …\n%s",
            "a message was refused: untrusted \\x1b[31m",
        ),
        ("Can't decode message body: %r [type:%r]\n\nbody: %s", "a message was refused: untrusted \\x1b[31m"),
        (
            "Received unregistered task of type %s.\nThe …",
            "a message was refused: there is no task untrusted",
        ),
        (
            "Received and deleted unknown message.  Wrong …%s",
            "a message was refused: it has not the form of a task",
        ),
    ],
)
def test_a_refusal_is_one_line_without_the_body(message: str, said: str) -> None:
    made = record(
        "celery.worker.consumer.consumer", message, "untrusted \x1b[31m\n" + "x" * 1000, "secret body"
    )
    text = made.getMessage()
    assert text.startswith(said)
    assert "\n" not in text and "\x1b" not in text and "secret" not in text and len(text) < MAX_CHARS + 100
    assert made.exc_info is None


def test_other_lines_stay_as_they_are() -> None:
    made = record("celery.worker.consumer.consumer", "Connected to %s", "redis")
    assert made.getMessage() == "Connected to redis" and made.exc_info is not None


def test_the_filters_are_there_once() -> None:
    shorten()
    shorten()
    filters = logging.getLogger("celery.worker.consumer.consumer").filters
    assert sum(isinstance(known, OneLine) for known in filters) == 1
