"""The connections below every server's client, and plain bounded requests for identification."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
import ssl
from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx

from contracts.failures import InputError
from contracts.sweep import Timeouts
from worker.measurement.timing import CallClock
from worker.servers.base import Load, ServerUnreachable
from worker.servers.text import decode_json, error_message, excerpt
from worker.servers.transport import CLOCK, FRESH, HOLD, PlainTransport, StampedTransport

ASK_TIMEOUT_S = 10.0
WARM_TIMEOUT_S = 2.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024
# llama.cpp closes an idle connection after 5 s: let go of it first, or a request may meet the close.
KEEPALIVE_S = 3.0


@lru_cache(maxsize=64)
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
    if parts.scheme not in ("http", "https") or not host or not _is_host(host):
        shown = excerpt(url.rpartition("@")[2], 100)
        raise InputError(f"{shown!r} is not a server address; write http://HOST:PORT")
    place = f"[{host}]" if ":" in host else host
    place = place if port is None else f"{place}:{port}"
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        authorization = "Basic " + base64.b64encode(pair).decode()
    return urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", "")), authorization


def _is_host(host: str) -> bool:
    """Whether it can be looked up: both httpx and the resolver raise errors of their own for some names."""
    try:
        host.encode("idna")
        return bool(httpx.URL(scheme="http", host=host).host)
    except (UnicodeError, httpx.InvalidURL):
        return False


class Connection:
    """The connections to one server. Proxies and credentials of the environment are not used.

    Requests go straight to httpx's transport: what its client adds (redirects, cookies, authentication flows) is
    not used here and costs as much again as the rest.
    """

    def __init__(self, url: str, timeouts: Timeouts | None = None, *, plain: bool = False) -> None:
        """``plain``: httpx's own HTTP path also where ours would do, to compare the two."""
        self.url, authorization = split_credentials(url)
        self.timeouts = timeouts or Timeouts()
        headers = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "chimera"}
        if authorization is not None:
            headers["authorization"] = authorization
        self._headers = headers
        self._base = httpx.URL(self.url)
        self._urls: dict[str, httpx.URL] = {}
        self._transport = _transport(self.url, plain)
        self._warming: dict[str, httpx.Request] = {}

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
        except httpx.ConnectTimeout:
            limit_s = self.timeouts.connect
            raise ServerUnreachable(f"{self.url}: no connection within {limit_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ServerUnreachable(f"{self.url}: {explain(error)}") from None

    async def warm(self, path: str, timeout_s: float) -> None:
        """Ask for ``path``, so that the next request finds a connection that certainly stands.

        llama.cpp closes the connection after every streamed answer, whatever its Keep-Alive header
        says, and a generation written on it just then would be lost. Where nothing answers, the
        request itself will tell.
        """
        if path not in self._warming:
            self._warming[path] = self._request("GET", path, None, None)
        with contextlib.suppress(httpx.HTTPError, OSError, TimeoutError):
            async with asyncio.timeout(max(min(timeout_s, WARM_TIMEOUT_S), 0.0)):
                try:
                    await self._pass_by(self._warming[path])
                except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                    await self._pass_by(self._warming[path])

    async def open(
        self,
        path: str,
        body: bytes,
        clock: CallClock,
        connect_s: float | None,
        load: Load | None = None,
        *,
        keeps: bool = True,
    ) -> httpx.Response:
        """POST ``body`` to ``path`` and return the response at its headers; it must be closed.

        One of a load is held until it is due, and has a connection of its own unless the server ``keeps`` them.

        Raises httpx.TransportError.
        """
        request = self._request("POST", path, body, connect_s)
        request.extensions[CLOCK] = clock
        if load is not None:
            request.extensions[FRESH] = not keeps
            if load.hold is not None:
                request.extensions[HOLD] = partial(load.hold, load.due_ns)
        return await self._transport.handle_async_request(request)

    def _request(self, method: str, path: str, body: bytes | None, connect_s: float | None) -> httpx.Request:
        headers = self._headers if body is None else {**self._headers, "content-type": "application/json"}
        limit_s = self.timeouts.connect if connect_s is None else connect_s
        url = self._urls.get(path)
        if url is None:
            raw_path = self._base.raw_path.rstrip(b"/") + path.encode("ascii")
            url = self._urls[path] = self._base.copy_with(raw_path=raw_path)
        timeout = {"connect": limit_s, "read": None, "write": None, "pool": None}
        return httpx.Request(method, url, headers=headers, content=body, extensions={"timeout": timeout})

    async def _pass_by(self, request: httpx.Request) -> None:
        """Send a GET and read its answer without keeping it; a long one is not read to its end."""
        await self._body(await self._transport.handle_async_request(request))

    async def _ask(self, path: str, payload: dict[str, Any] | None) -> Answer:
        body = None if payload is None else json.dumps(payload).encode()
        request = self._request("GET" if body is None else "POST", path, body, None)
        response = await self._transport.handle_async_request(request)
        return Answer(path, response.status_code, await self._body(response))

    async def _body(self, response: httpx.Response) -> bytes:
        """Return the response's body, as far as it is not too long, and close it."""
        assert isinstance(response.stream, httpx.AsyncByteStream)
        body = bytearray()
        try:
            async for chunk in response.stream:
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    break
        finally:
            await response.stream.aclose()
        return bytes(body)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def _transport(url: str, plain: bool) -> httpx.AsyncBaseTransport:
    is_tls = url.startswith("https:")
    if not is_tls and not plain:
        return StampedTransport(KEEPALIVE_S)
    # Reading all certificate authorities takes some 30 ms a job; plain HTTP needs none.
    limits = httpx.Limits(keepalive_expiry=KEEPALIVE_S)
    return PlainTransport(httpx.AsyncHTTPTransport(verify=is_tls, trust_env=False, limits=limits))


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
    # asyncio puts words of its own into strerror; resolver errors have numbers of their own.
    if isinstance(error, ssl.SSLError):  # its number is OpenSSL's
        return getattr(error, "verify_message", None) or error.reason or None
    if error.errno is None:
        return None
    words = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno)
    return words.lower() if words else None
