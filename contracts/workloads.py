"""What a job does: the workloads of a sweep file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, field_validator, model_validator

from contracts.base import Strict
from contracts.configuration import Parameters
from contracts.quantities import Duration, Fraction

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
NonEmpty = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

MAX_AGENTS = 16
MAX_REQUESTS = 10_000
MAX_AT_A_TIME = 1024


class CorpusWorkload(Strict):
    """What the workloads that ingest files have in common."""

    paths: Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    """Roots to walk, in order; relative ones are relative to the sweep file's folder."""
    digest_tokens: Annotated[int, Field(ge=64, le=100_000)] = 512
    """Budget of the table digest in the prompt, tokens (estimated at 3 characters a token)."""
    structured: Literal["auto", "off"] = "auto"
    """``auto``: ask for findings as JSON by a schema where the server supports it."""
    min_words: Annotated[int, Field(ge=0, le=1000, strict=True)] = 10
    """A complete answer with fewer words is ``degenerate`` (short). A length limit makes none too short."""


class AgentWorkload(CorpusWorkload):
    """The Chimera agent: ingest → analysis → report over the files below ``paths``."""

    kind: Literal["agent"] = "agent"


Scenario = Literal["baseline-vs-candidate", "heterogeneous", "homogeneous"]
"""``homogeneous``: all agents run the configuration of the sweep. ``heterogeneous``: each agent's own parameters are put
over it. ``baseline-vs-candidate``: the first agent runs its own parameters only (none: the server's defaults), the others
the configuration of the sweep with theirs over it."""


class AgentSpec(Strict):
    """One of several agents that run at the same time."""

    label: Name
    """Its name in every figure and report."""
    persona: NonEmpty
    """Name of a persona that Chimera ships (``collector``, ``insight``), a file (``./my-persona.txt``), or the text itself.
    It is sent as the system prompt of each of the agent's calls."""
    model: NonEmpty | None = None
    """``None``: the configuration's."""
    parameters: Parameters = Parameters()
    server: Name | None = None
    """Which of the slot's further servers it uses (``chimera worker --also NAME=URL``); ``None``: the slot's own."""


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
    scenario: Scenario = "homogeneous"
    agents: Annotated[tuple[AgentSpec, ...], Field(min_length=2, max_length=MAX_AGENTS)] = Field(
        default_factory=lambda: tuple(AgentSpec.model_validate(one) for one in _listed(2))
    )
    """The agents, or a number of them."""
    solo: Annotated[bool, Field(strict=True)] = True
    """Whether each agent's work is measured alone too, interleaved: without it no slowdown can be told."""

    @field_validator("agents", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return _listed(value)

    @field_validator("agents")
    @classmethod
    def _told_apart(cls, value: tuple[AgentSpec, ...]) -> tuple[AgentSpec, ...]:
        labels = [agent.label.lower() for agent in value]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ValueError(f"two agents have the label {twice!r}")
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
    max: Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
    mean: Annotated[float, Field(ge=1)] | None = None
    sd: Annotated[float, Field(ge=0)] | None = None
    """Of the normal distribution before it is cut at ``min`` and ``max``."""

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
    counted stands in the results."""
    output_tokens: TokenCounts
    """Length limit of each answer; servers that can are asked not to end before it."""
    prefixes: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    """How many different beginnings the prompts share; 0: none."""
    prefix_tokens: Annotated[int, Field(ge=0, le=1_000_000, strict=True)] = 0
    """Length of such a beginning."""
    turns: Annotated[int, Field(ge=1, le=100, strict=True)] = 1
    """Turns of each conversation; from the second on, the request carries all that was said before."""

    @field_validator("input_tokens", "output_tokens", mode="before")
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
    """Time to first token; under an open loop from the scheduled time."""
    itl_ms: Annotated[float, Field(gt=0)] | None = None
    """Mean inter-token latency of the request."""
    latency_ms: Annotated[float, Field(gt=0)] | None = None
    """To the end of the answer; under an open loop from the scheduled time."""

    @model_validator(mode="after")
    def _names_one(self) -> Slo:
        if self.ttft_ms is None and self.itl_ms is None and self.latency_ms is None:
            raise ValueError("names no limit, such as {ttft_ms: 500}")
        return self


class SaturationSearch(Strict):
    """Look for the highest load that a slot keeps up with, within each run: doubling, then bisection."""

    over: Literal["rate", "concurrency"] = "rate"
    start: Annotated[float, Field(gt=0, le=10_000)] = 1.0
    """The first step's load, requests/s or requests at a time."""
    max: Annotated[float, Field(gt=0, le=10_000)] = 64.0
    """No step asks for more."""
    precision: Fraction = 0.1
    """The search ends where the interval is no wider than this part of its upper end."""
    attainment: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Part of the requests that must be good, where there is an ``slo``."""

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
    file: NonEmpty | None = None
    """JSON lines (``prompt`` or ``turns``, ``system``, ``output_tokens``) or a text file, a prompt a line; relative to the
    sweep file's folder. They are taken in the order of ``seed``, again and again."""
    synthetic: Synthetic | None = None
    requests: Annotated[int, Field(ge=1, le=MAX_REQUESTS, strict=True)] | None = None
    """Of one run, or of one step of a search; ``None``: as many as ``duration`` takes."""
    duration: Duration | None = None
    """s; no request is begun later."""
    arrivals: Literal["poisson", "constant"] = "poisson"
    """Of the open loop: times between requests drawn from an exponential distribution, or all alike."""
    slo: Slo | None = None
    search: SaturationSearch | None = None
    seed: Annotated[int, Field(ge=0, strict=True)] = 0
    """Of prompts and arrivals. Each run has its own of both, the same in every configuration."""
    max_in_flight: Annotated[int, Field(ge=1, le=1024, strict=True)] = 256
    """Of the open loop: more requests at a time are not sent; those that wait for it wait from their scheduled time."""
    min_words: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0

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
