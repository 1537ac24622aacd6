"""Which models are loaded, and with which settings: what decides whether a call is cold."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from benchmarks.reference_server.settings import Settings

KEEP_ALIVE_S = 300.0
"""Ollama's default; it is told in ``/api/ps`` only: nothing is unloaded by time."""
WEIGHTS_BYTES = 246_587_904
CONTEXT_BYTES = 18_432
"""Per token of context."""


@dataclass
class LoadedModel:
    """A model in memory."""

    context: int
    """Context length that it runs with, tokens."""
    gpu_layers: int
    """Layers on the GPU."""
    asked_gpu_layers: int | None
    options: dict[str, Any]
    """The last request's, as they were asked."""
    expires_s: float
    """Unix time."""

    @property
    def size(self) -> int:
        """Memory in bytes."""
        return WEIGHTS_BYTES + self.context * CONTEXT_BYTES

    def vram(self, layers: int) -> int:
        """Memory on the GPU in bytes, of a model with so many layers."""
        return self.size * self.gpu_layers // layers if layers else 0


class LoadedModels:
    """By full name. A change of context or GPU layers is a reload, as in Ollama's scheduler (sched.go,
    ``needsReload``): a request that names no ``num_gpu`` takes the model as it is, one that names no
    ``num_ctx`` asks for the default."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._models: dict[str, LoadedModel] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._models

    def get(self, name: str) -> LoadedModel | None:
        """Return the model if it is loaded."""
        return self._models.get(name)

    def use(self, name: str, options: dict[str, Any] | None) -> bool:
        """Use a model for a request and return whether it had to be loaded.

        ``options`` are Ollama's; ``None``: the protocol has none, the model is taken as it is.
        """
        model = self._models.get(name)
        if options is None:
            if model is None:
                self._models[name] = self._load({})
            return model is None
        wanted = self._load(options)
        same = model is not None and model.context == wanted.context
        if model is not None and same and wanted.asked_gpu_layers in (None, model.asked_gpu_layers):
            model.options, model.expires_s = options, wanted.expires_s
            return False
        self._models[name] = wanted
        return True

    def unload(self, name: str) -> None:
        """Forget a model."""
        self._models.pop(name, None)

    def _load(self, options: dict[str, Any]) -> LoadedModel:
        settings = self._settings
        context = _whole(options.get("num_ctx"), settings.context)
        asked = options.get("num_gpu")
        asked = asked if isinstance(asked, int) and asked >= 0 else None
        return LoadedModel(
            # Ollama 0.12 runs no more than the model's own context, but shows what was asked.
            context=max(context, 4),
            gpu_layers=settings.layers if asked is None else min(asked, settings.layers),
            asked_gpu_layers=asked,
            options=options,
            expires_s=time.time() + KEEP_ALIVE_S,
        )


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default
