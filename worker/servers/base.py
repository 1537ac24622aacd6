"""What every model server's client offers, whatever protocol its server speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from contracts.call import CallResult
from contracts.configuration import Parameters
from contracts.failures import SetupError
from contracts.outcome import ServerIdentity


class ServerUnreachable(SetupError):
    """Nothing answers at the server's address, or what answers does not speak its protocol."""


@dataclass(frozen=True)
class CallRequest:
    """One prompt for one call."""

    model: str
    prompt: str
    system: str | None
    parameters: Parameters
    answer_schema: dict[str, Any] | None
    """JSON schema that the answer must fit, or ``None`` for free text."""


class ModelServer(Protocol):
    """A client of one model server: one HTTP client, whose connections are kept."""

    @property
    def kind(self) -> str:
        """``ollama`` or ``openai``."""

    @property
    def url(self) -> str:
        """Base address without user and password."""

    @property
    def supports_schema(self) -> bool:
        """Whether the answer can be constrained by a JSON schema; certain after :meth:`identify`."""

    async def models(self) -> list[str]:
        """Return the names of the models that the server can run.

        Raises:
            ServerUnreachable: nothing answers there, or not in this protocol.
        """

    async def identify(self, model: str) -> ServerIdentity:
        """Return what the server tells of itself and of ``model``; what can't be had is ``None``.

        Some facts exist only while the model is loaded (Ollama's context), so ask after warm-up.

        Raises:
            ServerUnreachable: nothing answers at all.
        """

    def unsupported_parameters(self, parameters: Parameters) -> list[str]:
        """Return the names of given settings that can't be sent per request: never silently dropped.

        ``prompt_cache`` stands among them if the server specification asks for it in vain. Certain
        after :meth:`models` or :meth:`identify`, which tell llama.cpp, vLLM and others apart.
        """

    async def call(self, request: CallRequest, timeout_s: float) -> CallResult:
        """Stream one answer. Never raises for a failed measurement; only cancellation passes.

        ``sent_ns`` of the timing is taken when the connection stands and the request's headers are
        about to be written: it leaves connecting out and includes writing headers and body. A text
        frame's arrival is the time at which the bytes with the frame's first byte were handed up by
        the HTTP layer, before any framing and JSON. Nothing is tried twice.
        """

    async def aclose(self) -> None:
        """Close the connections."""
