"""Signed bodies: who may sign, what is refused, and how keys are changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from celery.exceptions import Reject
from hypothesis import given
from hypothesis import strategies as st
from kombu.serialization import dumps, loads

from contracts.celery_app import make_app
from contracts.failures import SetupError
from contracts.settings import SIGNING_KEY_FILE
from contracts.signing import (
    CONTENT_TYPE,
    PLAIN,
    SIGNED,
    BadSignature,
    Signer,
    read_keys,
    require_kind,
    serializer,
)

OLD, NEW, STRANGE = (bytes([letter]) * 32 for letter in b"ons")
BODY = [["measure", "x"], {}, {"chord": None}]


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keys"
    monkeypatch.setenv(SIGNING_KEY_FILE, str(path))
    return path


def test_the_first_key_signs_and_all_are_accepted() -> None:
    before, during, after = Signer((OLD,)), Signer((NEW, OLD)), Signer((NEW,))
    assert during.verified(before.sign(b"x")) == b"x"
    assert after.verified(during.sign(b"x")) == b"x"
    for signer, body in ((after, before.sign(b"x")), (before, during.sign(b"x"))):
        with pytest.raises(BadSignature):
            signer.verified(body)


@given(body=st.binary(max_size=50), change=st.integers(0, 200), bit=st.integers(0, 7))
def test_no_changed_bit_is_accepted(body: bytes, change: int, bit: int) -> None:
    signed = bytearray(Signer((NEW,)).sign(body))
    signed[change % len(signed)] ^= 1 << bit
    with pytest.raises(BadSignature):
        Signer((NEW,)).verified(bytes(signed))


@pytest.mark.parametrize("body", [b"", b"CHI1", b"CHI1" + bytes(31), dumps(BODY, serializer=PLAIN)[2]])
def test_what_is_not_signed_is_refused(body: bytes) -> None:
    with pytest.raises(BadSignature):
        Signer((NEW,)).verified(body)


def test_kombu_signs_and_checks_with_the_registered_serializer(key_file: Path) -> None:
    key_file.write_bytes(NEW + b"\n")
    assert serializer() == SIGNED
    content_type, encoding, body = dumps(BODY, serializer=SIGNED)
    assert content_type == CONTENT_TYPE
    assert loads(body, content_type, encoding, accept=[CONTENT_TYPE]) == BODY
    key_file.write_bytes(STRANGE + b"\n")
    serializer()
    with pytest.raises(Exception, match="no valid signature"):
        loads(body, content_type, encoding, accept=[CONTENT_TYPE])


def test_with_a_key_nothing_else_is_accepted_for_tasks_results_and_remote_control(key_file: Path) -> None:
    key_file.write_bytes(NEW)
    app = make_app("redis://127.0.0.1:1/0", max_deadline_s=1)
    conf = app.conf
    assert conf.accept_content == conf.result_accept_content == [SIGNED]
    assert conf.task_serializer == conf.result_serializer == SIGNED
    mailbox = cast(Any, app.control).mailbox
    assert (mailbox.serializer, mailbox.accept) == (SIGNED, [SIGNED])
    result = app.backend.encode({"status": "SUCCESS", "result": {"job_id": "x"}})
    assert app.backend.decode(result) == {"status": "SUCCESS", "result": {"job_id": "x"}}
    with pytest.raises(Exception, match="no valid signature"):
        app.backend.decode(cast(bytes, dumps({"status": "SUCCESS", "result": 1}, serializer=PLAIN)[2]))


def test_without_a_key_file_messages_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SIGNING_KEY_FILE, raising=False)
    assert serializer() == PLAIN


def test_a_key_file_holds_a_key_a_line(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"# since May\n" + NEW + b"\r\n\n  " + OLD + b"  \n")
    assert read_keys(path) == (NEW, OLD)


@pytest.mark.parametrize("text", [b"", b"# none\n", b"short\n", NEW + b"\nshort\n", (NEW + b"\n") * 17])
def test_a_key_file_that_can_not_be_right_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "keys"
    path.write_bytes(text)
    with pytest.raises(SetupError, match="must hold 1 to 16 keys"):
        read_keys(path)


def test_a_key_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="can't be read: No such file"):
        read_keys(tmp_path / "none")


def test_a_body_for_another_task_is_dropped_and_not_sent_again() -> None:
    require_kind("measure", "measure")
    for given_kind in ("aggregate", "", None, ["measure"], "measure "):
        with pytest.raises(Reject) as caught:
            require_kind(given_kind, "measure")
        assert cast(Any, caught.value).requeue is False
