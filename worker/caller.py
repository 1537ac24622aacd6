"""Who asks a server: one agent, or the one of a workload that knows no agents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from contracts.call import CallResult
from contracts.configuration import Configuration, Parameters
from contracts.settings import WorkerSettings
from contracts.sweep import ServerSpec
from worker.servers import CallRequest, ModelServer, Recording, open_server

SOLE = "chimera"
"""Name of the agent of a workload that knows one only."""


@dataclass(frozen=True)
class Caller:
    """A model on a server, asked with these parameters until the job's deadline."""

    label: str
    server: ModelServer
    """A client of its own, with its own connections."""
    model: str
    parameters: Parameters
    system: str | None
    """Its persona."""
    left_s: Callable[[], float]
    """Seconds until the job's deadline."""

    async def ask(self, prompt: str, schema: dict[str, Any] | None, min_words: int) -> Recording:
        """Perform a measured call, and leave it to be read."""
        return await self._record(prompt, self.parameters, schema, self.system, min_words)

    async def warm_up(self, prompt: str, tokens: int, schema: dict[str, Any] | None) -> CallResult:
        """Perform a call of at most so many tokens, without the persona: it is to leave nothing in the prompt cache."""
        short = self.parameters.model_copy(update={"num_predict": tokens})
        return (await self._record(prompt, short, schema, None, 0))()

    async def _record(
        self,
        prompt: str,
        parameters: Parameters,
        schema: dict[str, Any] | None,
        system: str | None,
        min_words: int,
    ) -> Recording:
        request = CallRequest(
            model=self.model,
            prompt=prompt,
            system=system,
            parameters=parameters,
            answer_schema=schema,
            min_words=min_words,
        )
        return await self.server.record(request, timeout_s=max(self.left_s(), 0.001))


@asynccontextmanager
async def callers_of(
    configuration: Configuration, spec: ServerSpec, settings: WorkerSettings, left_s: Callable[[], float]
) -> AsyncIterator[tuple[Caller, ...]]:
    """Open a client for each agent of a configuration, in its order; without agents one. All are closed at the end.

    Raises:
        SetupError: an agent names a further server that the slot does not have.
    """
    async with AsyncExitStack() as stack:

        def open_one(name: str | None) -> ModelServer:
            server = open_server(spec, settings.server_url(name))
            stack.push_async_callback(server.aclose)
            return server

        roles = configuration.agents
        if roles:
            yield tuple(
                Caller(
                    role.label,
                    open_one(role.server),
                    role.model,
                    role.parameters,
                    role.persona or None,
                    left_s,
                )
                for role in roles
            )
        else:
            model, given = configuration.model, configuration.parameters
            yield (Caller(SOLE, open_one(None), model, given, None, left_s),)
