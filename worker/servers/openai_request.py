"""A call as OpenAI-compatible servers take it, and what they can't take."""

from __future__ import annotations

from typing import Any

from contracts.configuration import Parameters
from contracts.sweep import ServerSpec
from worker.servers.base import CallRequest
from worker.servers.framing import Frame, SseDecoder
from worker.servers.openai_identity import Flavour
from worker.servers.openai_stream import read_completion
from worker.servers.said import messages, plain_prompt
from worker.servers.stream import StreamRequest

MEDIA_TYPES = frozenset({"text/event-stream"})

_STANDARD = {"temperature": "temperature", "top_p": "top_p", "seed": "seed", "num_predict": "max_tokens"}
_EXTENSIONS: dict[Flavour | None, dict[str, str]] = {
    Flavour.LLAMA_CPP: {"top_k": "top_k", "repeat_penalty": "repeat_penalty"},
    Flavour.VLLM: {"top_k": "top_k", "repeat_penalty": "repetition_penalty"},
}


def unsupported(spec: ServerSpec, flavour: Flavour | None, parameters: Parameters) -> list[str]:
    """Return the given settings that this server takes in no request.

    ``num_gpu`` and ``num_ctx`` are fixed when such a server starts.
    """
    known = _STANDARD.keys() | _EXTENSIONS.get(flavour, {}).keys()
    names = [name for name in parameters.sent() if name not in known]
    if spec.prompt_cache is not None and flavour is not Flavour.LLAMA_CPP:
        names.append("prompt_cache")
    return names


def takes_schema(api: str, flavour: Flavour | None) -> bool:
    """Whether an answer can be constrained by a schema.

    ``response_format`` with a JSON schema belongs to OpenAI's chat interface; for plain completions
    only llama.cpp's ``json_schema`` is known.
    """
    return api == "chat" or flavour is Flavour.LLAMA_CPP


def completion_request(spec: ServerSpec, flavour: Flavour | None, request: CallRequest) -> StreamRequest:
    """Return the request; a schema that the server can't take is not sent (see ``takes_schema``)."""
    names = _STANDARD | _EXTENSIONS.get(flavour, {})
    payload: dict[str, Any] = {
        "model": request.model,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if flavour is Flavour.VLLM:  # tells how many tokens each chunk holds
        payload["stream_options"]["continuous_usage_stats"] = True
    payload |= {names[name]: value for name, value in request.parameters.sent().items() if name in names}
    if spec.prompt_cache is not None and flavour is Flavour.LLAMA_CPP:
        payload["cache_prompt"] = spec.prompt_cache
    if request.ignore_eos and flavour in _EXTENSIONS:
        payload["ignore_eos"] = True
    schema = request.answer_schema if takes_schema(spec.api, flavour) else None
    if spec.api == "chat":
        payload["messages"] = messages(request)
        if schema is not None:
            payload["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": schema},
            }
        path = "/v1/chat/completions"
    else:
        payload["prompt"] = plain_prompt(request)
        if schema is not None:
            payload["json_schema"] = schema
        path = "/v1/completions"
    return StreamRequest(
        path=path,
        warm_path=warm_path(flavour),
        payload=payload,
        decoder=SseDecoder,
        is_last=_is_last,
        has_token=lambda frames: read_completion(frames).began,
        media_types=MEDIA_TYPES,
        load=request.load,
        keeps=flavour is not Flavour.LLAMA_CPP,
    )


def warm_path(flavour: Flavour | None) -> str:
    """Return a GET that costs the server next to nothing: the list of models can be long."""
    return "/health" if flavour in _EXTENSIONS else "/v1/models"


def _is_last(frame: Frame) -> bool:
    return frame.data.strip() == b"[DONE]"
