"""Clients of Redis: how they try again, and what is shown of a URL."""

from __future__ import annotations

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from contracts.failures import BrokerError
from contracts.tls import address

FOREVER = -1


def connect(url: str, *, retries: int = 5) -> redis.Redis:
    """Return a client that tries again over a few seconds, or :data:`FOREVER`; replies are text.

    Raises:
        SetupError: the URL can't be understood, or asks for a connection that is not verified.
    """
    where = address(url)
    return redis.Redis.from_url(
        where.url,
        **(where.tls or {}),
        decode_responses=True,
        socket_connect_timeout=5,
        socket_keepalive=True,
        health_check_interval=10,
        retry=Retry(ExponentialBackoff(cap=2, base=0.1), retries),
        retry_on_error=[
            redis.ConnectionError,
            redis.TimeoutError,
            redis.BusyLoadingError,
            redis.OutOfMemoryError,
        ],
    )


def redacted(url: str) -> str:
    """Return a URL without user and password, to be shown."""
    scheme, separator, rest = url.partition("://")
    # Whatever stands before the last @ may be a password, and so may a query.
    return f"{scheme}{separator}{rest.rpartition('@')[2].partition('?')[0]}"


def check(client: redis.Redis, url: str) -> None:
    """Raise :class:`BrokerError`, with one line, where Redis does not answer."""
    try:
        client.ping()
    except redis.AuthenticationError as error:
        raise BrokerError(
            f"Redis at {redacted(url)} refuses the password: {error}. Correct it in CHIMERA_BROKER or --broker"
        ) from None
    except redis.exceptions.NoPermissionError as error:
        raise BrokerError(
            f"Redis at {redacted(url)} denies this user what Chimera needs: {error}. docs/security.md has the rules of each user"
        ) from None
    except redis.RedisError as error:
        raise BrokerError(
            f"Redis at {redacted(url)} can't be reached: {str(error).rstrip('.')}. Start it, or correct CHIMERA_BROKER or --broker"
        ) from None
