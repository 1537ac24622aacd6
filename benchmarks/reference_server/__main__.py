"""``python -m benchmarks.reference_server``: prints its address when it listens; stops on SIGTERM,
SIGINT, or when its parent process ends."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys

from benchmarks.reference_server.loops import LOOPS, loop_factory
from benchmarks.reference_server.scenarios import SCENARIOS, describe
from benchmarks.reference_server.server import ReferenceServer
from benchmarks.reference_server.settings import FLAVOURS, Settings

PARENT_POLL_S = 0.25


def main() -> int:
    """Run the server until it is told to stop."""
    arguments = _arguments()
    if arguments.list:
        print("\n".join(f"{name:20}{what}" for name, what in describe()))
        return 0
    settings = Settings(
        ttft_ms=arguments.ttft_ms,
        itl_ms=arguments.itl_ms,
        tokens=arguments.tokens,
        load_ms=arguments.load_ms,
        scenario=arguments.scenario,
        flavour=arguments.flavour,
        models=tuple(arguments.model or ("ref",)),
        max_context=arguments.max_context,
        layers=arguments.layers,
        parallel=arguments.parallel,
    )
    server = ReferenceServer(settings, arguments.host, arguments.port)
    try:
        with asyncio.Runner(loop_factory=loop_factory(arguments.loop)) as runner:
            runner.run(_serve(server, arguments.detached))
    except OSError as error:
        print(f"reference server: {arguments.host}:{arguments.port}: {error.strerror}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"reference server: {error}", file=sys.stderr)
        return 2
    return 0


async def _serve(server: ReferenceServer, detached: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    parent = os.getppid()
    # Nothing that was imported needs to be looked at again: collections in a stream stay short.
    gc.freeze()
    async with server:
        print(server.url, flush=True)
        while not stop.is_set() and (detached or os.getppid() == parent):
            try:
                await asyncio.wait_for(stop.wait(), PARENT_POLL_S)
            except TimeoutError:
                continue


def _arguments() -> argparse.Namespace:
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--ttft-ms", type=float, default=defaults.ttft_ms)
    parser.add_argument("--itl-ms", type=float, default=defaults.itl_ms)
    parser.add_argument("--tokens", type=int, default=defaults.tokens)
    parser.add_argument("--load-ms", type=float, default=0.0, help="first call of each model only")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default=defaults.scenario)
    parser.add_argument("--list", action="store_true", help="print the scenarios and stop")
    parser.add_argument("--flavour", choices=FLAVOURS, default=defaults.flavour, help="the OpenAI side's")
    parser.add_argument("--model", action="append", help="base name of a model; may be repeated (ref)")
    parser.add_argument("--max-context", type=int, default=defaults.max_context, help="the model's own")
    parser.add_argument("--layers", type=int, default=defaults.layers, help="the model's layers")
    parser.add_argument("--parallel", type=int, default=0, help="answers at a time, others wait; 0: no limit")
    parser.add_argument("--loop", choices=LOOPS, default="auto", help="auto: uvloop where it is installed")
    parser.add_argument("--detached", action="store_true", help="live on when the parent process ends")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
