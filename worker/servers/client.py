"""What the clients of all model servers have in common: one connection, and calls that are read afterwards."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

from contracts.call import CallResult
from contracts.slots import ModelLimits
from contracts.sweep import ServerSpec
from worker.servers.base import CallRequest, Recording
from worker.servers.connection import WARM_TIMEOUT_S, Connection
from worker.servers.framing import Frame
from worker.servers.reading import Reading
from worker.servers.send import Sending
from worker.servers.stream import Exchange
from worker.servers.verdict import conclude


class StreamClient(ABC):
    """Base of the clients; see :class:`worker.servers.base.ModelServer` for the methods."""

    def __init__(self, spec: ServerSpec, url: str) -> None:
        self._spec = spec
        self._connection = Connection(url, spec.timeouts)

    @property
    def _warm_path(self) -> str | None:
        """A GET that costs the server next to nothing; ``None``: it keeps no connection between calls."""
        return None

    @property
    def url(self) -> str:
        return self._connection.url

    async def limits(self, model: str) -> ModelLimits:
        return ModelLimits()  # most servers settle what a model can be run with when they start

    async def call(self, request: CallRequest, timeout_s: float) -> CallResult:
        return (await self.record(request, timeout_s))()

    @abstractmethod
    async def record(self, request: CallRequest, timeout_s: float) -> Recording: ...

    async def warm(self, connections: int) -> None:
        path = self._warm_path
        if path is not None:
            await asyncio.gather(*(self._connection.warm(path, WARM_TIMEOUT_S) for _ in range(connections)))

    def _sending(self, request: CallRequest, timeout_s: float) -> Sending:
        """Begin a call: of a load it is sent once."""
        if request.load is None:
            return Sending(timeout_s, self._spec.retries)
        return Sending(timeout_s, 0, request.load.due_ns)

    async def aclose(self) -> None:
        await self._connection.aclose()

    @staticmethod
    def _recording(
        request: CallRequest, result: Exchange, read: Callable[[list[Frame]], Reading], structured: bool
    ) -> Recording:
        """Return the call to be read; ``structured``: the answer was constrained by the request's schema."""

        def concluded() -> CallResult:
            return conclude(result, read(result.settled()), structured, request.min_words, request.any_text)

        return concluded
