"""What workers say of messages that they refuse: one line, and nothing of the message's body.

Celery reports such a message with its whole body, in which anything may be, and with a traceback of its own code.
"""

from __future__ import annotations

import logging

MAX_CHARS = 300

_CONSUMER = "celery.worker.consumer.consumer"
_TRACE = "celery.app.trace"
_TRANSPORT = "kombu.transport.redis"
_WITH_REASON = {
    "Received invalid task message": "a message was refused: %s",
    "Can't decode message body": "a message was refused: %s",
    "Received unregistered task of type": "a message was refused: there is no task %s",
}
_WITHOUT = {
    "Received and deleted unknown message": "a message was refused: it has not the form of a task",
    "Cannot process event on channel": "a message was refused: no JSON",
}


class OneLine(logging.Filter):
    """Cuts Celery's records of refused and rejected messages down to why; lets all others pass as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = str(record.msg)
        if record.name == _TRACE:
            if isinstance(record.args, dict) and str(record.args.get("description", "")).startswith("reject"):
                record.exc_info = record.exc_text = None
            return True
        for beginning, line in _WITH_REASON.items():
            if text.startswith(beginning):
                reason = record.args[0] if isinstance(record.args, tuple) and record.args else "no reason"
                record.msg, record.args = line, (ascii(str(reason))[1:-1][:MAX_CHARS],)
                record.exc_info = record.exc_text = None
        for beginning, line in _WITHOUT.items():
            if text.startswith(beginning):
                record.msg, record.args = line, ()
                record.exc_info = record.exc_text = None
        return True


def shorten() -> None:
    """Have this process say it so. A second call changes nothing."""
    for name in (_CONSUMER, _TRACE, _TRANSPORT):
        logger = logging.getLogger(name)
        if not any(isinstance(known, OneLine) for known in logger.filters):
            logger.addFilter(OneLine())
