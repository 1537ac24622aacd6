"""Ports for servers that are started again on the same one."""

from __future__ import annotations

import random
import socket

_RANGE = range(20_000, 32_000)
"""Below those that systems give to outgoing connections (Linux: from 32,768). A client that tries again and again to
reach such a port while nobody listens may be given that very port as its own, and is connected with itself."""


def steady_port() -> int:
    """Return a loopback port that is free now, and that no outgoing connection takes meanwhile."""
    while True:
        port = random.choice(_RANGE)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
