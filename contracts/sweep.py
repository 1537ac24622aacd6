"""The sweep file's model: a workload over a set of configurations, each repeated."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from contracts.base import SCHEMA_VERSION, Strict
from contracts.configuration import AXIS_NAMES, Parameters

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
NonEmpty = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
AxisValue = int | float | str | None
ServerKind = Literal["ollama", "openai"]


class AgentWorkload(Strict):
    """The Chimera agent: ingest → analysis → report over the files below ``paths``."""

    kind: Literal["agent"] = "agent"
    paths: Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    """Roots to walk, in order; relative ones are relative to the sweep file's folder."""
    digest_tokens: Annotated[int, Field(ge=64, le=100_000)] = 512
    """Budget of the table digest in the prompt, tokens (estimated at 3 characters a token)."""
    structured: Literal["auto", "off"] = "auto"
    """``auto``: ask for findings as JSON by a schema where the server supports it."""


class ServerSpec(Strict):
    """Which protocol the model server speaks. *Where* it is belongs to the worker's slot."""

    kind: ServerKind
    api: Literal["chat", "completions"] = "chat"
    """For ``openai``: ``/v1/chat/completions`` or ``/v1/completions``."""
    prompt_cache: bool | None = None
    """``False`` asks llama.cpp not to reuse a prompt's prefix, so that every run pays its prefill."""


class OrderSpec(Strict):
    """Randomised blocks: one run of every configuration per block, so that drift hits all alike."""

    kind: Literal["blocks"] = "blocks"
    seed: Annotated[int, Field(ge=0)] = 0


class SweepSpec(Strict):
    """One experiment, as written in one YAML file."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Name
    workload: AgentWorkload
    server: ServerSpec
    model: NonEmpty | None = None
    """The model of every configuration, unless ``model`` is an axis."""
    axes: dict[str, Annotated[tuple[AxisValue, ...], Field(min_length=1)]] = {}
    include: tuple[dict[str, AxisValue], ...] = ()
    """Configurations added to the product of the axes; an axis not named is the server's default."""
    exclude: tuple[dict[str, AxisValue], ...] = ()
    """Partial points: every configuration that agrees with one of them is left out."""
    runs: Annotated[int, Field(ge=1, le=10_000)] = 3
    warmup: Annotated[int, Field(ge=0, le=100)] = 1
    """Warm-up calls before each run: measured, stored, kept apart."""
    order: OrderSpec = OrderSpec()
    deadline: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    """Seconds that one job may take, warm-up included; then its running call is a ``timeout``."""
    pool: Name = "default"

    @field_validator("server", mode="before")
    @classmethod
    def _server_shorthand(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @field_validator("axes", mode="before")
    @classmethod
    def _axes(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {axis: _values(axis, values) for axis, values in value.items()}

    @field_validator("include", "exclude", mode="before")
    @classmethod
    def _points(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or not all(isinstance(p, dict) for p in value):
            return value
        return [{a: _checked(a, _default(v)) for a, v in point.items()} for point in value]

    @model_validator(mode="after")
    def _one_model(self) -> SweepSpec:
        if (self.model is None) == ("model" not in self.axes):
            raise ValueError("give the model once: as 'model' or as the axis 'axes.model'")
        return self


def _default(value: Any) -> Any:
    return None if value == "default" else value


def _values(axis: str, values: Any) -> Any:
    if not isinstance(values, list | tuple):
        if values is None or isinstance(values, dict):
            return values
        raise ValueError(f"axis {axis!r}: must be a list, such as [{values}]")
    checked = tuple(_checked(axis, _default(value)) for value in values)
    if len(set(checked)) != len(checked):
        raise ValueError(f"axis {axis!r}: the same value stands twice in {list(values)}")
    return checked


def _checked(axis: str, value: Any) -> Any:
    """Return ``value`` as the axis takes it; an unknown axis or a bad value is a ``ValueError``."""
    if axis not in AXIS_NAMES:
        raise ValueError(f"unknown axis {axis!r}; the axes are: {', '.join(AXIS_NAMES)}")
    if axis == "model":
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"axis 'model': {value!r} is not a model's name")
        return value
    if isinstance(value, bool):
        raise ValueError(f"axis {axis!r}: {value!r} is not a number")
    return getattr(Parameters.model_validate({axis: value}), axis)
