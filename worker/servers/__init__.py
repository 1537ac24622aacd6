"""Small clients of model servers behind one protocol.

:func:`open_server` gives the client; ``base`` has the protocol, ``ollama`` and ``openai`` the two
clients, ``stream`` the measured exchange below both, ``framing`` the decoders, ``verdict`` the rules
of the outcomes.
"""

from __future__ import annotations

from contracts.sweep import ServerSpec
from worker.servers.base import CallRequest, ModelServer, ServerUnreachable
from worker.servers.ollama import OllamaServer
from worker.servers.openai import OpenAIServer

__all__ = ["CallRequest", "ModelServer", "ServerUnreachable", "open_server"]


def open_server(spec: ServerSpec, url: str) -> ModelServer:
    """Return the client for a server of the kind that ``spec`` names; nothing is sent yet.

    ``url`` may carry user and password (sent as basic authentication, shown nowhere).

    Raises:
        InputError: ``url`` is not an http or https address.
    """
    if spec.kind == "ollama":
        return OllamaServer(spec, url)
    return OpenAIServer(spec, url)
