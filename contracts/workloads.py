"""What a job does: the workloads of a sweep file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, field_validator, model_validator

from contracts.base import Strict
from contracts.configuration import Parameters
from contracts.names import NAME_PATTERN
from contracts.quantities import Duration, Fraction

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
NonEmpty = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

MAX_AGENTS = 16
MAX_REQUESTS = 10_000
MAX_AT_A_TIME = 1024


class CorpusWorkload(Strict):
    """What the workloads that ingest files have in common."""

    paths: Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    """Folders and files to walk for csv, json and md, in order; relative ones are relative to the sweep file's folder.
    Example: ``[corpus/reports, corpus/csv_data]``."""
    digest_tokens: Annotated[int, Field(ge=64, le=100_000)] = 512
    """Budget of the table digest in the prompt, estimated at 3 characters a token. Unit: tokens. Example: ``300``."""
    structured: Literal["auto", "off"] = "auto"
    """``auto``: ask for findings as JSON by a schema where the server supports it; ``off``: as text. Example: ``off``."""
    min_words: Annotated[int, Field(ge=0, le=1000, strict=True)] = 10
    """A complete answer with fewer words is ``degenerate`` (short). A length limit makes none too short.
    Unit: words. Example: ``20``."""

    @field_validator("structured", mode="before", json_schema_input_type=Literal["auto", "off", False])
    @classmethod
    def _off(cls, value: Any) -> Any:
        """YAML reads ``off`` without quotes as ``false``."""
        return "off" if value is False else value


class AgentWorkload(CorpusWorkload):
    """The Chimera agent: ingest → analysis → report over the files below ``paths``."""

    kind: Literal["agent"] = "agent"
    """Which workload it is; ``agent`` need not be written. Example: ``agent``."""


Scenario = Literal["baseline-vs-candidate", "heterogeneous", "homogeneous"]
"""What the agents run, of the configuration and of their own parameters."""


class AgentSpec(Strict):
    """One of several agents that run at the same time."""

    label: Name
    """Its name in every figure and report; capitals tell none apart. Example: ``A``."""
    persona: NonEmpty
    """Name of a persona that Chimera ships (``collector``, ``insight``), a file (``./my-persona.txt``), or the text itself.
    It is sent as the system prompt of each of the agent's calls. Example: ``collector``."""
    model: NonEmpty | None = None
    """Its own model; not given: the configuration's. Example: ``"gemma3:1b"``."""
    parameters: Parameters = Parameters()
    """Its own parameters, put over the configuration's. Example: ``{temperature: 0.8}``."""
    server: Name | None = None
    """Which of the slot's further servers it uses (``chimera worker --also NAME=URL``); not given: the slot's own.
    Example: ``second``."""


def _listed(value: Any) -> Any:
    """``agents: 3``: so many, with the shipped personas in turn."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 2 <= value <= MAX_AGENTS:
            raise ValueError(f"must be 2 to {MAX_AGENTS}, or a list of agents")
        return [
            {"label": chr(ord("A") + index), "persona": ("collector", "insight")[index % 2]}
            for index in range(value)
        ]
    return value


class AgentPairWorkload(CorpusWorkload):
    """Several agents at the same time on one slot: their calls begin at one barrier."""

    kind: Literal["agent-pair"]
    """Which workload it is. Example: ``agent-pair``."""
    scenario: Scenario = "homogeneous"
    """``homogeneous``: all agents run the configuration of the sweep. ``heterogeneous``: each agent's own parameters
    are put over it. ``baseline-vs-candidate``: the first agent runs its own parameters only (none: the server's
    defaults), the others the configuration. Example: ``heterogeneous``."""
    agents: Annotated[tuple[AgentSpec, ...], Field(min_length=2, max_length=MAX_AGENTS)] = Field(
        default_factory=lambda: tuple(AgentSpec.model_validate(one) for one in _listed(2))
    )
    """The agents, or a number of them: then A, B, … with the shipped personas in turn. Example: ``3``."""
    solo: Annotated[bool, Field(strict=True)] = True
    """Whether each agent's work is measured alone too, interleaved: without it no slowdown can be told.
    Example: ``false``."""

    @field_validator(
        "agents",
        mode="before",
        json_schema_input_type=Annotated[int, Field(ge=2, le=MAX_AGENTS)]
        | Annotated[tuple[AgentSpec, ...], Field(min_length=2, max_length=MAX_AGENTS)],
    )
    @classmethod
    def _number(cls, value: Any) -> Any:
        return _listed(value)

    @field_validator("agents")
    @classmethod
    def _told_apart(cls, value: tuple[AgentSpec, ...]) -> tuple[AgentSpec, ...]:
        labels = [agent.label.lower() for agent in value]
        twice = next((agent.label for agent in value if labels.count(agent.label.lower()) > 1), None)
        if twice is not None:
            raise ValueError(f"two agents have the label {twice!r} (capitals tell none apart)")
        if any(agent.parameters.load for agent in value):
            raise ValueError("concurrency and rate are for the workload 'prompts'")
        return value

    @model_validator(mode="after")
    def _scenario_fits(self) -> AgentPairWorkload:
        own = [a for a in self.agents if a.parameters.given() or a.model is not None]
        if self.scenario == "homogeneous" and own:
            raise ValueError(
                f"agents: {own[0].label} has parameters or a model of its own: that is scenario: heterogeneous"
            )
        if self.scenario == "heterogeneous" and not own:
            raise ValueError(
                "agents: none has parameters or a model of its own: that is scenario: homogeneous"
            )
        return self


class TokenCounts(Strict):
    """A distribution of token counts: all alike (``min`` = ``max``), uniform, or normal where ``mean`` and ``sd`` are given."""

    min: Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
    """The fewest. Unit: tokens. Example: ``32``."""
    max: Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
    """The most. Unit: tokens. Example: ``96``."""
    mean: Annotated[float, Field(ge=1)] | None = None
    """Of the normal distribution before it is cut at ``min`` and ``max``; not given: uniform. Unit: tokens. Example: ``64``."""
    sd: Annotated[float, Field(ge=0)] | None = None
    """Its standard deviation, given with ``mean``. Unit: tokens. Example: ``16``."""

    @model_validator(mode="after")
    def _ordered(self) -> TokenCounts:
        if self.max < self.min:
            raise ValueError(f"max ({self.max}) is less than min ({self.min})")
        if (self.mean is None) != (self.sd is None):
            raise ValueError("mean and sd go together")
        return self


def _counts(value: Any) -> Any:
    return {"min": value, "max": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Synthetic(Strict):
    """Prompts that are made of words, by token counts."""

    input_tokens: TokenCounts
    """Of one prompt, its shared prefix included, in tokens as common short words have them (one each); what the server
    counted stands in the results. Unit: tokens. Example: ``{mean: 512, sd: 128, min: 128, max: 1024}``."""
    output_tokens: TokenCounts
    """Length limit of each answer; servers that can are asked not to end before it. Unit: tokens. Example: ``64``."""
    prefixes: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    """How many different beginnings the prompts share; 0: none. Unit: beginnings. Example: ``4``."""
    prefix_tokens: Annotated[int, Field(ge=0, le=1_000_000, strict=True)] = 0
    """Length of such a beginning. Unit: tokens. Example: ``96``."""
    turns: Annotated[int, Field(ge=1, le=100, strict=True)] = 1
    """Turns of each conversation; from the second on, the request carries all that was said before. Unit: turns.
    Example: ``3``."""

    @field_validator(
        "input_tokens",
        "output_tokens",
        mode="before",
        json_schema_input_type=Annotated[int, Field(ge=1, le=1_000_000)] | TokenCounts,
    )
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        return _counts(value)

    @model_validator(mode="after")
    def _prefix_fits(self) -> Synthetic:
        if bool(self.prefixes) != bool(self.prefix_tokens):
            raise ValueError("prefixes and prefix_tokens go together")
        if self.prefix_tokens >= self.input_tokens.min:
            raise ValueError("prefix_tokens must be less than the smallest input_tokens")
        return self


class Slo(Strict):
    """Service level objective: a request is good if it keeps every limit that is given."""

    ttft_ms: Annotated[float, Field(gt=0)] | None = None
    """Time to first token; under an open loop from the scheduled time. Unit: ms. Example: ``500``."""
    itl_ms: Annotated[float, Field(gt=0)] | None = None
    """Mean inter-token latency of the request. Unit: ms. Example: ``50``."""
    latency_ms: Annotated[float, Field(gt=0)] | None = None
    """To the end of the answer; under an open loop from the scheduled time. Unit: ms. Example: ``10000``."""

    @model_validator(mode="after")
    def _names_one(self) -> Slo:
        if self.ttft_ms is None and self.itl_ms is None and self.latency_ms is None:
            raise ValueError("names no limit, such as {ttft_ms: 500}")
        return self


class SaturationSearch(Strict):
    """Look for the highest load that a slot keeps up with, within each run: doubling, then bisection."""

    over: Literal["rate", "concurrency"] = "rate"
    """What is raised: requests a second (open loop), or at a time (closed loop, with an ``slo``). Example: ``concurrency``."""
    start: Annotated[float, Field(gt=0, le=10_000)] = 1.0
    """The first step's load. Unit: requests/s, or at a time. Example: ``2``."""
    max: Annotated[float, Field(gt=0, le=10_000)] = 64.0
    """No step asks for more. Unit: requests/s, or at a time. Example: ``256``."""
    precision: Fraction = 0.1
    """The search ends where the interval is no wider than this part of its upper end. Unit: fraction, or %.
    Example: ``5%``."""
    attainment: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Part of the requests that must be good, where there is an ``slo``. Unit: fraction. Example: ``0.95``."""

    @model_validator(mode="after")
    def _in_bounds(self) -> SaturationSearch:
        if self.start > self.max:
            raise ValueError(f"start ({self.start:g}) is more than max ({self.max:g})")
        if self.over == "concurrency" and self.max > MAX_AT_A_TIME:
            raise ValueError(f"max: at most {MAX_AT_A_TIME} requests at a time")
        return self


class PromptsWorkload(Strict):
    """Given or made prompts, under a load: so many requests at a time (closed loop), or so many a second (open loop).

    The load is the configuration's ``concurrency`` or ``rate`` (axes of the sweep), or a ``search``.
    """

    kind: Literal["prompts"]
    """Which workload it is. Example: ``prompts``."""
    file: NonEmpty | None = None
    """JSON lines (``prompt`` or ``turns``, ``system``, ``output_tokens``) or a text file, a prompt a line; relative to the
    sweep file's folder. They are taken in the order of ``seed``, again and again. Example: ``prompts.jsonl``."""
    synthetic: Synthetic | None = None
    """Prompts that are made of words, instead of a file. Example: ``{input_tokens: 128, output_tokens: 64}``."""
    requests: Annotated[int, Field(ge=1, le=MAX_REQUESTS, strict=True)] | None = None
    """Of one run, or of one step of a search; not given: as many as ``duration`` takes. Unit: requests. Example: ``200``."""
    duration: Duration | None = None
    """Of one run, or of one step of a search: no request is begun later; not given: ``requests`` ends it. Unit: s, or with
    its unit. Example: ``60s``."""
    arrivals: Literal["poisson", "constant"] = "poisson"
    """Of the open loop: times between requests drawn from an exponential distribution, or all alike.
    Example: ``constant``."""
    slo: Slo | None = None
    """Service level objective: requests that keep it are the goodput. Example: ``{ttft_ms: 500, itl_ms: 50}``."""
    search: SaturationSearch | None = None
    """Look for the highest load that is kept up with, instead of a load as an axis. Example: ``{over: rate, max: 128}``."""
    seed: Annotated[int, Field(ge=0, strict=True)] = 0
    """Of prompts and arrivals. Each run has its own of both, the same in every configuration. Example: ``7``."""
    max_in_flight: Annotated[int, Field(ge=1, le=1024, strict=True)] = 256
    """Of the open loop: more are not sent at a time; those that wait for it wait from their scheduled time.
    Unit: requests. Example: ``64``."""
    min_words: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    """A complete answer with fewer words is ``degenerate`` (short). A length limit makes none too short.
    Unit: words. Example: ``5``."""

    @model_validator(mode="after")
    def _one_source(self) -> PromptsWorkload:
        if (self.file is None) == (self.synthetic is None):
            raise ValueError("give the prompts once: as 'file' or as 'synthetic'")
        if self.requests is None and self.duration is None:
            raise ValueError("give 'requests', 'duration' or both: a run has to end")
        if self.search is not None and self.search.over == "concurrency" and self.slo is None:
            raise ValueError(
                "search: over concurrency needs an 'slo': a closed loop keeps up with any number of users"
            )
        return self


def _kind(value: Any) -> str:
    """``agent`` need not be written; an unknown kind is told as such by the tag that it does not match."""
    kind = value.get("kind", "agent") if isinstance(value, dict) else getattr(value, "kind", "agent")
    return f"[{kind}]"


Workload = Annotated[
    Annotated[AgentWorkload, Tag("[agent]")]
    | Annotated[AgentPairWorkload, Tag("[agent-pair]")]
    | Annotated[PromptsWorkload, Tag("[prompts]")],
    Discriminator(
        _kind,
        custom_error_type="unknown_workload",
        custom_error_message="kind: must be agent, agent-pair or prompts",
    ),
]
