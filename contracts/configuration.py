"""One point of a sweep: a model and a value for every sampling and server parameter."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.base import Strict, content_hash


class Parameters(Strict):
    """Request parameters by Ollama's names; ``None`` is "not sent": the server's default holds."""

    num_gpu: Annotated[int, Field(ge=0, strict=True)] | None = None
    """Layers to offload (a count of layers, clamped by the server to the model's own)."""
    num_ctx: Annotated[int, Field(ge=1, strict=True)] | None = None
    """Context length, tokens."""
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, strict=True)] | None = None
    repeat_penalty: Annotated[float, Field(gt=0)] | None = None
    num_predict: Annotated[int, Field(ge=1, strict=True)] | None = None
    """Length limit of one answer, tokens."""
    seed: Annotated[int, Field(ge=0, strict=True)] | None = None
    """Seed of the server's sampler."""

    def given(self) -> dict[str, int | float]:
        """Return the parameters that are sent, by name."""
        return {name: value for name, value in self if value is not None}


PARAMETER_NAMES = tuple(Parameters.model_fields)
AXIS_NAMES = ("model", *PARAMETER_NAMES)

_SEED_ORDER = ("num_gpu", "num_ctx", "temperature", "top_p", "top_k", "repeat_penalty")
_SHORT = {"temperature": "temp"}


class Configuration(Strict):
    """A model with its parameters; ``name`` tells it apart within its sweep and is not hashed."""

    name: str
    model: str
    parameters: Parameters = Parameters()

    @property
    def id(self) -> str:
        """Content hash of model and parameters: 12 hex digits."""
        return content_hash({"model": self.model, "parameters": self.parameters.given()}, 12)

    def describe(self) -> str:
        """Return the line of the reports: ``num_gpu=80, …, temp=0.6, top_p=default, …``."""
        return describe_parameters(self.parameters.given())


def describe_parameters(given: dict[str, int | float]) -> str:
    """Write parameters as the reports do: six always, ``default`` where not sent, others if sent."""
    names = [*_SEED_ORDER, *(n for n in given if n not in _SEED_ORDER)]
    return ", ".join(f"{_SHORT.get(n, n)}={format_value(given.get(n))}" for n in names)


def format_value(value: object) -> str:
    """Write one parameter value: ``default`` for ``None``, floats without trailing zeros."""
    if value is None:
        return "default"
    return f"{value:g}" if isinstance(value, float) else str(value)
