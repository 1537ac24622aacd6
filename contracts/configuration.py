"""One point of a sweep: a model and a value for every sampling and server parameter."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import Field

from contracts.base import Strict, content_hash

NumGpu = Annotated[int, Field(ge=0, strict=True)]
"""Layers to offload: a count of layers, clamped by the server to the model's own."""
NumCtx = Annotated[int, Field(ge=1, strict=True)]
"""Context length, tokens."""
Temperature = Annotated[float, Field(ge=0, strict=True)]
TopP = Annotated[float, Field(gt=0, le=1, strict=True)]
TopK = Annotated[int, Field(ge=0, strict=True)]
RepeatPenalty = Annotated[float, Field(gt=0, strict=True)]
NumPredict = Annotated[int, Field(ge=1, strict=True)]
"""Length limit of one answer, tokens."""
SamplerSeed = Annotated[int, Field(ge=0, strict=True)]
"""Seed of the server's sampler."""


class Parameters(Strict):
    """Request parameters by Ollama's names; ``None`` is "not sent": the server's default holds."""

    num_gpu: NumGpu | None = None
    num_ctx: NumCtx | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    repeat_penalty: RepeatPenalty | None = None
    num_predict: NumPredict | None = None
    seed: SamplerSeed | None = None

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

    @cached_property
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
    """Write one parameter value: ``default`` for ``None``, floats as short as still tells them apart."""
    if value is None:
        return "default"
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)
