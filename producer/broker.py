"""Which Redis a command talks to."""

from __future__ import annotations

import os
from pathlib import Path

from contracts.failures import SetupError
from contracts.redis_client import connect
from contracts.settings import BROKER, HOME
from producer import embedded_redis


def home() -> Path:
    """Return the folder of the embedded Redis: ``CHIMERA_HOME``, else ``.chimera``."""
    return Path(os.environ.get(HOME) or ".chimera")


def given_broker(option: str | None) -> str | None:
    """Return ``--broker``, else ``CHIMERA_BROKER``, else ``None``.

    Raises:
        SetupError: it is not a Redis URL.
    """
    url = option or os.environ.get(BROKER) or None
    if url is not None and not url.startswith(("redis://", "rediss://")):
        raise SetupError(f"the broker must be a redis:// or rediss:// URL, got {url.partition('://')[0]!r}")
    if url is not None:
        try:
            connect(url)
        except (ValueError, TypeError):
            raise SetupError(
                "the broker's URL can't be understood: it is redis://[user:password@]host:port/db, with "
                "special characters of the password percent-encoded"
            ) from None
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
