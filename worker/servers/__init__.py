"""Small clients of model servers behind one protocol.

:func:`open_server` gives the client; ``base`` has the protocol, ``ollama``, ``openai`` and ``llamacpp`` the clients,
``send`` and ``stream`` the measured exchange below them, ``transport`` the HTTP path that stamps
arrivals, ``framing`` the decoders, ``verdict`` and ``degeneration`` the rules of the outcomes.
"""

from __future__ import annotations

from contracts.sweep import ServerSpec
from worker.servers.base import CallRequest, Load, ModelServer, Recording, ServerUnreachable
from worker.servers.llamacpp import LlamaCppServer
from worker.servers.ollama import OllamaServer
from worker.servers.openai import OpenAIServer

__all__ = ["CallRequest", "Load", "ModelServer", "Recording", "ServerUnreachable", "open_server"]


def open_server(spec: ServerSpec, url: str) -> ModelServer:
    """Return the client for a server of the kind that ``spec`` names; nothing is sent yet.

    ``url`` may carry user and password (sent as basic authentication, shown nowhere).

    Raises:
        InputError: ``url`` is not an http or https address.
    """
    match spec.kind:
        case "ollama":
            return OllamaServer(spec, url)
        case "llama.cpp":
            return LlamaCppServer(spec, url)
        case "openai":
            return OpenAIServer(spec, url)
