"""One point of a sweep: a model and a value for every sampling and server parameter."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any

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


Concurrency = Annotated[int, Field(ge=1, le=1024, strict=True)]
"""Requests at a time, of a closed loop."""
Rate = Annotated[float, Field(gt=0, le=10_000, strict=True)]
"""Requests per second, of an open loop."""


class Parameters(Strict):
    """Request parameters by Ollama's names, and the load; ``None`` is "not sent": the server's default holds."""

    num_gpu: NumGpu | None = None
    """Layers of the model on the GPU; the server clamps it to those that the model has. Unit: layers. Example: ``24``."""
    num_ctx: NumCtx | None = None
    """Context length; a longer prompt is cut by the server. Unit: tokens. Example: ``4096``."""
    temperature: Temperature | None = None
    """How much chance the sampler has; 0: none. Example: ``0.2``."""
    top_p: TopP | None = None
    """The sampler takes the likeliest tokens that together have this probability. Example: ``0.9``."""
    top_k: TopK | None = None
    """The sampler takes so many of the likeliest tokens. Unit: tokens. Example: ``40``."""
    repeat_penalty: RepeatPenalty | None = None
    """Divides the likelihood of what was said already; 1: no penalty. Example: ``1.1``."""
    num_predict: NumPredict | None = None
    """Length limit of one answer. Unit: tokens. Example: ``256``."""
    seed: SamplerSeed | None = None
    """Of the server's sampler. Example: ``7``."""
    concurrency: Concurrency | None = None
    """Load of the workload ``prompts``: a closed loop of so many users. Unit: requests at a time. Example: ``8``."""
    rate: Rate | None = None
    """Load of the workload ``prompts``: an open loop. Unit: requests/s. Example: ``2.5``."""

    def given(self) -> dict[str, int | float]:
        """Return what is asked for, by name."""
        return {name: value for name, value in self if value is not None}

    def sent(self) -> dict[str, int | float]:
        """Return the parameters that are sent with a request, by name: all but the load."""
        return {name: value for name, value in self.given().items() if name not in LOAD_NAMES}

    @property
    def load(self) -> dict[str, int | float]:
        """The load, by name: it is no part of a request."""
        return {name: value for name, value in self.given().items() if name in LOAD_NAMES}


LOAD_NAMES = frozenset({"concurrency", "rate"})


PARAMETER_NAMES = tuple(Parameters.model_fields)
AXIS_NAMES = ("model", *PARAMETER_NAMES)

_SEED_ORDER = ("num_gpu", "num_ctx", "temperature", "top_p", "top_k", "repeat_penalty")
_SHORT = {"temperature": "temp"}


class AgentRole(Strict):
    """One agent of a configuration: who it is, and what it runs."""

    label: str
    persona: str
    """The text itself, sent as the system prompt."""
    model: str
    parameters: Parameters = Parameters()
    server: str | None = None
    """Which of the slot's further servers it uses; ``None``: the slot's own."""


class Configuration(Strict):
    """A model with its parameters; ``name`` tells it apart within its sweep and is not hashed."""

    name: str
    model: str
    parameters: Parameters = Parameters()
    agents: tuple[AgentRole, ...] = ()
    """Of the workload ``agent-pair``: those that run at the same time, or the one that is measured alone."""

    @cached_property
    def id(self) -> str:
        """Content hash of what is run: 12 hex digits."""
        content: dict[str, Any] = {"model": self.model, "parameters": self.parameters.given()}
        if self.agents:  # a point of the sweep may be several agents', or nobody's: then they say all
            content = {"agents": [role.model_dump(mode="json", exclude_none=True) for role in self.agents]}
        return content_hash(content, 12)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that it runs, each once."""
        return tuple(dict.fromkeys(role.model for role in self.agents)) or (self.model,)

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
