"""What every model server's client offers, whatever protocol its server speaks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from contracts.call import CallResult
from contracts.configuration import Parameters
from contracts.failures import SetupError
from contracts.outcome import ServerIdentity
from contracts.slots import ModelLimits


class ServerUnreachable(SetupError):
    """Nothing answers at the server's address, or what answers does not speak its protocol."""


@dataclass(frozen=True)
class Load:
    """A call is one of many: it is sent when it is due and once, and is read when its recording is called.

    What is done for a call by itself would change the load: there is no request before it that warms the connection
    (:meth:`ModelServer.warm` makes connections before a load), no pause (Ollama's, after an answer that was cut), and it
    is never sent again: an overload that the server refuses (429, 503) is a result.
    """

    due_ns: int
    """When it was scheduled: :attr:`contracts.call.CallTiming.due_ns`."""
    hold: Callable[[int], Awaitable[None]] | None = None
    """Returns at a moment (ns): the request is prepared, connection and all, and written when it is due, not before;
    ``None``: at once."""


@dataclass(frozen=True)
class CallRequest:
    """One prompt for one call."""

    model: str
    prompt: str
    system: str | None
    parameters: Parameters
    answer_schema: dict[str, Any] | None
    """JSON schema that the answer must fit, or ``None`` for free text."""
    min_words: int = 0
    """A complete answer with fewer words is ``degenerate``; 0: none is too short."""
    history: tuple[tuple[str, str], ...] = ()
    """What was said before in the conversation: pairs of what the user said and what the model answered."""
    ignore_eos: bool = False
    """Ask the server to go on up to the length limit; passed over where it can't be asked."""
    any_text: bool = False
    """The prompt makes no sense, so an answer that repeats itself is as good as another; an empty one is none."""
    load: Load | None = None
    """``None``: the call is made by itself."""


Recording = Callable[[], CallResult]
"""A call that is over; calling it reads what came. That takes some ms of CPU, so where several calls run at
the same time it waits until all are over."""


class ModelServer(Protocol):
    """A client of one model server: one HTTP client, whose connections are kept."""

    @property
    def kind(self) -> str:
        """``ollama``, ``openai`` or ``llama.cpp``."""

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

    async def limits(self, model: str) -> ModelLimits:
        """Return with what the server can run ``model`` at most, as far as it tells.

        Raises:
            ServerUnreachable: nothing answers.
        """

    async def identify(self, model: str) -> ServerIdentity:
        """Return what the server tells of itself and of ``model``; what can't be had is ``None``.

        Some facts exist only while the model is loaded (Ollama's context), so ask after warm-up.

        Raises:
            ServerUnreachable: nothing answers at all.
        """

    async def unload(self, model: str) -> str | None:
        """Make the server let go of ``model``, so that the next call is cold; return why it could not be made to.

        ``None``: the server says that the model is not loaded any more.
        """

    def unsupported_parameters(self, parameters: Parameters) -> list[str]:
        """Return the names of given settings that can't be sent per request: never silently dropped.

        ``prompt_cache`` stands among them if the server specification asks for it in vain. Certain
        after :meth:`models` or :meth:`identify`, which tell llama.cpp, vLLM and others apart.
        """

    async def call(self, request: CallRequest, timeout_s: float) -> CallResult:
        """Stream one answer: :meth:`record`, and its result."""

    async def record(self, request: CallRequest, timeout_s: float) -> Recording:
        """Stream one answer. Never raises for a failed measurement; only cancellation passes.

        ``sent_ns`` of the timing is taken when the connection stands and the request is about to be
        written: it leaves connecting out and includes writing. A frame's arrival is that of its first
        byte, by the kernel's stamp where there is one, else by this process's clock as soon as it has
        read it: before HTTP, framing and JSON. It is sent again only where certainly nothing was
        generated (:mod:`worker.servers.send`); the times are those of the last sending.
        """

    async def warm(self, connections: int) -> None:
        """Make so many connections stand, where the server keeps them between calls, so that a load finds them.

        Not with llama.cpp: its server has a thread for each connection, idle ones too, and ends a connection after each
        streamed answer. Where nothing answers, the calls will tell.
        """

    async def aclose(self) -> None:
        """Close the connections."""
