"""Lines of logs: their form, their context, and what must never stand in them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from functools import partial
from typing import IO, Any, cast

import pytest
from rich.console import Console

from contracts import logs

log = logging.getLogger("worker.test")


@pytest.fixture(autouse=True)
def _root() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before, level
    logs._secrets.clear()
    logs._process.clear()
    logging.captureWarnings(False)


def logged(form: logs.Form = "json", **options: Any) -> io.StringIO:
    stream = io.StringIO()
    logs.setup(form, stream=stream, **options)
    return stream


def tree(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    made: dict[str, Any] = json.loads(line)
    return made


def test_a_json_line_says_when_what_and_about_what() -> None:
    stream = logged(slot="g0", pool="h100")
    with logs.context(sweep="s", execution="x", job_id="j", configuration="temperature=0.2", attempt=2):
        log.warning("%s failed", "it")
    line = tree(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line.pop("process") > 0
    assert line == {
        "level": "warning",
        "logger": "worker.test",
        "message": "it failed",
        "sweep": "s",
        "execution": "x",
        "job_id": "j",
        "configuration": "temperature=0.2",
        "slot": "g0",
        "pool": "h100",
        "attempt": 2,
    }


def test_a_text_line_ends_with_its_context() -> None:
    stream = logged("text", slot="g0")
    with logs.context(job_id="j", attempt=None):
        log.info("done")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z INFO    worker\.test: done \[job_id=j slot=g0\]\n",
        stream.getvalue(),
    )


def test_a_context_ends_and_holds_within_an_event_loop_and_nests() -> None:
    stream = logged()

    async def inside() -> None:
        log.info("inside")

    with logs.context(sweep="s"):
        with logs.context(job_id="j"), asyncio.Runner() as runner:
            runner.run(inside())
        log.info("after")
    log.info("outside")
    inner, after, outside = map(json.loads, stream.getvalue().splitlines())
    assert (inner["sweep"], inner["job_id"]) == ("s", "j")
    assert after["sweep"] == "s" and "job_id" not in after
    assert "sweep" not in outside
    with pytest.raises(TypeError, match="colour"), logs.context(colour="red"):
        pass


@pytest.mark.parametrize("form", logs.FORMS)
@pytest.mark.parametrize(
    "message",
    [
        "Cannot connect to redis://:hunter2@10.0.0.1:6379/0: refused",
        "rediss://user:hunter2@host/0?ssl_cert_reqs=none is away",
        "redis://user:a/b@hunter2@host:6379/0",
        "REDIS://:hunter2@host and http://u:hunter2@other/x",
        "redis://host:6379/0?password=hunter2&db=1",
        'options {"password": "hunter2"}',
        "Authorization: Bearer hunter2",
        "api_key=hunter2",
        '{"password": "ab hunter2,ef"}',
        r'"{\"password\": \"ab \\\\ hunter2\", \"x\": 1}"',
        '{"password": "ab \\" hunter2"}',
        "Authorization: Token sk-hunter2",
        'authorization: Digest username="u", response="hunter2"',
        "{'Authorization': 'Token hunter2', 'x': 1}",
        "[(b'authorization', b'Basic hunter2')]",
        "api-key: sk-hunter2",
        "X-Api-Key: sk-hunter2",
        "pwd=hunter2",
        "http://u:p hunter2@h/",
    ],
)
def test_no_password_is_logged(form: logs.Form, message: str) -> None:
    stream = logged(form)
    log.error("%s", message)
    try:
        raise ValueError(message)
    except ValueError:
        log.exception("again")
    assert "hunter2" not in stream.getvalue() and "***" in stream.getvalue()


@pytest.mark.parametrize("form", logs.FORMS)
def test_the_broker_s_password_is_hidden_wherever_it_turns_up(form: logs.Form) -> None:
    stream = logged(form, url="redis://user:s%40cret-word@host:6379/0")
    with logs.context(configuration="s@cret-word"):
        log.error("ACL: s@cret-word is wrong, and so is s%40cret-word")
    assert "cret-word" not in stream.getvalue()
    assert "is wrong" in stream.getvalue()


def test_what_is_no_secret_stays() -> None:
    stream = logged()
    message = "tokens=20 at http://127.0.0.1:8000/v1 or http://host:8000 by a@b.c"
    log.info("%s", message)
    assert tree(stream)["message"] == message


def test_what_stands_beside_a_secret_stays() -> None:
    message = '{"password": "a b", "user": "c"} token=x, y; Authorization: Basic zz zz'
    assert logs.redact(message) == '{"password": "***", "user": "c"} token=***, y; Authorization: ***'
    assert logs.redact("http://u:p w@h/ and b@c") == "http://***@h/ and b@c"


@pytest.mark.parametrize("form", logs.FORMS)
def test_hostile_text_stays_one_line_and_moves_no_cursor(form: logs.Form) -> None:
    stream = logged(form)
    with logs.context(configuration="a\nb\x1b[2J"):
        log.info("%s", "x\r\n2026-01-01 00:00:00.000Z ERROR forged: y\x1b]0;t\x07\x9b1m\u202e\u2028")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert all(c.isprintable() or c == "\n" for c in text)


def test_no_line_of_a_traceback_can_be_taken_for_one_of_the_log() -> None:
    stream = logged("text")
    try:
        raise RuntimeError(
            "x\n2026-11-22 04:22:10.123Z INFO    worker.watched: stored: ok [job_id=j]\n\r\x85y"
        )
    except RuntimeError:
        log.exception("failed")
    first, *rest = stream.getvalue().rstrip("\n").split("\n")
    assert first.endswith("failed") and len(rest) >= 5
    assert all(line.startswith("    ") for line in rest)


def test_a_line_that_does_not_fit_its_arguments_is_a_line() -> None:
    stream = logged()
    log.info("%d apples", "two")
    assert tree(stream)["message"] == "%d apples"


@pytest.mark.parametrize(
    "part",
    ["x", "a.", "://", "password", "password=", "@", "\x1b", "://a:b", "pwd:'", "authorization:", "\\"],
)
def test_long_messages_are_cut_at_no_great_cost(part: str) -> None:
    stream = logged("text")
    log.info("%s", part * 200_000)
    assert len(stream.getvalue()) < 10 * logs.LONGEST


def test_celery_s_lines_tell_their_task() -> None:
    stream = logged()
    log.info("Task %(name)s succeeded", {"name": "chimera.measure"}, extra={"data": {"id": "x.1.j"}})
    assert tree(stream)["task_id"] == "x.1.j"


def test_what_a_command_prints_becomes_records() -> None:
    stream = logged()
    console = Console(
        file=cast(IO[str], logs.LineStream(partial(logging.getLogger("chimera.run").info, "%s"))), width=200
    )
    console.print("one\n\ntwo ", end="")
    console.print("more")
    messages = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert messages == ["one", "two more"]


def test_the_form_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, form in (("json", "json"), ("text", "text"), ("yaml", "text")):
        monkeypatch.setenv(logs.LOG_FORMAT, given)
        assert logs.form_given() == form
