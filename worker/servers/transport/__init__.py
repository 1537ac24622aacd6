"""The HTTP/1.1 path below httpx that stamps bytes when they arrive.

``wire`` is one TCP connection, ``stamps`` the kernel's clock readings, ``incoming`` one response as it comes
in, ``stamped`` the httpx transport of these, ``plain`` httpx's own for what they do not speak (TLS).
"""

from __future__ import annotations

from worker.servers.transport.incoming import Incoming
from worker.servers.transport.plain import PlainTransport
from worker.servers.transport.stamped import CLOCK, FRESH, HOLD, INCOMING, StampedTransport
from worker.servers.transport.wire import Reading

__all__ = ["CLOCK", "FRESH", "HOLD", "INCOMING", "Incoming", "PlainTransport", "Reading", "StampedTransport"]
