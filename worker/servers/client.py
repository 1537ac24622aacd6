"""What the clients of all model servers have in common: one connection, and calls that are read afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from contracts.call import CallResult
from contracts.slots import ModelLimits
from contracts.sweep import ServerSpec
from worker.servers.base import CallRequest, Recording
from worker.servers.connection import Connection
from worker.servers.framing import Frame
from worker.servers.reading import Reading
from worker.servers.stream import Exchange
from worker.servers.verdict import conclude


class StreamClient(ABC):
    """Base of the clients; see :class:`worker.servers.base.ModelServer` for the methods."""

    def __init__(self, spec: ServerSpec, url: str) -> None:
        self._spec = spec
        self._connection = Connection(url, spec.timeouts)

    @property
    def url(self) -> str:
        return self._connection.url

    async def limits(self, model: str) -> ModelLimits:
        return ModelLimits()  # most servers settle what a model can be run with when they start

    async def call(self, request: CallRequest, timeout_s: float) -> CallResult:
        return (await self.record(request, timeout_s))()

    @abstractmethod
    async def record(self, request: CallRequest, timeout_s: float) -> Recording: ...

    async def aclose(self) -> None:
        await self._connection.aclose()

    @staticmethod
    def _recording(
        request: CallRequest, result: Exchange, read: Callable[[list[Frame]], Reading], structured: bool
    ) -> Recording:
        """Return the call to be read; ``structured``: the answer was constrained by the request's schema."""
        return lambda: conclude(result, read(result.settled()), structured, request.min_words)
