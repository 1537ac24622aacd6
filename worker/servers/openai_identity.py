"""Which OpenAI-compatible server it is, and what it tells of itself and of a model."""

from __future__ import annotations

from enum import Enum
from typing import Any

from contracts.outcome import ServerIdentity
from worker.servers.connection import Answer
from worker.servers.counters import CounterReader
from worker.servers.text import string


class Flavour(Enum):
    """Servers whose extensions to OpenAI's interface are known."""

    LLAMA_CPP = "llama.cpp"
    VLLM = "vLLM"
    OTHER = "other"


def flavour_of(listed: Answer, props: Answer) -> Flavour:
    """Tell servers apart by ``owned_by`` in /v1/models and by llama.cpp's /props."""
    owners = {entry.get("owned_by") for entry in _entries(listed)}
    if "llamacpp" in owners or "build_info" in (props.object or {}):
        return Flavour.LLAMA_CPP
    return Flavour.VLLM if "vllm" in owners else Flavour.OTHER


def model_names(listed: Answer) -> list[str] | None:
    """Return the names in /v1/models, llama.cpp's aliases among them; ``None`` if it is no such list."""
    if not isinstance((listed.object or {}).get("data"), list):
        return None
    names: dict[str, None] = {}
    for entry in _entries(listed):
        names |= dict.fromkeys(_names(entry))
    return list(names)


def identity_of(
    kind: str, url: str, model: str, listed: Answer, props: Answer, version: Answer | None = None
) -> ServerIdentity:
    """Return what the server tells; what it does not tell is ``None``."""
    entry = next((e for e in _entries(listed) if model in _names(e)), {})
    meta = _dict(entry.get("meta"))
    properties = props.object or {}
    # llama.cpp runs one model: /props holds for the model only if it is that one.
    running = properties if entry else {}
    settings = _dict(running.get("default_generation_settings"))
    count = CounterReader().count
    contexts = (settings.get("n_ctx"), meta.get("n_ctx"), entry.get("max_model_len"))
    flavour = flavour_of(listed, props)
    size = count("n_params", meta.get("n_params"))
    told = (version.object if version else None) or {}
    return ServerIdentity(
        kind=kind,
        url=url,
        software=None if flavour is Flavour.OTHER else flavour.value,
        version=string(properties.get("build_info")) or string(told.get("version")),
        model=string(entry.get("id")),
        quantisation=string(running.get("model_ftype")) or string(meta.get("ftype")),
        context=next((n for c in contexts if (n := count("context", c))), None),
        context_max=count("n_ctx_train", meta.get("n_ctx_train")),
        parameter_size=None if size is None else _human(size),
        size_bytes=CounterReader().size("size", meta.get("size")),
    )


def _names(entry: dict[str, Any]) -> list[str]:
    aliases = entry.get("aliases")
    names = [entry.get("id"), *(aliases if isinstance(aliases, list) else [])]
    return [told for name in names if (told := string(name))]


def _entries(listed: Answer) -> list[dict[str, Any]]:
    data = (listed.object or {}).get("data")
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _human(number: int) -> str:
    """Write a number of weights as Ollama does: 268.10M, 4.30B."""
    for unit, size in (("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if number >= size:
            return f"{number / size:.2f}{unit}"
    return str(number)
