"""JSON answers: whole, fenced, inside prose, or cut off."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from worker.workloads.agent.answer_lines import Raw, end

_ROLES = {
    "findings": "findings",
    "keyfindings": "findings",
    "recommendations": "recommendations",
    "keyrecommendations": "recommendations",
    "analysis": "analysis",
    "summary": "analysis",
}
_KEY = re.compile(r'"([A-Za-z_ ]{4,24})"\s{0,64}:\s{0,64}(?=["\[])')
_STRING = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_BETWEEN = re.compile(r"[\s,]*")
_OBJECTS_TRIED = 8
_KEYS_TRIED = 50


def _role(key: str) -> str | None:
    return _ROLES.get(re.sub(r"[^a-z]", "", key.lower()))


def from_json(text: str) -> Raw | None:
    decoder = json.JSONDecoder(strict=False)  # models write raw line breaks inside strings
    start = -1
    for _ in range(_OBJECTS_TRIED):
        start = text.find("{", start + 1)
        if start < 0:
            return None
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        roles = {role: item for key, item in value.items() if (role := _role(key)) is not None}
        if roles:
            return Raw(
                "\n".join(_strings(roles.get("analysis"))),
                list(_strings(roles.get("findings"))),
                list(_strings(roles.get("recommendations"))),
            )
    return None


def _strings(value: Any) -> Iterator[str]:
    """The texts of a value that should be a list of strings, one level of other shapes allowed."""
    if isinstance(value, str):
        yield from value.splitlines()
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield ": ".join(part for part in item.values() if isinstance(part, str))
            elif isinstance(item, str):
                yield item


def from_cut_json(text: str) -> Raw | None:
    """Take every complete string of the lists, and of the analysis also one that is cut."""
    raw, any_key = Raw(), False
    for key in islice(_KEY.finditer(text), _KEYS_TRIED):
        role = _role(key[1])
        if role is None:
            continue
        any_key = True
        if role == "analysis":
            raw.analysis = raw.analysis or _cut_string(text, key.end())
        else:
            getattr(raw, role).extend(_complete_strings(text, key.end()))
    return raw if any_key else None


def _complete_strings(text: str, position: int) -> Iterator[str]:
    is_list = text[position] == "["
    position += is_list
    while True:
        position = end(_BETWEEN, text, position)
        string = _STRING.match(text, position)
        if string is None:
            return
        # A key of the object that follows a list which was never closed.
        if is_list and text[string.end() : string.end() + 64].lstrip().startswith(":"):
            return
        yield _unescaped(string[1])
        if not is_list:
            return
        position = string.end()


def _cut_string(text: str, position: int) -> str:
    string = _STRING.match(text, position)
    return _unescaped(string[1] if string else text[position + 1 :].rstrip("\\"))


def _unescaped(inner: str) -> str:
    try:
        return str(json.loads(f'"{inner}"', strict=False))
    except ValueError:
        return inner.replace('\\"', '"').replace("\\n", "\n")
