"""Client of OpenAI-compatible servers: ``/v1/chat/completions`` and ``/v1/completions`` as SSE.

Knows llama.cpp's server (tools/server/README.md) and vLLM apart from others, because only they take
``top_k``, a repeat penalty, a prompt-cache switch or a schema for plain completions.
"""

from __future__ import annotations

import asyncio

from contracts.call import CallResult, Outcome
from contracts.configuration import Parameters
from contracts.outcome import ServerIdentity
from contracts.sweep import ServerSpec
from worker.measurement.clock import now_ns
from worker.measurement.timing import CallClock
from worker.servers.base import CallRequest, ServerUnreachable
from worker.servers.connection import Answer, Connection
from worker.servers.openai_identity import Flavour, flavour_of, identity_of, model_names
from worker.servers.openai_request import completion_request, takes_schema, unsupported
from worker.servers.openai_stream import read_completion
from worker.servers.stream import exchange
from worker.servers.verdict import conclude, not_sent, refused


class OpenAIServer:
    """One OpenAI-compatible server. See :class:`worker.servers.base.ModelServer` for the methods."""

    kind = "openai"

    def __init__(self, spec: ServerSpec, url: str) -> None:
        self._spec = spec
        self._connection = Connection(url.rstrip("/").removesuffix("/v1"))
        self._flavour: Flavour | None = None

    @property
    def url(self) -> str:
        return self._connection.url

    @property
    def supports_schema(self) -> bool:
        return takes_schema(self._spec.api, self._flavour)

    async def models(self) -> list[str]:
        listed, _ = await self._look()
        names = model_names(listed)
        if names is None:
            raise ServerUnreachable(
                f"{self.url} does not answer as an OpenAI-compatible server: {listed.describe()}"
            )
        return names

    async def identify(self, model: str) -> ServerIdentity:
        listed, props = await self._look()
        version = await self._connection.ask("/version")
        return identity_of(self.kind, self.url, model, listed, props, version)

    def unsupported_parameters(self, parameters: Parameters) -> list[str]:
        return unsupported(self._spec, self._flavour, parameters)

    async def call(self, request: CallRequest, timeout_s: float) -> CallResult:
        clock = CallClock()
        if self._flavour is None:
            try:
                async with asyncio.timeout(max(timeout_s, 0.0)):
                    await self._look()
            except ServerUnreachable as error:
                return not_sent(Outcome.CONNECTION, str(error), clock)
            except TimeoutError:
                reason = f"no answer within {timeout_s:.4g} s: before the request was sent"
                return not_sent(Outcome.TIMEOUT, reason, clock)
        unsupported_names = self.unsupported_parameters(request.parameters)
        if unsupported_names:
            return refused(unsupported_names)
        left_s = timeout_s - (now_ns() - clock.begun_ns) / 1e9
        result = await exchange(
            self._connection, completion_request(self._spec, self._flavour, request), left_s
        )
        structured = request.answer_schema is not None and self.supports_schema
        return conclude(result, read_completion(result.frames), structured)

    async def aclose(self) -> None:
        await self._connection.aclose()

    async def _look(self) -> tuple[Answer, Answer]:
        listed = await self._connection.ask("/v1/models")
        props = await self._connection.ask("/props")
        if listed.status == 200:
            self._flavour = flavour_of(listed, props)
        return listed, props
