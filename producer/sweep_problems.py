"""What pydantic finds wrong in a sweep → messages for its author: where, what, and what to write instead."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from contracts.configuration import AXIS_NAMES, Parameters
from contracts.sweep import Axes, OrderSpec, Point, RunsSpec, ServerSpec, SweepSpec, Timeouts
from contracts.workloads import (
    AgentPairWorkload,
    AgentSpec,
    AgentWorkload,
    PromptsWorkload,
    SaturationSearch,
    Slo,
    Synthetic,
    TokenCounts,
)

Location = tuple[str | int, ...]

_WORKLOADS: dict[str, type[BaseModel]] = {
    "agent": AgentWorkload,
    "agent-pair": AgentPairWorkload,
    "prompts": PromptsWorkload,
}
_MODELS: dict[str, type[BaseModel]] = {
    "": SweepSpec,
    "axes": Axes,
    "include": Point,
    "exclude": Point,
    "baseline": Point,
    "runs": RunsSpec,
    "workload.agents": AgentSpec,
    "workload.agents.parameters": Parameters,
    "workload.synthetic": Synthetic,
    "workload.synthetic.input_tokens": TokenCounts,
    "workload.synthetic.output_tokens": TokenCounts,
    "workload.slo": Slo,
    "workload.search": SaturationSearch,
    "server": ServerSpec,
    "server.timeouts": Timeouts,
    "order": OrderSpec,
}
_FORMS = {
    "workload": "{kind: agent, paths: [corpus]}",
    "workload.paths": "[corpus]",
    "workload.agents": "[{label: A, persona: collector}, {label: B, persona: insight}], or a number of them",
    "workload.agents.parameters": "{temperature: 0.2}",
    "workload.synthetic": "{input_tokens: 128, output_tokens: 64}",
    "workload.synthetic.input_tokens": "{min: 32, max: 96}, or a number",
    "workload.synthetic.output_tokens": "{min: 32, max: 96}, or a number",
    "workload.slo": "{ttft_ms: 500}",
    "workload.search": "{over: rate}",
    "server": "ollama, or {kind: ollama}",
    "server.timeouts": "{first_token: 60}",
    "axes": "{temperature: [0.2, 0.8]}",
    "include": "[{temperature: 0.8}]",
    "exclude": "[{temperature: 0.8}]",
    "baseline": "{temperature: 0.2}",
    "runs": "{until: {throughput: 1%}}, or a number",
    "runs.until": "{throughput: 1%}",
    "order": "{kind: blocks, seed: 7}",
}
"""Section → what stands there, for a message to its author who wrote something of another form."""

_WHERE = "where a server is does not belong here: chimera run --server URL, chimera worker --server URL"
_SEVERAL_MODELS = "several models are an axis, axes: {model: [a, b]}"
_MEANT = {
    **dict.fromkeys(["server.url", "server.address", "server.host", "server.base_url", "url"], _WHERE),
    "models": _SEVERAL_MODELS,
}
"""Unknown key → what its author looks for."""
_WHOLE = ("int_type", "int_parsing", "int_from_float")
_NUMBER = ("float_type", "float_parsing")
_MAPPING = ("model_type", "model_attributes_type", "dict_type")
_LIST = ("tuple_type", "list_type")
_KEY = re.compile(r"([a-z_]+): ")


def problems(error: ValidationError, name: str, lines: Mapping[Location, int | None]) -> list[str]:
    """Return ``name:line: key: what is wrong`` for each problem, each once.

    Args:
        error: Of :class:`contracts.sweep.SweepSpec`.
        name: The sweep file, or what stands for one.
        lines: Line of every key and item that is written; ``None``: it has none.
    """
    errors = error.errors()
    kept = [details for details in errors if not _is_empty_by_another(details)] or errors
    found = [(_place(details, lines), details) for details in kept]
    meant = {(*at[:-1], _nearest(at, d)) for at, d in found if d["type"] == "extra_forbidden"}
    told: list[str] = []
    for at, details in found:
        if details["type"] == "missing" and at in meant:  # it is there, misspelt
            continue
        at, words = _deeper(at, _words(at, details), lines)
        line = next((lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in lines), None)
        key = dotted(at)
        told.append(f"{name}{'' if line is None else f':{line}'}: {f'{key}: ' if key else ''}{words}")
    return list(dict.fromkeys(told))


def dotted(location: Location) -> str:
    """Return a place as people write it: ``axes.temperature[1]``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _is_empty_by_another(details: ErrorDetails) -> bool:
    """A list whose only value is wrong is reported as empty too."""
    return details["type"] == "too_short" and bool(details["input"])


def _place(details: ErrorDetails, lines: Mapping[Location, int | None]) -> Location:
    """Return the place in the file: parts of pydantic's location that name a type of a union are no keys."""
    *above, last = details["loc"] or ("",)
    kept: Location = ()
    for part in above:
        kept = (*kept, part) if (*kept, part) in lines else kept
    return (*kept, last) if (*kept, last) in lines or details["type"] == "missing" else kept


def _deeper(at: Location, words: str, lines: Mapping[Location, int | None]) -> tuple[Location, str]:
    """Rules about several keys begin with the one that they blame: it is the place, where it is written."""
    while (found := _KEY.match(words)) and (*at, found[1]) in lines:
        at, words = (*at, found[1]), words[found.end() :]
    return at, words


def _words(at: Location, details: ErrorDetails) -> str:
    kind, given, context = details["type"], details.get("input"), details.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{_instead(at, details)}"
    if kind == "missing":
        form = _FORMS.get(_section(at))
        return f"is missing, such as {form}" if form else "is missing"
    if kind == "unknown_workload":
        told = given.get("kind") if isinstance(given, dict) else None
        return f"{details['msg']} (got {told!r}){_similar(told, _WORKLOADS)}"
    if kind == "value_error":
        return details["msg"].removeprefix("Value error, ")
    if kind == "too_short":
        least = context.get("min_length", 1)
        return "must hold at least one value" if least == 1 else f"must hold at least {least} values"
    shown = f" (got {'nothing' if given is None else repr(given)})"
    shown = "" if isinstance(given, dict | list) else shown
    return _must(at, kind, given, details) + shown + _advice(at, kind, given)


def _must(at: Location, kind: str, given: object, details: ErrorDetails) -> str:
    """Return what must stand at a place; pydantic's own words where they are good enough."""
    if at == ("warmup",):
        return "must be a number of warm-up calls, 0 to 100, or 'unload'"
    if kind in _WHOLE:
        return "must be a whole number"
    if kind in _NUMBER:
        return "must be a number"
    if kind == "bool_type":
        return "must be true or false"
    if kind == "string_pattern_mismatch":
        return "must be 1 to 64 letters, digits and . _ -, the first a letter or digit"
    if kind == "string_type":
        return "must be one text" if isinstance(given, list | dict) else "must be a text"
    if kind == "string_too_short":
        return "must not be empty"
    if kind in _MAPPING or kind in _LIST:
        form = _FORMS.get(_section(at))
        return f"must be a {'list' if kind in _LIST else 'mapping'}{f', such as {form}' if form else ''}"
    message = details["msg"]
    return message.replace("Input should be", "must be", 1) if message.startswith("Input") else message


def _advice(at: Location, kind: str, given: object) -> str:
    """Return what to write instead, where that can be guessed; else nothing."""
    if at == ("model",) and isinstance(given, list):
        return f": {_SEVERAL_MODELS}"
    if at in (("server",), ("server", "kind")) and kind == "literal_error":
        others = "vLLM, SGLang and others with an OpenAI API are 'openai'"
        return f": {_WHERE if '://' in str(given) else others}"
    if kind in (*_WHOLE, *_NUMBER) and isinstance(given, list):
        return ": one value, not a list"
    if kind in (*_WHOLE, *_NUMBER) and isinstance(given, str):
        if given.lower() == "default":
            return ": write it as default"
        if _is_number(given):
            return ": write it without quotes"
        if at == ("deadline",) or at[:2] == ("server", "timeouts"):
            return ": in seconds, without a unit"
    if kind == "string_type" and isinstance(given, bool):
        return ": YAML reads yes, no, on and off as true and false: write it in quotes"
    if kind == "string_type" and not isinstance(given, list | dict) and given is not None:
        return f": write it in quotes, '{given}'"
    return ""


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _instead(at: Location, details: ErrorDetails) -> str:
    """Return what is known where an unknown key stands, or what is near it."""
    if (meant := _MEANT.get(dotted(at))) is not None:
        return f": {meant}"
    known, near = _known_keys(at, details), _nearest(at, details)
    if near:
        section = "" if near in known else " under 'axes'"
        return f"; did you mean {near!r}{section}?"
    owners = [kind for kind, model in _WORKLOADS.items() if at[-1] in model.model_fields]
    if _section(at[:-1]) == "workload" and owners:
        return f": it is of kind: {' or '.join(owners)}"
    return f"; known are: {', '.join(known)}" if known else ""


def _nearest(at: Location, details: ErrorDetails) -> str | None:
    """Return the known key that an unknown one is nearest to, in its section or among the axes."""
    asked = str(at[-1]).replace("-", "_")
    near = difflib.get_close_matches(asked, [*_known_keys(at, details), *AXIS_NAMES], n=1)
    return near[0] if near else None


def _similar(given: object, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(given), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _known_keys(at: Location, details: ErrorDetails) -> list[str]:
    """Return the keys that may stand where an unknown one does; a workload's depend on its kind."""
    section = _section(at[:-1])
    if section == "workload":
        tag = next((str(part).strip("[]") for part in details["loc"] if str(part).startswith("[")), "agent")
        return list(_WORKLOADS[tag].model_fields)
    return list(_MODELS[section].model_fields) if section in _MODELS else []


def _section(at: Location) -> str:
    return ".".join(str(part) for part in at if not isinstance(part, int))
