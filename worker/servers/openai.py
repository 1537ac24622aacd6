"""Client of OpenAI-compatible servers: ``/v1/chat/completions`` and ``/v1/completions`` as SSE.

Knows llama.cpp's server (tools/server/README.md) and vLLM apart from others, because only they take
``top_k``, a repeat penalty, a prompt-cache switch or a schema for plain completions.
"""

from __future__ import annotations

from functools import partial

from contracts.configuration import Parameters
from contracts.outcome import ServerIdentity
from contracts.sweep import ServerSpec
from worker.servers.base import CallRequest, Recording, ServerUnreachable
from worker.servers.client import StreamClient
from worker.servers.connection import Answer
from worker.servers.openai_identity import Flavour, flavour_of, identity_of, model_names
from worker.servers.openai_request import completion_request, takes_schema, unsupported, warm_path
from worker.servers.openai_stream import read_completion
from worker.servers.reading import Reading
from worker.servers.send import reach, send
from worker.servers.verdict import conclude, refused


class OpenAIServer(StreamClient):
    """One OpenAI-compatible server. See :class:`worker.servers.base.ModelServer` for the methods."""

    kind = "openai"

    def __init__(self, spec: ServerSpec, url: str) -> None:
        super().__init__(spec, url.rstrip("/").removesuffix("/v1"))
        self._flavour: Flavour | None = None

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

    async def unload(self, model: str) -> str | None:
        return f"no request makes an OpenAI-compatible server unload {model}"

    def unsupported_parameters(self, parameters: Parameters) -> list[str]:
        return unsupported(self._spec, self._flavour, parameters)

    @property
    def _warm_path(self) -> str | None:
        return None if self._flavour is Flavour.LLAMA_CPP else warm_path(self._flavour)

    async def record(self, request: CallRequest, timeout_s: float) -> Recording:
        sending = self._sending(request, timeout_s)
        if self._flavour is None:
            unreached = await reach(self._look, sending)
            if unreached is not None:
                return partial(conclude, unreached, Reading(), structured=False)
        unsupported_names = self.unsupported_parameters(request.parameters)
        if unsupported_names:
            return partial(refused, unsupported_names)
        result = await send(self._connection, completion_request(self._spec, self._flavour, request), sending)
        structured = request.answer_schema is not None and self.supports_schema
        return self._recording(request, result, read_completion, structured)

    async def _look(self) -> tuple[Answer, Answer]:
        listed = await self._connection.ask("/v1/models")
        props = await self._connection.ask("/props")
        if listed.status == 200:
            self._flavour = flavour_of(listed, props)
        return listed, props
