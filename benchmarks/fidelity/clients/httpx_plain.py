"""httpx as its documentation shows it: ``AsyncClient.stream``, ``aiter_raw``, stamped on arrival."""

from __future__ import annotations

import asyncio
import gc
import time

import httpx

from benchmarks.fidelity.clients.body import PATH, request_body
from benchmarks.fidelity.clients.closed_loop import arguments, closed_loop
from benchmarks.fidelity.clients.stream_text import Piece, text_arrivals
from benchmarks.fidelity.record import Marks, write_marks


async def _main() -> None:
    options = arguments().parse_args()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    responses: list[tuple[int, int, list[Piece]]] = []
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    async with httpx.AsyncClient(timeout=None, trust_env=False, limits=limits, headers=headers) as client:

        async def call(number: int) -> None:
            body = request_body(number, options.tokens)
            pieces: list[Piece] = []
            sent_ns = time.perf_counter_ns()
            async with client.stream("POST", options.url + PATH, content=body) as response:
                response.raise_for_status()
                async for data in response.aiter_raw():
                    pieces.append((time.perf_counter_ns(), data))
            responses.append((number, sent_ns, pieces))

        gc.disable()
        problems = await closed_loop(call, options.concurrency, options.requests)
    marks = [Marks(number, sent_ns, text_arrivals(pieces)) for number, sent_ns, pieces in responses]
    write_marks(options.out, marks, problems)


if __name__ == "__main__":
    asyncio.run(_main())
