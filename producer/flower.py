"""Flower on Chimera's broker: jobs by their readable names, workers by their slots."""

from __future__ import annotations

import socket
import sys

from contracts.failures import SetupError

MAX_TASKS = 20_000
"""Tasks that Flower keeps: about 100 MB."""


def command(address: str, port: int) -> list[str]:
    """Return Flower's command line.

    Raises:
        SetupError: the port is taken, or the address is not loopback (Flower shows all to everybody).
    """
    if address not in ("127.0.0.1", "localhost", "::1"):
        raise SetupError(f"Flower has no password here: it listens on loopback only, not on {address}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise SetupError(f"port {port} is taken: give another one with --port") from None
    options = [
        f"--address={address}",
        f"--port={port}",
        f"--max_tasks={MAX_TASKS}",
        "--tasks_columns=name,worker,state,started,runtime,result",
    ]
    return [sys.executable, "-m", "celery", "-A", "worker.app", "flower", *options]
