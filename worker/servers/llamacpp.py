"""Client of llama.cpp's own protocol: ``/completion`` as SSE (its tools/server/README.md).

Unlike its OpenAI interface it tells how many tokens each frame holds and with which settings the call
really ran.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from contracts.configuration import Parameters
from contracts.outcome import ServerIdentity
from contracts.sweep import ServerSpec
from worker.servers.base import CallRequest, Recording, ServerUnreachable
from worker.servers.client import StreamClient
from worker.servers.framing import SseDecoder
from worker.servers.llamacpp_stream import read_native
from worker.servers.openai_identity import Flavour, flavour_of, identity_of, model_names
from worker.servers.reading import is_true
from worker.servers.said import plain_prompt
from worker.servers.send import send
from worker.servers.stream import StreamRequest
from worker.servers.verdict import refused

MEDIA_TYPES = frozenset({"text/event-stream"})

_NAMES = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "repeat_penalty": "repeat_penalty",
    "num_predict": "n_predict",
    "seed": "seed",
}


class LlamaCppServer(StreamClient):
    """One llama.cpp server. See :class:`worker.servers.base.ModelServer` for the methods."""

    kind = "llama.cpp"
    supports_schema = True

    def __init__(self, spec: ServerSpec, url: str) -> None:
        super().__init__(spec, url.rstrip("/").removesuffix("/v1"))

    async def models(self) -> list[str]:
        listed = await self._connection.ask("/v1/models")
        props = await self._connection.ask("/props")
        names = model_names(listed)
        if names is None or flavour_of(listed, props) is not Flavour.LLAMA_CPP:
            raise ServerUnreachable(f"{self.url} does not answer as llama.cpp's server: {props.describe()}")
        return names

    async def identify(self, model: str) -> ServerIdentity:
        listed = await self._connection.ask("/v1/models")
        props = await self._connection.ask("/props")
        return identity_of(self.kind, self.url, model, listed, props)

    async def unload(self, model: str) -> str | None:
        return f"llama.cpp keeps {model} for as long as it runs"

    def unsupported_parameters(self, parameters: Parameters) -> list[str]:
        return [name for name in parameters.sent() if name not in _NAMES]

    async def record(self, request: CallRequest, timeout_s: float) -> Recording:
        unsupported = self.unsupported_parameters(request.parameters)
        if unsupported:
            return partial(refused, unsupported)
        sending = self._sending(request, timeout_s)
        result = await send(self._connection, native_request(self._spec, request), sending)
        return self._recording(request, result, read_native, structured=request.answer_schema is not None)


def native_request(spec: ServerSpec, request: CallRequest) -> StreamRequest:
    """Return the request to ``/completion``: the prompt as it is, without a chat template."""
    payload: dict[str, Any] = {
        "model": request.model,  # a server of one model passes over it
        "prompt": plain_prompt(request),
        "stream": True,
    }
    payload |= {_NAMES[name]: value for name, value in request.parameters.sent().items()}
    if spec.prompt_cache is not None:
        payload["cache_prompt"] = spec.prompt_cache
    if request.ignore_eos:
        payload["ignore_eos"] = True
    if request.answer_schema is not None:
        payload["json_schema"] = request.answer_schema
    return StreamRequest(
        path="/completion",
        warm_path="/health",
        payload=payload,
        decoder=SseDecoder,
        is_last=is_true(b"stop"),
        has_token=lambda frames: read_native(frames).began,
        media_types=MEDIA_TYPES,
        load=request.load,
        keeps=False,
    )
