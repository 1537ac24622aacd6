"""A model server without a model: known send times, real wire formats, and every way to go wrong.

``python -m benchmarks.reference_server`` runs it alone, :class:`ReferenceServer` inside a test.
"""

from __future__ import annotations

from benchmarks.reference_server.scenarios import SCENARIOS
from benchmarks.reference_server.server import ReferenceServer
from benchmarks.reference_server.settings import FLAVOURS, Settings

__all__ = ["FLAVOURS", "SCENARIOS", "ReferenceServer", "Settings"]
