"""Which Redis a command talks to."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from contracts.failures import SetupError
from contracts.settings import BROKER, HOME
from contracts.tls import address
from producer import embedded_redis

_OPTION = "--broker"


def home() -> Path:
    """Return the folder of the embedded Redis: ``CHIMERA_HOME``, else ``.chimera``."""
    return Path(os.environ.get(HOME) or ".chimera")


def given_broker(option: str | None) -> str | None:
    """Return ``--broker``, else ``CHIMERA_BROKER``, else ``None``.

    Raises:
        SetupError: it is not a Redis URL that can be used.
    """
    url = option or os.environ.get(BROKER) or None
    if url is not None:
        address(url)
    return url


def find_broker(option: str | None) -> str | None:
    """Return the broker that was given, else the embedded one that runs now, else ``None``."""
    return given_broker(option) or embedded_redis.running(home())


def need_broker(option: str | None) -> str:
    """Return the broker, or raise :class:`SetupError` where there is none to talk to."""
    url = find_broker(option)
    if url is None:
        raise SetupError(
            f"no broker: give --broker redis://…, or set {BROKER}; "
            f"no 'chimera run' with an embedded Redis runs in {home()}"
        )
    return url


def hide_password(command: list[str]) -> None:
    """Where the command line holds a broker's password, become the same command with it in the environment.

    Arguments can be read by every user of the machine for as long as a process runs; the environment can't. Until
    here they could be read, and the shell keeps them: the help of ``--broker`` says so.
    """
    kept, url = _without_broker(command)
    if url is None or "@" not in url:
        return
    os.execve(sys.executable, [sys.executable, *kept[1:]], {**os.environ, BROKER: url})


def _without_broker(command: list[str]) -> tuple[list[str], str | None]:
    """Return the command line without ``--broker``, and the URL that it gave last."""
    kept: list[str] = []
    url = None
    words = iter(command)
    for word in words:
        if word == "--":
            return [*kept, word, *words], url
        if word == _OPTION:
            url = next(words, None)
        elif word.startswith(f"{_OPTION}="):
            url = word.partition("=")[2]
        else:
            kept.append(word)
    return kept, url
