"""The HTTP client below every server's client, and plain bounded GETs for identification."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx

from contracts.failures import InputError
from worker.servers.base import ServerUnreachable
from worker.servers.text import decode_json, error_message, excerpt

CONNECT_TIMEOUT_S = 5.0
ASK_TIMEOUT_S = 10.0
WARM_TIMEOUT_S = 2.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024
# llama.cpp closes an idle connection after 5 s: let go of it first, or a request may meet the close.
KEEPALIVE_S = 3.0


def split_credentials(url: str) -> tuple[str, str | None]:
    """Return the base address without credentials and slash at its end, and an Authorization header.

    Raises:
        InputError: it is not an http or https address.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"not a server address ({error}); write http://HOST:PORT") from None
    if parts.scheme not in ("http", "https") or not host:
        shown = excerpt(url.rpartition("@")[2], 100)
        raise InputError(f"{shown!r} is not a server address; write http://HOST:PORT")
    place = f"[{host}]" if ":" in host else host
    place = place if port is None else f"{place}:{port}"
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        authorization = "Basic " + base64.b64encode(pair).decode()
    return urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", "")), authorization


class Connection:
    """One httpx client for one server. Proxies and credentials of the environment are not used."""

    def __init__(self, url: str) -> None:
        self.url, authorization = split_credentials(url)
        headers = {"accept-encoding": "identity", "user-agent": "chimera"}
        if authorization is not None:
            headers["authorization"] = authorization
        self.client = httpx.AsyncClient(
            headers=headers,
            # Reading all certificate authorities takes some 30 ms a job; plain HTTP needs none.
            verify=self.url.startswith("https:"),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(keepalive_expiry=KEEPALIVE_S),
        )

    async def ask(self, path: str, payload: dict[str, Any] | None = None) -> Answer:
        """GET ``path``, or POST ``payload`` there, and return the answer; never more than 8 MiB.

        A request that met the close of a kept connection is sent again once: it asks, it does nothing.

        Raises:
            ServerUnreachable: no HTTP response came.
        """
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                try:
                    return await self._ask(path, payload)
                except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                    return await self._ask(path, payload)
        except TimeoutError:
            raise ServerUnreachable(f"{self.url}: no answer within {ASK_TIMEOUT_S:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ServerUnreachable(f"{self.url}: {explain(error)}") from None

    async def warm(self, path: str, timeout_s: float) -> None:
        """Ask for ``path``, so that the next request finds a connection that certainly stands.

        llama.cpp closes the connection after every streamed answer, whatever its Keep-Alive header
        says, and a generation written on it just then would be lost. Where nothing answers, the
        request itself will tell.
        """
        with contextlib.suppress(ServerUnreachable, TimeoutError):
            async with asyncio.timeout(max(min(timeout_s, WARM_TIMEOUT_S), 0.0)):
                await self.ask(path)

    async def _ask(self, path: str, payload: dict[str, Any] | None) -> Answer:
        method = "GET" if payload is None else "POST"
        async with self.client.stream(method, self.url + path, json=payload) as response:
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    break
        return Answer(path, response.status_code, bytes(body))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.client.aclose()


class Answer:
    """The answer to a plain request."""

    def __init__(self, path: str, status: int, body: bytes) -> None:
        self.path = path
        self.status = status
        self._body = body

    @property
    def object(self) -> dict[str, Any] | None:
        """The JSON object of a 200; ``None`` for anything else."""
        if self.status != 200:
            return None
        try:
            value = decode_json(self._body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def describe(self) -> str:
        """Say in one line what came instead of the object."""
        try:
            said = error_message(decode_json(self._body))
        except ValueError:
            said = None
        text = said or excerpt(self._body, 120)
        return f"HTTP {self.status} on {self.path}" + (f": {text}" if text else "")


def explain(error: BaseException) -> str:
    """Say in words why a request failed: the deepest operating system error, if there is one."""
    found: str | None = None
    step: BaseException | None = error
    for _ in range(16):
        if step is None:
            break
        if isinstance(step, BaseExceptionGroup):
            step = step.exceptions[0]
            continue
        if isinstance(step, OSError):
            found = _system_error(step) or found
        step = step.__cause__ or step.__context__
    return excerpt(found or str(error) or type(error).__name__)


def _system_error(error: OSError) -> str | None:
    # asyncio puts its own words into strerror; resolver errors have numbers of their own.
    if error.errno is None:
        return None
    words = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno)
    return words.lower() if words else None
