"""The text of a sweep file to begin with: each key that one changes first, with a comment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import yaml

from contracts.corpus import KINDS, discover
from contracts.sweep import SET_AT_START
from producer import local_server
from producer.init.servers import Server

WorkloadKind = Literal["agent", "agent-pair", "prompts"]

EMBEDDED = Server(
    kind="llama.cpp",
    software="embedded llama.cpp",
    model=local_server.MODEL,
    context=local_server.CONTEXT,
)
LIKELY = ("examples/corpus", "corpus", "data", "docs")
"""Folders that hold what an agent could read."""
MOST_FILES = 5
MOST_OTHERS = 10
SMALL_CONTEXT = 2048
COLUMN = 30
USERS = (1, 2, 4)
ROUNDS = 4
"""Requests of a load for each that is in flight: fewer would all be ramp."""

_KINDS = {
    "ollama": "Ollama's own protocol: token counts and durations are the server's",
    "llama.cpp": "its own protocol; 'openai' would apply the model's chat template",
    "openai": "OpenAI's protocol, as vLLM, SGLang and others speak it",
}


def found_paths(base_dir: Path) -> list[str]:
    """Return folders or files below ``base_dir`` that an agent could read; none where there are none.

    Not the folder itself: the results are written into it.
    """
    for name in LIKELY:
        if _holds_any(base_dir / name):
            return [name]
    try:
        files = sorted(
            path.name
            for path in base_dir.iterdir()
            if path.suffix.lower() in KINDS and path.is_file() and path.name.isprintable()
        )
    except OSError:
        return []
    return [name for name in files if not name.startswith(".")][:MOST_FILES]


def _holds_any(folder: Path) -> bool:
    try:
        return folder.is_dir() and bool(discover([folder]))
    except OSError:
        return False


def sweep_text(
    name: str, workload: WorkloadKind, server: Server, paths: Sequence[str], commands: Sequence[str]
) -> str:
    """Return the sweep file.

    Args:
        name: of the sweep; what a name can't hold is left out.
        paths: of what an agent reads; none: the user has to name them.
        commands: what one does with the file.
    """
    lines = [
        *_wrapped(f"{_WHAT[workload]} Written by 'chimera init' for {server.described}."),
        "#",
        *(f"#   {command}" for command in commands),
        "#",
        "# Each key is explained in docs/sweep_file.md.",
        "",
        f"name: {_name(name)}",
        "",
        *_workload(workload, server, paths),
        "",
        *_server(server),
        "",
        *_axes(workload, server),
        "",
        *_rest(workload),
    ]
    return "\n".join(lines) + "\n"


_WHAT: dict[WorkloadKind, str] = {
    "agent": "How long does an agent take that reads files and writes a report on them?",
    "agent-pair": "What does it cost an agent that another one runs on the same server at the same time?",
    "prompts": "How much does a server give when several users ask at the same time?",
}


def _workload(workload: WorkloadKind, server: Server, paths: Sequence[str]) -> list[str]:
    if workload == "prompts":
        requests = ROUNDS * max(USERS)
        return [
            "workload:",
            _line(
                "  kind: prompts", "requests under a load; or 'file: prompts.jsonl' instead of 'synthetic'"
            ),
            "  synthetic:",
            _line("    input_tokens: {min: 32, max: 96}", "of each prompt"),
            _line(f"    output_tokens: {_answer_tokens(server, 64)}", "length limit of each answer"),
            _line(f"  requests: {requests}", f"of each run; at least {ROUNDS} for each that is in flight"),
        ]
    small = server.context is not None and server.context < SMALL_CONTEXT
    digest = 300 if server is EMBEDDED else 128 if small else 512
    listed = ", ".join(_scalar(path) for path in paths) or "."
    said = "csv, json and md files there are read; relative to this file"
    reads = [
        _line(f"  paths: [{listed}]", said if paths else "PUT YOURS HERE: " + said),
        _line(f"  digest_tokens: {digest}", "budget of the tables' digest in each prompt"),
    ]
    if workload == "agent":
        return ["workload:", _line("  kind: agent", "ingest -> analysis call -> report call"), *reads]
    return [
        "workload:",
        _line("  kind: agent-pair", "two agents at the same time, and each of them alone"),
        _line("  scenario: homogeneous", "both run the same configuration"),
        *reads,
        "  agents:",
        _line("    - {label: A, persona: collector}", "a persona that Chimera ships, a file (./mine.txt),"),
        _line("    - {label: B, persona: insight}", "or the text itself"),
        _line("  solo: true", "measure each agent alone, too: else no slowdown can be told"),
    ]


def _server(server: Server) -> list[str]:
    lines = ["server:", _line(f"  kind: {server.kind}", _KINDS[server.kind])]
    if server.kind == "llama.cpp":
        lines.append(_line("  prompt_cache: false", "every run pays its whole prefill"))
    lines.append(_line(f"model: {_scalar(server.model)}", "" if server.others else "the only one there"))
    if server.others:
        more = len(server.others) - MOST_OTHERS
        told = ", ".join(server.others[:MOST_OTHERS]) + (f" and {more} more" if more > 0 else "")
        lines += _wrapped(f"Also there: {told}.")
        lines.append(
            f"# To compare models: 'model: [{_scalar(server.model)}, {_scalar(server.others[0])}]' under 'axes', "
            "in place of the line above."
        )
    return lines


def _axes(workload: WorkloadKind, server: Server) -> list[str]:
    lines = [_line("axes:", "every combination of the values is one configuration")]
    if workload == "prompts":
        shared = "requests at a time"
        if server.parallel is not None:
            shared += f"; the server answers {server.parallel} at a time, others wait"
        return [*lines, _line(f"  concurrency: [{', '.join(map(str, USERS))}]", shared)]
    if workload == "agent":
        lines.append(_line("  temperature: [0.2, 0.8]", "two values: two configurations to compare"))
    else:
        lines.append(_line("  temperature: [0.2]", "more values: each is compared with the agents alone"))
    if "num_ctx" not in SET_AT_START[server.kind]:
        limit = "" if server.context is None else f"; the model takes up to {server.context}"
        lines.append(_line(f"  num_ctx: [{min(4096, server.context or 4096)}]", f"context, tokens{limit}"))
    elif server.context is not None:
        lines.append(f"  # The server's context is {server.context} tokens: it was set when it was started.")
    if server is EMBEDDED:
        lines.append(_line("  repeat_penalty: [1.1]", "without it so small a model soon repeats itself"))
    lines += [
        _line(
            f"  num_predict: [{_answer_tokens(server, 96)}]", "length limit of each answer: equally long runs"
        ),
        _line("  seed: [7]", "of the server's sampler"),
    ]
    return lines


def _answer_tokens(server: Server, wished: int) -> int:
    return wished if server.context is None else max(1, min(wished, server.context // 8))


def _rest(workload: WorkloadKind) -> list[str]:
    baseline = "concurrency: 1" if workload == "prompts" else "temperature: 0.2"
    return [
        _line("runs: 3", "repetitions of each configuration; more show smaller differences"),
        _line(f"baseline: {{{baseline}}}", "what the other configurations are compared with"),
        _line("warmup: 1", "short calls before each run; stored, but kept apart"),
        _line("order: {seed: 7}", "the jobs' order is randomised from it"),
        _line("deadline: 300", "seconds that one job may take; what runs longer is a timeout"),
        _line("pool: default", "the slots that may measure it (chimera worker --pool)"),
    ]


def _line(text: str, comment: str) -> str:
    return f"{text.ljust(COLUMN)}  # {comment}" if comment else text


def _wrapped(text: str, width: int = 110) -> list[str]:
    """Return comment lines; a word that is longer stands on a line of its own."""
    lines = ["#"]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width and lines[-1] != "#":
            lines.append("#")
        lines[-1] += f" {word}"
    return lines


def _scalar(text: str) -> str:
    """Return a text as YAML has it within a list: quoted where it would be something else."""
    if re.fullmatch(r"[A-Za-z]([A-Za-z0-9._/:-]*[A-Za-z0-9])?", text) and yaml.safe_load(text) == text:
        return text
    return "'" + text.replace("'", "''") + "'"


def _name(text: str) -> str:
    return _scalar(re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64] or "sweep")
