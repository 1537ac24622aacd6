"""What a broker's URL says, and how its connection is encrypted: one answer for all clients of Redis.

redis-py, kombu, Celery's result backend and Flower read TLS options from different places and with
different defaults, so none of them gets to read the URL's query: they are given the options found here.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from contracts.failures import SetupError
from contracts.settings import REDIS_CA, REDIS_CERT, REDIS_KEY

_FILES = {"ssl_ca_certs": REDIS_CA, "ssl_certfile": REDIS_CERT, "ssl_keyfile": REDIS_KEY}
"""Query parameter of the URL → environment variable that stands in for it."""
_FIXED = {"ssl_cert_reqs": ("required", "cert_required"), "ssl_check_hostname": ("true",)}
"""Query parameters that may only say what holds anyway."""

_FORM = (
    "it is redis://[user:password@]host:port/db or rediss://…, with special characters of the password "
    "percent-encoded"
)


@dataclass(frozen=True)
class Address:
    """Where Redis is."""

    url: str
    """The URL without its query; still with user and password."""
    host: str
    user: str | None
    """``None``: the default user."""
    has_password: bool
    tls: dict[str, Any] | None
    """Keyword arguments of a TLS connection, the same for redis-py and kombu; ``None``: not encrypted."""

    @property
    def loopback(self) -> bool:
        """Whether the connection can't leave the machine."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address is this machine's own, by its form; nothing is looked up."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def address(url: str) -> Address:
    """Read a broker's URL, with what the environment says about TLS.

    Certificates and host names are always verified: there is no way to say otherwise.

    Raises:
        SetupError: the URL can't be understood, a file is missing, or it asks for less than verified TLS.
            The message never holds a part of the URL that might be a password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise SetupError(f"the broker's URL can't be understood: {_FORM}") from None
    if parts.scheme not in ("redis", "rediss"):
        # What stands before the first colon is a scheme only where slashes follow.
        scheme = parts.scheme if "://" in url else ""
        raise SetupError(f"the broker must be a redis:// or rediss:// URL, got {scheme!r}")
    if not host or parts.fragment or not _is_database(parts.path) or (port is not None and port == 0):
        raise SetupError(f"the broker's URL can't be understood: {_FORM}")
    if not query.keys() <= _FILES.keys() | _FIXED.keys():
        known = ", ".join(_FILES)
        raise SetupError(
            f"the broker's URL has a query parameter that Chimera does not know; it knows {known}"
        )
    for name, allowed in _FIXED.items():
        if query.get(name, allowed[0]).lower() not in allowed:
            raise SetupError(
                f"the broker's URL turns the check of Redis' certificate off ({name}): Chimera always checks it. "
                f"Give the authority that signed it with ssl_ca_certs=FILE or {REDIS_CA}"
            )
    return Address(
        url=parts._replace(query="", fragment="").geturl(),
        host=host,
        user=parts.username or None,
        has_password=bool(parts.password),
        tls=_tls(parts.scheme, host, query),
    )


def _is_database(path: str) -> bool:
    return path in ("", "/") or path.removeprefix("/").isdecimal()


def _tls(scheme: str, host: str, query: dict[str, str]) -> dict[str, Any] | None:
    if scheme == "redis":
        if query or (os.environ.get(REDIS_CA) and not is_loopback(host)):
            # A forgotten letter must not send passwords and prompts in the clear.
            what = "the broker's URL has TLS options" if query else f"{REDIS_CA} is set"
            raise SetupError(f"{what}, but redis:// is not encrypted: write rediss://")
        return None
    found = {name: query.get(name) or os.environ.get(variable) for name, variable in _FILES.items()}
    options: dict[str, Any] = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    for name, file in found.items():
        if not file:
            continue
        origin = name if query.get(name) else _FILES[name]
        if not os.access(file, os.R_OK) or not Path(file).is_file():
            raise SetupError(f"{origin}: {file} is no file that can be read")
        options[name] = file
    if ("ssl_certfile" in options) != ("ssl_keyfile" in options):
        raise SetupError(
            f"a client's certificate needs its key, and a key its certificate: give both {REDIS_CERT} and {REDIS_KEY}"
        )
    return options
