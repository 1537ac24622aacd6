"""Every client of a model server, on both HTTP paths, and what the suites ask them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.reference_server import ReferenceServer, Settings
from contracts.call import CallResult
from contracts.configuration import Parameters
from contracts.sweep import ServerSpec, Timeouts
from worker.servers import CallRequest, ModelServer, open_server
from worker.servers.connection import Connection

TOKENS, TTFT_MS, ITL_MS = 12, 30.0, 3.0
SETTINGS = Settings(ttft_ms=TTFT_MS, itl_ms=ITL_MS, tokens=TOKENS)
TEXT = "the quick brown fox jumps over a lazy dog near some cold"
ENOUGH_S = 20.0

SPECS = {
    "ollama": ServerSpec(kind="ollama"),
    "chat": ServerSpec(kind="openai", api="chat"),
    "completions": ServerSpec(kind="openai", api="completions"),
    "llama.cpp": ServerSpec(kind="llama.cpp"),
}
PATHS = ("stamped", "plain")
"""Chimera's own HTTP path, and httpx's (which TLS takes)."""
CLIENTS = [f"{name}-{path}" for name in SPECS for path in PATHS]


@dataclass(frozen=True)
class Client:
    """One client of :data:`CLIENTS` with the server that it asks."""

    name: str
    is_plain: bool
    server: ModelServer
    reference: ReferenceServer

    async def call(self, scenario: str = "normal", timeout_s: float = ENOUGH_S, **fields: Any) -> CallResult:
        """Make one call for which the server plays the scenario."""
        return await self.server.call(ask(scenario, **fields), timeout_s)


def ask(
    scenario: str = "normal",
    schema: dict[str, Any] | None = None,
    min_words: int = 0,
    **parameters: float,
) -> CallRequest:
    """Return a request whose prompt has five tokens."""
    given = Parameters.model_validate(parameters)
    return CallRequest(f"ref:{scenario}", "one two three", "be brief", given, schema, min_words)


def open_client(name: str, url: str, **spec: Any) -> ModelServer:
    """Return the client ``NAME-PATH``; ``spec`` changes its server specification."""
    kind, _, path = name.rpartition("-")
    server = open_server(SPECS[kind].model_copy(update=spec), url)
    if path == "plain":
        server._connection = Connection(url, spec.get("timeouts") or Timeouts(), plain=True)  # type: ignore[attr-defined]
    return server


@asynccontextmanager
async def talking(name: str, spec: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[Client]:
    """Open a client and a reference server; both may differ from :data:`SPECS` and :data:`SETTINGS`."""
    async with ReferenceServer(replace(SETTINGS, **settings)) as reference:
        server = open_client(name, reference.url, **spec or {})
        try:
            yield Client(name.rpartition("-")[0], name.endswith("-plain"), server, reference)
        finally:
            await server.aclose()
