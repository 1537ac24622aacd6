"""Chimera from Python: ``from producer import Sweep, run`` (docs/python_api.md).

What is named here is imported when it is first asked for: the command line starts no slower for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contracts.failures import BrokerError, ChimeraError, InputError, SetupError, SweepIncomplete
    from producer.api.results import Results, load_results
    from producer.api.running import Progress, run
    from producer.api.sweep import Sweep
    from producer.plan import Plan

_MODULES = {
    **dict.fromkeys(
        ("BrokerError", "ChimeraError", "InputError", "SetupError", "SweepIncomplete"), "contracts.failures"
    ),
    **dict.fromkeys(("Results", "load_results"), "producer.api.results"),
    **dict.fromkeys(("Progress", "run"), "producer.api.running"),
    "Sweep": "producer.api.sweep",
    "Plan": "producer.plan",
}
__all__ = [
    "BrokerError",
    "ChimeraError",
    "InputError",
    "Plan",
    "Progress",
    "Results",
    "SetupError",
    "Sweep",
    "SweepIncomplete",
    "load_results",
    "run",
]


if not TYPE_CHECKING:  # else every name would be one to a type checker

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
