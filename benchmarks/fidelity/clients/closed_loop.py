"""A closed loop: as many callers as the concurrency, each sends its next request when the last one ended."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

CALL_TIMEOUT_S = 30.0

Call = Callable[[int], Awaitable[object]]
"""Sends the request of that number. Raises for a failed request."""


def arguments() -> argparse.ArgumentParser:
    """Return the options that all clients take."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser


async def closed_loop(call: Call, concurrency: int, requests: int) -> list[str]:
    """Run all requests; return what went wrong, one line each. A failed request is not sent again."""
    numbers = iter(range(requests))
    problems: list[str] = []

    async def caller() -> None:
        for number in numbers:
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    await call(number)
            except Exception as error:
                problems.append(f"request {number}: {type(error).__name__}: {error}")

    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return problems
