"""Signed messages: what a worker is asked to do, and what it answers, by one who has the key.

A signed body is ``CHI1`` ‖ HMAC-SHA256(key, ``CHI1`` ‖ body) ‖ body, where the body is msgpack as without a key.
Celery signs nothing else of a message, its headers with the task's name neither. So that a body can't be
replayed under another name, the first argument of each of Chimera's tasks says which one it is for.

Who may read the keys can sign. Signing says nothing of the result store: see docs/security.md.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path
from typing import Any, cast

from celery.exceptions import Reject
from kombu.exceptions import DecodeError
from kombu.serialization import dumps, loads, register

from contracts.failures import SetupError
from contracts.settings import SIGNING_KEY_FILE

PLAIN = "msgpack"
_PLAIN_TYPE = "application/x-msgpack"
SIGNED = "chimera-signed"
"""Name of the serializer in kombu's registry."""
CONTENT_TYPE = "application/x-chimera-signed"

MIN_KEY_CHARS = 32
MAX_KEYS = 16
_MARK = b"CHI1"
_TAG = hashlib.sha256().digest_size


class BadSignature(DecodeError):
    """The message was not signed with any of our keys."""


class Signer:
    """Signs with the first key, accepts all of them: so keys can be changed while a cluster runs."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = keys

    def sign(self, body: bytes) -> bytes:
        return _MARK + self._tag(self._keys[0], body) + body

    def verified(self, signed: bytes) -> bytes:
        """Return the body.

        Raises:
            BadSignature: it is not signed, or not by one of the keys, or was changed since.
        """
        mark, tag, body = signed[:4], signed[4 : 4 + _TAG], signed[4 + _TAG :]
        if mark == _MARK and any(hmac.compare_digest(tag, self._tag(key, body)) for key in self._keys):
            return body
        raise BadSignature("no valid signature")

    @staticmethod
    def _tag(key: bytes, body: bytes) -> bytes:
        return hmac.digest(key, _MARK + body, "sha256")


def read_keys(path: Path) -> tuple[bytes, ...]:
    """Return the keys of a file: a line each, empty lines and lines that begin with ``#`` left out.

    Raises:
        SetupError: it can't be read, holds no key, or one that is too short to be one.
    """
    try:
        lines = [line.strip() for line in path.read_bytes().splitlines()]
    except OSError as error:
        raise SetupError(f"{SIGNING_KEY_FILE}: {path} can't be read: {error.strerror}") from None
    keys = tuple(line for line in lines if line and not line.startswith(b"#"))
    if not keys or len(keys) > MAX_KEYS or any(len(key) < MIN_KEY_CHARS for key in keys):
        raise SetupError(
            f"{SIGNING_KEY_FILE}: {path} must hold 1 to {MAX_KEYS} keys, a line each, of {MIN_KEY_CHARS} characters "
            "or more: openssl rand -hex 32"
        )
    return keys


def serializer() -> str:
    """Return the name of the one serializer of this process: :data:`SIGNED` where a key file is given.

    Raises:
        SetupError: the key file can't be used.
    """
    file = os.environ.get(SIGNING_KEY_FILE)
    if not file:
        return PLAIN
    _register(Signer(read_keys(Path(file))))
    return SIGNED


def require_kind(given: object, expected: str) -> None:
    """Refuse a message whose signed first argument names another task than it was sent to.

    Raises:
        Reject: the message is dropped, and Celery logs one line: sending it again would not help.
    """
    if given != expected:
        raise Reject(f"a message was refused: its body is not for {expected!r}", requeue=False)


def _register(signer: Signer) -> None:
    def encode(message: object) -> bytes:
        body = dumps(message, serializer=PLAIN)[2]
        assert isinstance(body, bytes)
        return signer.sign(body)

    def decode(signed: bytes | str) -> object:
        if isinstance(signed, str):  # results come as the text that Redis stores
            raise BadSignature("no valid signature")
        body = signer.verified(bytes(signed))
        return loads(body, content_type=_PLAIN_TYPE, content_encoding="binary", accept=[_PLAIN_TYPE])

    register(SIGNED, cast(Any, encode), decode, content_type=CONTENT_TYPE, content_encoding="binary")
