"""Environment variables by which a worker process learns who it is. Set by ``chimera worker``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from contracts.failures import InputError, SetupError
from contracts.names import NAME_PATTERN

BROKER = "CHIMERA_BROKER"
"""``redis://[user:password@]host:port/db``: broker, result backend and result store."""
HOME = "CHIMERA_HOME"
"""Folder of the embedded Redis and its logs; default ``.chimera`` in the working directory."""
DATA_ROOT = "CHIMERA_DATA_ROOT"
"""Folder that a workload's relative paths are relative to on this worker's machine, instead of the
folder of the sweep file on the producer's machine."""
REDIS_CA = "CHIMERA_REDIS_CA"
"""File of the certificate authorities that may have signed Redis' certificate; default: the system's."""
REDIS_CERT = "CHIMERA_REDIS_CERT"
"""File of this client's certificate, where Redis asks for one."""
REDIS_KEY = "CHIMERA_REDIS_KEY"
"""File of the certificate's private key."""
SIGNING_KEY_FILE = "CHIMERA_SIGNING_KEY_FILE"
"""File of the keys by which messages are signed, a line each; the first signs, all are accepted."""
FLOWER_AUTH = "CHIMERA_FLOWER_AUTH"
"""``user:password``, several separated by commas, that Flower asks for."""
FLOWER_STATE = "CHIMERA_FLOWER_STATE"
"""File in which Flower keeps what it shows; without it a restart of Flower forgets."""

SERVER = "CHIMERA_SERVER"
"""URL of the slot's model server; in the arguments everybody on the machine could read its password."""
SERVERS = "CHIMERA_SERVERS"
"""The same of ``chimera run`` and ``resume``: URLs, separated by blanks."""
ALSO = "CHIMERA_ALSO"
"""Further model servers of the slot, by name: ``NAME=URL``, separated by blanks. Those of ``chimera run`` too, which hands
them to its workers."""

_SLOT = "CHIMERA_SLOT"
_POOL = "CHIMERA_POOL"
_GPU = "CHIMERA_GPU"
_MAX_DEADLINE = "CHIMERA_MAX_DEADLINE"

DEFAULT_POOL = "default"
DEFAULT_MAX_DEADLINE_S = 900.0


@dataclass(frozen=True)
class WorkerSettings:
    """Who a slot's worker is."""

    slot: str
    pool: str
    server: str
    gpu: int | None
    max_deadline_s: float
    """The longest job deadline that this worker accepts, s."""
    also: tuple[tuple[str, str], ...] = ()
    """Further servers: name, URL."""

    def server_url(self, name: str | None) -> str:
        """Return the address of a further server; ``None``: of the slot's own.

        Raises:
            SetupError: the slot has none of that name.
        """
        if name is None:
            return self.server
        url = dict(self.also).get(name)
        if url is None:
            raise SetupError(
                f"slot {self.slot} has no further server {name!r}: start its worker with --also {name}=URL"
            )
        return url

    def environment(self) -> dict[str, str]:
        """Return the variables that :func:`worker_settings` reads back."""
        return {
            _SLOT: self.slot,
            _POOL: self.pool,
            SERVER: self.server,
            _GPU: "" if self.gpu is None else str(self.gpu),
            _MAX_DEADLINE: repr(self.max_deadline_s),
            ALSO: " ".join(f"{name}={url}" for name, url in self.also),
        }


def worker_settings() -> WorkerSettings | None:
    """Return the settings of this process, ``None`` in a process that serves no slot (aggregator, Flower)."""
    slot = os.environ.get(_SLOT)
    if not slot:
        return None
    gpu = os.environ.get(_GPU)
    return WorkerSettings(
        slot=slot,
        pool=os.environ.get(_POOL, DEFAULT_POOL),
        server=os.environ[SERVER],
        gpu=int(gpu) if gpu else None,
        max_deadline_s=float(os.environ.get(_MAX_DEADLINE, DEFAULT_MAX_DEADLINE_S)),
        also=further_servers(os.environ.get(ALSO, "")),
    )


def further_servers(text: str) -> tuple[tuple[str, str], ...]:
    """Return name and URL of each ``NAME=URL`` of a text; blanks separate them.

    Raises:
        InputError: one is not of that form, or a name stands twice. No URL is shown: it may hold a password.
    """
    found: dict[str, str] = {}
    for word in text.split():
        name, equals, url = word.partition("=")
        if not equals or not url or not re.match(NAME_PATTERN, name):
            raise InputError(
                "--also: give each further server as NAME=URL, such as b=http://127.0.0.1:11435; "
                "a name has letters, digits, '.', '_' and '-', up to 64"
            )
        if name in found:
            raise InputError(f"--also: two servers have the name {name!r}")
        found[name] = url
    return tuple(found.items())


def broker_url() -> str:
    """Return the broker's URL.

    Raises:
        SetupError: ``CHIMERA_BROKER`` is not set.
    """
    url = os.environ.get(BROKER)
    if not url:
        raise SetupError(f"{BROKER} is not set: give the Redis URL, such as redis://127.0.0.1:6379/0")
    return url
