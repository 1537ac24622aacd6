"""kombu's Redis transport, for which neither a message that is none nor a Redis without memory is a reason to end.

With the stock one, whatever can write into a queue can end each worker that reads it: a list's item that is no JSON,
or a header of the wrong type, raises out of the worker's loop (kombu 5.7: "Unrecoverable error", exit status 0).
"""

from __future__ import annotations

import logging
from queue import Empty
from typing import Any

import kombu.transport
from kombu.exceptions import DecodeError
from kombu.transport import redis
from redis.exceptions import OutOfMemoryError

from contracts.queues import CALIBRATE

log = logging.getLogger(__name__)

_stock: Any = redis  # its type stubs lack what is overridden here

_TEXT = (str, type(None))
_HEADERS: dict[str, tuple[type, ...]] = {
    "task": (str,),
    "id": (str,),
    **dict.fromkeys(("shadow", "expires", "group", "root_id", "parent_id", "origin"), _TEXT),
    **dict.fromkeys(("argsrepr", "kwargsrepr"), _TEXT),
    **dict.fromkeys(("group_index", "retries", "replaced_task_nesting"), (int, type(None))),
    "ignore_result": (bool, type(None)),
}
"""Headers of Celery's task messages, protocol 2, and their types; others pass."""

_ABSENT: dict[str, tuple[Any, ...]] = {
    "eta": (None,),
    "timelimit": (None, [None, None]),
    "stamps": (None, {}),
    "stamped_headers": (None, []),
}
"""Headers that Chimera never fills, and what they are then. No signature covers them: they are not obeyed."""


def flaw(message: Any) -> str | None:
    """Return why ``message``, parsed, can't be one of kombu's; ``None``: its form is right."""
    if not isinstance(message, dict):
        return "not an object"
    properties, headers = message.get("properties"), message.get("headers")
    if not isinstance(properties, dict) or not isinstance(properties.get("delivery_tag"), str):
        return "no delivery tag"
    if not isinstance(properties.get("delivery_info"), dict):
        return "no delivery info"
    if not isinstance(message.get("body", ""), str):
        return "the body is no text"
    if not isinstance(headers, dict):
        return "no headers"
    if headers.get("compression"):
        return "it is compressed"  # it would be inflated, without a bound, before its signature is looked at
    if properties.get("body_encoding") not in (None, "base64"):
        return "its body is encoded in another way"
    if not all(isinstance(message.get(name), _TEXT) for name in ("content-type", "content-encoding")):
        return "its content type is no text"
    if "task" not in headers:
        return None  # an answer, an event, or a command of remote control
    for name, types in _HEADERS.items():
        if not isinstance(headers.get(name), types):
            return f"header {name} is of a wrong type"
    for name, absent in _ABSENT.items():
        if headers.get(name) not in absent:
            return f"header {name} is not what Chimera sends"
    if headers.get("expires") is not None and headers["task"] != CALIBRATE:
        return "header expires is not what Chimera sends"
    return None


def _is_of_a_task(body: Any) -> bool:
    """Whether a decoded body is one of Celery's protocol 2: arguments, named arguments, and what comes after."""
    if not isinstance(body, list | tuple) or len(body) != 3:
        return False
    arguments, named, after = body
    return isinstance(arguments, list | tuple) and isinstance(named, dict) and isinstance(after, dict)


_PARSING = (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What kombu's JSON raises on text that is none of its own."""


class Message(_stock.Channel.Message):  # type: ignore[misc]
    """Refuses a task whose body is none: kombu hands ``application/data`` over as it is, whatever is accepted."""

    def _decode(self) -> Any:
        body = super()._decode()
        if "task" in self.headers and not _is_of_a_task(body):
            raise DecodeError("the body has not the form of a task's")
        return body


class Channel(_stock.Channel):  # type: ignore[misc]
    """Drops what is no JSON."""

    Message = Message

    def _brpop_read(self, **options: Any) -> Any:
        self.connection.delivering = False
        try:
            return super()._brpop_read(**options)
        except _PARSING:
            self._refuse_unless_delivering()
            return True

    def _receive_one(self, client: Any) -> Any:
        self.connection.delivering = False
        try:
            return super()._receive_one(client)
        except _PARSING:
            self._refuse_unless_delivering()
            raise Empty from None

    def _refuse_unless_delivering(self) -> None:
        """Log a refusal; called where an error is handled: one of the worker's own is raised again."""
        if self.connection.delivering:
            raise
        log.error("a message was refused: no JSON")


class Transport(_stock.Transport):  # type: ignore[misc]
    """Redis, with :class:`Channel`; drops what has not the form of a message."""

    Channel = Channel
    # A Redis without memory refuses a consumer's notes. Its worker then connects again and waits.
    connection_errors = (*_stock.Transport.connection_errors, OutOfMemoryError)
    delivering = False
    """Whether what was read last could be parsed: errors from then on are not the message's."""

    def _deliver(self, message: Any, queue: str) -> None:
        self.delivering = True
        why = flaw(message)
        if why is not None:
            log.error("a message was refused: %s", why)
            return
        try:
            super()._deliver(message, queue)
        except (*self.connection_errors, *self.channel_errors):
            raise
        except Exception:
            self._forget(message["properties"]["delivery_tag"])
            raise

    def _forget(self, tag: str) -> None:
        """Acknowledge a message that ends this worker: given back, it would end the next. The reconciler misses it."""
        for channel in self.channels:
            if tag in channel.qos._delivered:
                channel.qos.ack(tag)


def install() -> None:
    """Have kombu use it for ``redis://`` and ``rediss://`` in this process."""
    for scheme in ("redis", "rediss"):
        kombu.transport.TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
        vars(kombu.transport)["_transport_cache"].pop(scheme, None)
