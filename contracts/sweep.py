"""The sweep file's model: a workload over a set of configurations, each repeated."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from contracts.base import SCHEMA_VERSION, Strict
from contracts.configuration import (
    LOAD_NAMES,
    Concurrency,
    NumCtx,
    NumGpu,
    NumPredict,
    Parameters,
    Rate,
    RepeatPenalty,
    SamplerSeed,
    Temperature,
    TopK,
    TopP,
)
from contracts.quantities import Duration, Fraction
from contracts.workloads import AgentPairWorkload, Name, NonEmpty, PromptsWorkload, Workload

ServerKind = Literal["ollama", "openai", "llama.cpp"]

SET_AT_START: dict[ServerKind, frozenset[str]] = {
    "ollama": frozenset(),
    "openai": frozenset({"num_gpu", "num_ctx"}),
    "llama.cpp": frozenset({"num_gpu", "num_ctx"}),
}
"""Parameters that a server of the kind takes when it is started, and so not with a request."""


CAN_UNLOAD: frozenset[ServerKind] = frozenset({"ollama"})
"""Servers that let go of a model when asked."""

Seconds = Annotated[float, Field(gt=0, le=86_400, strict=True)]


class Timeouts(Strict):
    """How long each part of a call may take, s; ``None``: only the job's deadline ends it."""

    connect: Seconds = 5.0
    """To be connected. Unit: s. Example: ``2``."""
    first_token: Seconds | None = None
    """From sending to the first frame with text (or reasoning text). Unit: s. Example: ``60``."""
    between_tokens: Seconds | None = None
    """Between two frames, once the first token has come. Unit: s. Example: ``10``."""
    call: Seconds | None = None
    """From sending to the end. Unit: s. Example: ``120``."""


class ServerSpec(Strict):
    """Which protocol the model server speaks. *Where* it is belongs to the worker's slot."""

    kind: ServerKind
    """Its protocol: vLLM, SGLang and others with an OpenAI API are ``openai``. Example: ``ollama``."""
    api: Literal["chat", "completions"] = "chat"
    """For ``openai``: ``/v1/chat/completions`` or ``/v1/completions``. Example: ``completions``."""
    prompt_cache: bool | None = None
    """``false`` asks llama.cpp not to reuse a prompt's prefix, so that every run pays its prefill; not given: the
    server's default. Example: ``false``."""
    timeouts: Timeouts = Timeouts()
    """How long each part of a call may take. Example: ``{first_token: 60, between_tokens: 10}``."""
    retries: Annotated[int, Field(ge=0, le=10, strict=True)] = 2
    """How often a call is sent again where the server did not begin with it: the connection could not be made,
    or HTTP 429 or 503. Every sending is kept. Example: ``0``."""


Warmup = Annotated[int, Field(ge=0, le=100, strict=True)] | Literal["unload"]


class OrderSpec(Strict):
    """In which order the jobs run, and on which slots."""

    kind: Literal["auto", "blocks", "plots"] = "auto"
    """``blocks``: one run of every configuration per block, shuffled, so that drift hits all alike. ``plots``: the
    configurations that need no reload of the server between them run together, as the whole plots of a split-plot
    design. ``auto``: plots where an axis that makes the server reload has several values and the model stays loaded between
    runs (not with ``warmup: unload``), else blocks. Example: ``blocks``."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the order: another seed is another order. Example: ``7``."""
    loads: Annotated[int, Field(ge=1, le=10_000, strict=True)] | None = None
    """Of plots: how often each is loaded, its runs shared out; not given: 3, or the number of runs where that is less.
    With one load, a difference between plots can't be told from a difference between loads. Example: ``2``."""
    placement: Literal["any", "balanced"] = "any"
    """``any``: the next free slot of the pool takes the next job. ``balanced``: each configuration's runs are shared
    out over all slots that are live at the start, each with its own queue, so that hosts can be compared.
    Example: ``balanced``."""


UntilMetric = Literal["throughput", "ttft", "itl", "duration", "energy"]
"""Figures of a run that can be measured until precise: the short names of :mod:`analysis.metrics` that have a
relative precision. A rate that may be 0 has none."""

Runs = Annotated[int, Field(ge=1, le=10_000, strict=True)]


class RunsSpec(Strict):
    """Run until precise: after each block only the configurations that still need runs get another one."""

    min: Annotated[int, Field(ge=2, le=10_000, strict=True)] = 3
    """Runs that every configuration gets. One run by itself shows no spread. Unit: runs. Example: ``3``."""
    max: Annotated[int, Field(ge=3, le=10_000, strict=True)] = 30
    """Runs that no configuration goes beyond. Of fewer than three no precision is known. Unit: runs. Example: ``20``."""
    until: Annotated[dict[UntilMetric, Fraction], Field(min_length=1)]
    """Metric → half-width of its confidence interval, as a fraction of the mean, that is precise enough; a
    configuration is precise when all of them are. Unit: fraction, or %. Example: ``{throughput: 1%, ttft: 5%}``."""
    max_jobs: Annotated[int, Field(ge=1, strict=True)] | None = None
    """Of the whole sweep: a block that would go beyond it is not begun. Unit: jobs. Example: ``100``."""
    max_time: Duration | None = None
    """No block is begun when jobs have been running for so long. Unit: s, or with its unit. Example: ``2h``."""

    @model_validator(mode="after")
    def _ordered(self) -> RunsSpec:
        if self.max < self.min:
            raise ValueError(f"max ({self.max}) is less than min ({self.min})")
        return self


def _runs_kind(value: Any) -> str:
    # In brackets, as pydantic writes what is no key of the file: it is left out of messages.
    return "[until]" if isinstance(value, dict | RunsSpec) else "int"


RunsOrUntil = Annotated[
    Annotated[Runs, Tag("int")] | Annotated[RunsSpec, Tag("[until]")], Discriminator(_runs_kind)
]


def _default_is_none(value: Any) -> Any:
    """``default`` in a sweep file is ``None`` here: the parameter is not sent."""
    if isinstance(value, list | tuple):
        return [_default_is_none(item) for item in value]
    return None if value == "default" else value


class Axes(Strict):
    """The swept parameters, each with its values; ``default`` among them leaves the server's own."""

    model: tuple[NonEmpty, ...] | None = Field(None, min_length=1)
    """Models by the server's names. Example: ``["gemma3:1b", "gemma3:4b"]``."""
    num_gpu: tuple[NumGpu | None, ...] | None = Field(None, min_length=1)
    num_ctx: tuple[NumCtx | None, ...] | None = Field(None, min_length=1)
    temperature: tuple[Temperature | None, ...] | None = Field(None, min_length=1)
    top_p: tuple[TopP | None, ...] | None = Field(None, min_length=1)
    top_k: tuple[TopK | None, ...] | None = Field(None, min_length=1)
    repeat_penalty: tuple[RepeatPenalty | None, ...] | None = Field(None, min_length=1)
    num_predict: tuple[NumPredict | None, ...] | None = Field(None, min_length=1)
    seed: tuple[SamplerSeed | None, ...] | None = Field(None, min_length=1)
    concurrency: tuple[Concurrency, ...] | None = Field(None, min_length=1)
    rate: tuple[Rate, ...] | None = Field(None, min_length=1)

    @field_validator("*", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("holds no value: give a list, or leave the axis out")
        if not isinstance(value, list | tuple):
            raise ValueError(f"must be a list, such as [{value}]")
        return _default_is_none(value)

    @field_validator("*")
    @classmethod
    def _distinct(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(value)) != len(value):
            raise ValueError("holds the same value twice")
        return value

    def given(self) -> dict[str, tuple[Any, ...]]:
        """Return the axes that are swept, by name."""
        return {name: values for name, values in self if values is not None}

    @model_serializer
    def _written(self) -> dict[str, tuple[Any, ...]]:
        """An axis that is not swept is not written: ``None`` would not read back."""
        return self.given()


class Point(Parameters):
    """Values for some axes, as ``include`` and ``exclude`` list them."""

    model: NonEmpty | None = None
    """A model by the server's name. Example: ``"gemma3:1b"``."""

    @field_validator("*", mode="before")
    @classmethod
    def _default(cls, value: Any) -> Any:
        return _default_is_none(value)

    def named(self) -> dict[str, Any]:
        """Return the axes that the point names, ``default`` as ``None``."""
        return {name: value for name, value in self if name in self.model_fields_set}

    @model_serializer
    def _written(self) -> dict[str, Any]:
        """Only what is named is written, so that it reads back as the same point."""
        return self.named()


class SweepSpec(Strict):
    """One experiment, as written in one YAML file."""

    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of the file's form; it need not be written. Example: ``1``."""
    name: Name
    """What the sweep is called: its results are in a folder of that name. Example: ``temperature``."""
    workload: Workload
    """What a job does. Example: ``{kind: agent, paths: [corpus]}``."""
    server: ServerSpec
    """Which protocol the model server speaks: the kind alone, or a mapping. Example: ``ollama``."""
    model: NonEmpty | None = None
    """The model of every configuration by the server's name, unless ``model`` is an axis. Example: ``"gemma3:1b"``."""
    axes: Axes = Axes()
    """What is swept: every combination of the values is a configuration. Example: ``{temperature: [0.2, 0.8]}``."""
    include: tuple[Point, ...] = ()
    """Configurations added to the product of the axes; an axis not named is the server's default.
    Example: ``[{temperature: default}]``."""
    exclude: tuple[Point, ...] = ()
    """Partial points: every configuration that agrees with one of them is left out.
    Example: ``[{num_ctx: 4096, temperature: 0.8}]``."""
    runs: RunsOrUntil = 3
    """Of every configuration: a number, or how to run until precise. Unit: runs. Example: ``5``."""
    baseline: Point | None = None
    """The configuration that the others are compared with: as many axes as name one and no other; not given: the
    server's defaults where they are a configuration, else the first. Example: ``{temperature: 0.2}``."""
    warmup: Warmup = 1
    """Before each run: so many warm-up calls (measured, stored, kept apart), or ``unload`` the model, so that
    every run begins cold. Unit: calls. Example: ``unload``."""
    order: OrderSpec = OrderSpec()
    """In which order the jobs run, and on which slots. Example: ``{kind: blocks, seed: 7}``."""
    deadline: Annotated[float, Field(gt=0, le=86_400, strict=True)] = 600.0
    """How long one job may take, warm-up included; then its running call is a ``timeout``. Unit: s. Example: ``300``."""
    pool: Name = "default"
    """The slots that may measure it: those of the workers that were started with this pool. Example: ``rtx4080``."""
    priority: Annotated[int, Field(ge=0, le=9, strict=True)] = 5
    """Of sweeps in one pool, jobs of the one with the higher priority are taken first; equal ones share the slots.
    Example: ``8``."""
    ranking: Literal["clean-first", "speed"] = "clean-first"
    """``clean-first``: a configuration with degenerate answers never stands above one without. ``speed``: by
    throughput alone. Example: ``speed``."""

    @property
    def first_runs(self) -> int:
        """Runs that every configuration gets, whatever they show: those that are published at the start."""
        return self.runs if isinstance(self.runs, int) else self.runs.min

    @property
    def most_runs(self) -> int:
        """Runs that a configuration gets at most."""
        return self.runs if isinstance(self.runs, int) else self.runs.max

    @property
    def until_precise(self) -> RunsSpec | None:
        """How the sweep runs until precise; ``None``: the number of runs is fixed."""
        return self.runs if isinstance(self.runs, RunsSpec) else None

    @property
    def until(self) -> dict[str, float]:
        """Metric's short name → asked precision, as a fraction; empty where the number of runs is fixed."""
        return (
            {str(name): target for name, target in self.runs.until.items()}
            if isinstance(self.runs, RunsSpec)
            else {}
        )

    @property
    def max_jobs(self) -> int | None:
        """Most jobs of the whole sweep, where it has such a limit."""
        return self.runs.max_jobs if isinstance(self.runs, RunsSpec) else None

    @field_validator("server", mode="before", json_schema_input_type=ServerKind | ServerSpec)
    @classmethod
    def _server_shorthand(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @field_validator("baseline")
    @classmethod
    def _names_something(cls, value: Point | None) -> Point | None:
        if value is not None and not value.named():
            raise ValueError("names no axis, such as {num_gpu: 60}")
        return value

    @field_validator("axes", "include")
    @classmethod
    def _can_be_requested(cls, value: Any, info: ValidationInfo) -> Any:
        server: ServerSpec | None = info.data.get("server")  # absent where it is wrong itself
        named = set(value.given()) if isinstance(value, Axes) else {name for p in value for name in p.named()}
        refused = sorted(named & SET_AT_START[server.kind]) if server else []
        if server and refused:
            raise ValueError(
                f"{' and '.join(refused)} can't be set by a request to a server of kind "
                f"{server.kind!r}: it takes them when it is started"
            )
        return value

    @model_validator(mode="after")
    def _load_fits(self) -> SweepSpec:
        axes = self.axes.given()
        named = {*axes, *(name for point in self.include for name in point.named())} & LOAD_NAMES
        if not isinstance(self.workload, PromptsWorkload):
            if named:
                raise ValueError(f"axes: {' and '.join(sorted(named))}: only for the workload 'prompts'")
            return self
        if self.workload.search is not None and named:
            raise ValueError(
                f"workload.search: looks for the load itself; leave out {', '.join(sorted(named))}"
            )
        if axes.keys() >= LOAD_NAMES:
            raise ValueError("axes: concurrency and rate are two ways to load a server: sweep one of them")
        if self.until_precise and self.workload.search is not None:
            raise ValueError("runs: a search can't run until precise; give a number of runs")
        return self

    @model_validator(mode="after")
    def _agents_fit(self) -> SweepSpec:
        if not isinstance(self.workload, AgentPairWorkload):
            return self
        given = {name for agent in self.workload.agents for name in agent.parameters.given()}
        refused = sorted(given & SET_AT_START[self.server.kind])
        if refused:
            raise ValueError(
                f"workload.agents: {' and '.join(refused)} can't be set by a request to a server of kind {self.server.kind!r}"
            )
        if self.until_precise:
            raise ValueError(
                "runs: agents that run at the same time can't run until precise; give a number of runs"
            )
        return self

    @field_validator("warmup")
    @classmethod
    def _can_unload(cls, value: Warmup, info: ValidationInfo) -> Warmup:
        server: ServerSpec | None = info.data.get("server")
        if value == "unload" and server and server.kind not in CAN_UNLOAD:
            raise ValueError(
                f"a server of kind {server.kind!r} can't unload its model by request; give a number of warm-up calls"
            )
        return value

    @model_validator(mode="after")
    def _one_model(self) -> SweepSpec:
        if (self.model is None) == (self.axes.model is None):
            raise ValueError("model: give the model once: as 'model' or as the axis 'axes.model'")
        return self
