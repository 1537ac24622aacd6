"""A file of prompts: JSON lines, or text with a prompt a line. The producer checks it, the worker sends it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.failures import InputError

MAX_BYTES = 64 * 2**20
MAX_PROMPTS = 100_000


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a user says, turn by turn; a single prompt has one turn."""

    turns: tuple[str, ...]
    system: str | None = None
    output_tokens: int | None = None
    """Length limit of each answer; ``None``: the configuration's."""
    input_tokens: int | None = None
    """Asked length of each prompt, where it was made by a count."""


@dataclass(frozen=True, slots=True)
class PromptsFile:
    """The conversations of a file, in its order, and a hash of its content."""

    conversations: tuple[Conversation, ...]
    digest: str


def read_prompts(path: Path) -> PromptsFile:
    """Read a file whose name ends in ``.jsonl`` as JSON lines, any other as text.

    Raises:
        InputError: one line that names the file, and the line where there is one.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe or a device would be waited for, or has no end
            raise InputError(f"{path}: is no file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as error:  # the latter: not UTF-8, or a NUL in the path
        raise InputError(f"{path}: can't be read as UTF-8 text: {error}") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"{path}: is larger than {MAX_BYTES >> 20} MiB")
    # Not splitlines(): JSON strings may hold U+2028 and its like as they are.
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise InputError(f"{path}: holds no prompt")
    if len(lines) > MAX_PROMPTS:
        raise InputError(f"{path}: holds {len(lines)} prompts, more than {MAX_PROMPTS}")
    is_json = path.suffix.lower() == ".jsonl"
    made = tuple(
        _conversation(path, number, line) if is_json else Conversation((line,)) for number, line in lines
    )
    return PromptsFile(made, hashlib.sha256(content).hexdigest()[:16])


def _conversation(path: Path, number: int, line: str) -> Conversation:
    def wrong(what: str) -> InputError:
        return InputError(f"{path}, line {number}: {what}")

    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise wrong(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise wrong("must be a JSON object with 'prompt' or 'turns'")
    unknown = sorted(value.keys() - {"prompt", "turns", "system", "output_tokens"})
    if unknown:
        raise wrong(f"unknown key {unknown[0]!r}; known are: prompt, turns, system, output_tokens")
    turns = [value["prompt"]] if "prompt" in value and "turns" not in value else value.get("turns")
    if ("prompt" in value) == ("turns" in value) or not isinstance(turns, list) or not turns:
        raise wrong("give either 'prompt', a text, or 'turns', a list of texts")
    if not all(isinstance(turn, str) and turn.strip() for turn in turns):
        raise wrong("a prompt is a text that is not empty")
    system, limit = value.get("system"), value.get("output_tokens")
    if system is not None and not isinstance(system, str):
        raise wrong("'system' is a text")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise wrong("'output_tokens' is a whole number above 0")
    return Conversation(tuple(turns), system or None, limit)
