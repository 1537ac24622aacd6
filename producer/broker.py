"""Which Redis a command talks to."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from contracts.failures import SetupError
from contracts.settings import ALSO, BROKER, HOME, SERVER, SERVERS
from contracts.tls import address
from producer import embedded_redis

_OPTIONS = {"--broker": (BROKER,), "--server": (SERVER, SERVERS), "--also": (ALSO,)}
"""Options that may hold passwords, and the variables that stand for them."""


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
            f"no broker: give --broker redis://…, or set {BROKER}; no 'chimera run' with an embedded Redis runs in "
            f"{home()}: be in the folder that one was started in while it runs"
        )
    return url


def hide_password(command: list[str]) -> None:
    """Where the command line holds the password of a broker or a model server, become the same command with it in the environment.

    Arguments can be read by every user of the machine for as long as a process runs; the environment can't. Until
    here they could be read, and the shell keeps them: the help of ``--broker`` says so.
    """
    hidden: dict[str, str] = {}
    for option, variables in _OPTIONS.items():
        kept, urls = _without(option, command)
        if any("@" in url for url in urls):
            command = kept
            # The command takes the one or the other: the last URL alone, or all of them.
            hidden |= {name: " ".join(urls) if name in (SERVERS, ALSO) else urls[-1] for name in variables}
    if hidden:
        os.execve(sys.executable, [sys.executable, *command[1:]], {**os.environ, **hidden})


def _without(option: str, command: list[str]) -> tuple[list[str], list[str]]:
    """Return the command line without an option, and the values that it gave."""
    kept: list[str] = []
    values: list[str] = []
    words = iter(command)
    for word in words:
        if word == "--":
            return [*kept, word, *words], values
        if word == option:
            values += [value for value in (next(words, None),) if value is not None]
        elif word.startswith(f"{option}="):
            values.append(word.partition("=")[2])
        else:
            kept.append(word)
    return kept, values
