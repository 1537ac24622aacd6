"""What a reference server does where a request does not say otherwise."""

from __future__ import annotations

from dataclasses import dataclass

FLAVOURS = ("llama.cpp", "vllm", "other")
"""As whom the OpenAI side presents itself: ``/props``, ``/slots``, ``/completion`` and ``timings``;
``/version`` and usage in every chunk; or neither."""


@dataclass(frozen=True)
class Settings:
    """Schedule and behaviour. Times in ms."""

    ttft_ms: float = 50.0
    """From the whole request's arrival to the first token, model loaded."""
    itl_ms: float = 10.0
    """Between two tokens."""
    tokens: int = 64
    """Length of an answer that nothing limits."""
    load_ms: float = 0.0
    """Added to the TTFT of the first call of each model; 200 for the scenario ``cold`` if 0."""
    scenario: str = "normal"
    flavour: str = "llama.cpp"
    models: tuple[str, ...] = ("ref",)
    """Base names; every one also stands for ``NAME:SCENARIO``."""
    context: int = 4096
    """Context length that it runs with where none is asked for, tokens."""
    max_context: int = 131_072
    """The model's own context length: more is not given, tokens."""
    layers: int = 34
    """The model's layers: ``num_gpu`` counts no further."""
    parallel: int = 0
    """Answers at a time; more requests wait for a place, in their order. 0: no limit."""
    hang_s: float = 600.0
    """When a hanging request is given up."""

    def load_s(self, scenario: str) -> float:
        """Return what loading a model takes, in seconds."""
        load_ms = self.load_ms or (200.0 if scenario == "cold" else 0.0)
        return load_ms / 1e3
