"""Logs of all processes: text for people or one JSON object a line, without passwords, with what a line is about.

A line's context (sweep, execution, job, slot …) is set where it is known, ``with logs.context(job_id=…)``, and holds
for all that is logged within, in libraries as well; what holds for a whole process is given to :func:`setup`. The
keys of a JSON line::

    time                       UTC, ms: 2026-11-22T04:22:10.123Z
    level, logger, message     as Python's logging has them
    process                    pid
    exception                  the traceback, where there is one
    task_id                    of Celery's own lines about a task
    sweep, execution, job_id, configuration, slot, pool, attempt
                               where they are known

Standard library only: a library for JSON lines would save the one call of ``json.dumps``.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO
from urllib.parse import unquote

Form = Literal["text", "json"]
FORMS: tuple[Form, ...] = ("text", "json")

LOG_FORMAT = "CHIMERA_LOG_FORMAT"
"""Environment variable: the form of the logs of a process and of those that it starts."""

NAMES = ("sweep", "execution", "job_id", "configuration", "slot", "pool", "attempt")
"""What a line may be about, in the order in which it is written."""

LONGEST = 16_000
"""Characters of a message or traceback; the rest is left out."""
_HIDDEN = "***"
_SHORTEST_SECRET = 6
"""Shorter passwords are words of every line: they are hidden in URLs only."""

# All in linear time: what is logged may be long and hostile.
_WORD = re.compile(r"[^\s\"'<>]+")
_SPACED = re.compile(r"(://)[^\s/@:]{0,200}:(?!\d{1,5}\s)[^/@\n\"'<>]{1,200}@")
"""Credentials with blanks in them. A port and a blank are none."""
_QUOTE = r"(?P<quote>\\?[\"'])?"
_TO_QUOTE = r"(?:(?!(?P=quote))(?:\\.|.))*"
_NAMED = re.compile(
    r"(?i)((?:password|passwd|passphrase|pwd|secret|token|api[_-]?key)(?:\\?[\"'])?\s{0,2}[=:]\s{0,2}"
    rf"{_QUOTE})(?(quote){_TO_QUOTE}|(?:bearer\s|basic\s)?[^\s\"'&,;)}}\]]+)"
)
_AUTHORIZATION = re.compile(
    rf"(?i)(authorization(?:\\?[\"'])?\s{{0,2}}[=:,]\s{{0,2}}(?:b(?=[\"']))?{_QUOTE})(?(quote){_TO_QUOTE}|.+)"
)
"""Whatever its scheme: to the closing quote, or to the end of the line."""

_context: ContextVar[Mapping[str, str | int]] = ContextVar("chimera_log_context")
_NOTHING: Mapping[str, str | int] = {}
_secrets: set[str] = set()
_process: dict[str, str | int] = {}


@contextmanager
def context(**known: str | int | None) -> Iterator[None]:
    """Say what is logged within is about, by the names of :data:`NAMES`; ``None`` is not known."""
    unknown = set(known) - set(NAMES)
    if unknown:
        raise TypeError(f"not a name of the context: {', '.join(sorted(unknown))}")
    mark = _context.set(
        {**_context.get(_NOTHING), **{name: value for name, value in known.items() if value is not None}}
    )
    try:
        yield
    finally:
        _context.reset(mark)


def setup(
    form: Form,
    level: int | str = logging.INFO,
    *,
    url: str | None = None,
    stream: TextIO | None = None,
    **known: str | int | None,
) -> None:
    """Make this process log to ``stream`` (standard error) in that form, in place of what was set up before.

    Args:
        form: ``text`` or ``json``.
        level: As Python's logging knows it.
        url: Of the broker: its password is hidden wherever it turns up.
        stream: ``None``: standard error.
        known: What every line of the process is about, as in :func:`context`.
    """
    _process.clear()
    _process.update({name: value for name, value in known.items() if value is not None})
    if url is not None:
        hide(url)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper() if isinstance(level, str) else level)
    logging.captureWarnings(True)


def form_given() -> Form:
    """Return the form that the environment asks for; text where it asks for none."""
    given = os.environ.get(LOG_FORMAT, "")
    return given if given in FORMS else "text"


def hide(url: str) -> None:
    """Hide a URL's password in every line that is logged from now on."""
    userinfo = url.partition("://")[2].rpartition("@")[0]
    password = userinfo.partition(":")[2]
    _secrets.update(text for text in (password, unquote(password)) if len(text) >= _SHORTEST_SECRET)


def redact(text: str) -> str:
    """Return the text without credentials: those of URLs, of ``password=…`` and its kin, and what was hidden."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    if "@" in text:
        text = _WORD.sub(_without_credentials, text)
        text = _SPACED.sub(rf"\1{_HIDDEN}@", text)
    return _NAMED.sub(rf"\1{_HIDDEN}", _AUTHORIZATION.sub(rf"\1{_HIDDEN}", text))


def _without_credentials(word: re.Match[str]) -> str:
    scheme, separator, rest = word[0].partition("://")
    # Whatever stands before the last @ may be a password, as in contracts.redis_client.
    return f"{scheme}://{_HIDDEN}@{rest.rpartition('@')[2]}" if separator and "@" in rest else word[0]


class JsonLines(logging.Formatter):
    """One JSON object a line, ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{_time(record):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _short(redact(_message(record))),
            "process": record.process,
        }
        line |= {k: redact(v) if isinstance(v, str) else v for k, v in _about(record).items()}
        traceback = _traceback(self, record)
        if traceback is not None:
            line["exception"] = _short(redact(traceback))
        return json.dumps(line)


class TextLines(logging.Formatter):
    """One line, and a traceback below it, indented: none of its lines can be taken for one of the log.

    Control characters are shown, not obeyed.
    """

    def format(self, record: logging.LogRecord) -> str:
        about = " ".join(f"{name}={value}" for name, value in _about(record).items())
        text = f"{_message(record)} [{about}]" if about else _message(record)
        text = printable(_short(redact(text)).replace("\n", "\\n"))
        line = f"{_time(record):%Y-%m-%d %H:%M:%S}.{int(record.msecs):03d}Z {record.levelname:<7} {record.name}: {text}"
        traceback = _traceback(self, record)
        below = [] if traceback is None else printable(_short(redact(traceback))).split("\n")
        return "\n    ".join([line, *below])


class LineStream(io.TextIOBase):
    """A text stream that hands its lines to a function, such as one that logs them."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                self._tell(line.rstrip())
        return len(text)


def _about(record: logging.LogRecord) -> dict[str, str | int]:
    known = {**_process, **_context.get(_NOTHING)}
    about = {name: known[name] for name in NAMES if name in known}
    data = getattr(record, "data", None)  # Celery's lines about a task
    if isinstance(data, dict) and isinstance(data.get("id"), str):
        about["task_id"] = data["id"]
    return about


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a line that does not fit its arguments is shown without them
        return str(record.msg)


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str | None:
    if record.exc_info and record.exc_info[0] is not None:
        return formatter.formatException(record.exc_info)
    return record.exc_text or None


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text) - LONGEST} more characters)"


def printable(text: str) -> str:
    """Return a text with its control characters written out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in _HARMFUL else f"\\u{ord(c):04x}" for c in text
    )


_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control, format (direction overrides among them), surrogates, separators of lines."""
