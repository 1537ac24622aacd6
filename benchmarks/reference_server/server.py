"""The server: connections, routing, and sending a script by its absolute schedule."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import socket
import struct
import time
from typing import Any, Self

from benchmarks.reference_server import ollama, openai
from benchmarks.reference_server.dialect import Dialect, Generation, error_body
from benchmarks.reference_server.http import (
    LAST_CHUNK,
    BadRequest,
    Request,
    chunk,
    head,
    read_request,
)
from benchmarks.reference_server.log import RequestLog, ServerLog
from benchmarks.reference_server.scenarios import SCENARIOS, Scene, unknown_model
from benchmarks.reference_server.script import End, Script
from benchmarks.reference_server.settings import Settings

POLL_S = 0.02
"""How often a waiting response looks whether its client is still there."""


class ReferenceServer:
    """Use as an async context manager; ``url`` and ``log`` are there inside it.

    Raises:
        ValueError: an unknown scenario or flavour.
        OSError: the port is taken.
    """

    def __init__(self, settings: Settings | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.settings = settings or Settings()
        if self.settings.scenario not in SCENARIOS:
            raise ValueError(f"unknown scenario {self.settings.scenario!r}: {', '.join(SCENARIOS)}")
        self.log = ServerLog()
        self._address = (host, port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loaded: set[str] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None, "not started"
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, *self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.log.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            pass  # the client went away, or the server stops
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if writer.is_closing() else writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                request = await read_request(reader)
            except BadRequest as error:
                _plain(writer, 400, {"error": str(error)})
                return
            if request is None:
                return
            begin_ns = time.perf_counter_ns()
            if not await self._respond(request, begin_ns, reader, writer):
                return

    async def _respond(
        self, request: Request, begin_ns: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; return whether the connection can be used on."""
        is_openai = not request.path.startswith("/api/")
        try:
            body = request.object()
            if request.path not in ("/api/generate", "/v1/chat/completions", "/v1/completions"):
                status, value = self._describe(request, body)
                _plain(writer, status, value)
                await writer.drain()
                return True
            if body.get("stream", not is_openai) is not True:
                raise BadRequest('the reference server only streams: send "stream": true')
        except BadRequest as error:
            _plain(writer, 400, error_body(is_openai, 400, str(error)))
            await writer.drain()
            return True
        scene, scenario, entry = self._scene(request, body, begin_ns, writer)
        known = self._knows(scene.generation.model)
        script = SCENARIOS[scenario](scene) if known else unknown_model(is_openai, scene.generation.model)
        try:
            entry.ended = "stopped"
            usable = await _Sender(script, entry, self.settings.hang_s, reader, writer).run()
        finally:
            entry.end_ns = time.perf_counter_ns()
        if scene.generation.unload:
            self._loaded.discard(ollama.full_name(scene.generation.model))
        return usable

    def _knows(self, model: str) -> bool:
        return model.partition(":")[0] in self.settings.models

    def _describe(self, request: Request, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if request.path == "/log":
            return 200, self.log.as_dict()
        bases = self.settings.models
        scenarios = [f"{base}:{scenario}" for base in bases for scenario in SCENARIOS]
        tags = [*(ollama.full_name(base) for base in bases), *scenarios]
        told = ollama.describe(request.path, self.settings, tags, self._loaded, body)
        told = told or openai.describe(request.path, self.settings, [*bases, *scenarios])
        missing = error_body(not request.path.startswith("/api/"), 404, "File Not Found")
        return told or (404, missing)

    def _scene(
        self, request: Request, body: dict[str, Any], begin_ns: int, writer: asyncio.StreamWriter
    ) -> tuple[Scene, str, RequestLog]:
        is_openai = request.path != "/api/generate"
        generation: Generation = (openai if is_openai else ollama).parse(body)
        asked = generation.model.partition(":")[2]
        scenario = asked if asked in SCENARIOS else self.settings.scenario
        loaded = ollama.full_name(generation.model)
        cold = loaded not in self._loaded and self._knows(generation.model)
        if cold:
            self._loaded.add(loaded)
        load_s = self.settings.load_s(scenario) if cold else 0.0
        dialect: Dialect
        if is_openai:
            options = body.get("stream_options")
            usage = isinstance(options, dict) and options.get("include_usage") is True
            chat = request.path == "/v1/chat/completions"
            dialect = openai.OpenAIDialect(generation.model, chat, usage, self.settings.flavour)
        else:
            dialect = ollama.OllamaDialect(generation.model)
        host, port = writer.get_extra_info("peername")[:2]
        entry = self.log.open(
            request.path, generation.model, scenario, f"{host}:{port}", cold and load_s > 0, begin_ns, body
        )
        return Scene(self.settings, dialect, generation, load_s, is_openai), scenario, entry


class _ClientLeft(Exception):
    """The client closed its connection before the response was over."""


class _Sender:
    """Sends one script: each frame at its due time after the request, however late the last one was."""

    def __init__(
        self,
        script: Script,
        entry: RequestLog,
        hang_s: float,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._script = script
        self._entry = entry
        self._hang_s = hang_s
        self._reader = reader
        self._writer = writer
        self._random = random.Random(entry.id)

    async def run(self) -> bool:
        """Return whether the connection can be used on."""
        try:
            return await self._run()
        except (_ClientLeft, ConnectionError):
            self._entry.ended = "left"
            return False

    async def _run(self) -> bool:
        script, writer = self._script, self._writer
        if script.body is not None:
            writer.write(head(script.status, script.content_type, len(script.body)) + script.body)
            await writer.drain()
            self._entry.ended = "sent"
            return True
        if math.isfinite(script.headers_due_s):
            await self._until(script.headers_due_s)
            writer.write(head(script.status, script.content_type, None))
            for step in script.steps:
                await self._until(step.due_s)
                sent_ns = time.perf_counter_ns()
                await self._write(step.data)
                due_ns = self._entry.begin_ns + round(step.due_s * 1e9)
                self._entry.sends.append((due_ns, sent_ns, step.tokens))
        if script.end is End.HANG:
            await self._until((time.perf_counter_ns() - self._entry.begin_ns) / 1e9 + self._hang_s)
            self._entry.ended = "gave up"
            return False
        if script.end is End.RESET:
            self._reset()
            self._entry.ended = "reset"
            return False
        writer.write(LAST_CHUNK)
        await writer.drain()
        self._entry.ended = "sent"
        return True

    async def _write(self, data: bytes) -> None:
        if not self._script.split:
            self._writer.write(chunk(data))
            await self._writer.drain()
            return
        begin = 0
        while begin < len(data):
            size = self._random.randint(1, 7)
            self._writer.write(chunk(data[begin : begin + size]))
            await self._writer.drain()
            await asyncio.sleep(0)
            begin += size

    async def _until(self, due_s: float) -> None:
        while True:
            if self._reader.at_eof() or self._writer.is_closing():
                raise _ClientLeft
            left_s = due_s - (time.perf_counter_ns() - self._entry.begin_ns) / 1e9
            if left_s <= 0:
                return
            await asyncio.sleep(min(left_s, POLL_S))

    def _reset(self) -> None:
        sock = self._writer.get_extra_info("socket")
        # Closing with a linger time of 0 sends RST, not FIN.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


def _plain(writer: asyncio.StreamWriter, status: int, value: dict[str, Any]) -> None:
    body = json.dumps(value).encode()
    writer.write(head(status, "application/json", len(body)) + body)
