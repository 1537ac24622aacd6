"""llama.cpp's ``generation_settings``: what a task runs with, as ``/completion`` and ``/slots`` tell it.

Fields and defaults are those of the llama.cpp in xllamacpp 2026.10, read from a real server.
"""

from __future__ import annotations

import math
import struct
from typing import Any

RANDOM_SEED = 4_294_967_295
_DEFAULTS: dict[str, Any] = {
    "seed": RANDOM_SEED,
    "temperature": 0.8,
    "dynatemp_range": 0.0,
    "dynatemp_exponent": 1.0,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
    "top_n_sigma": -1.0,
    "xtc_probability": 0.0,
    "xtc_threshold": 0.1,
    "typical_p": 1.0,
    "repeat_last_n": 64,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "dry_multiplier": 0.0,
    "dry_base": 1.75,
    "dry_allowed_length": 2,
    "dry_penalty_last_n": 64,
    "dry_sequence_breakers": ["\n", ":", '"', "*"],
    "mirostat": 0,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.1,
    "adaptive_target": -1.0,
    "adaptive_decay": 0.9,
    "stop": [],
    "max_tokens": -1,
    "n_predict": -1,
    "n_keep": 0,
    "n_discard": 0,
    "ignore_eos": False,
    "stream": True,
    "logit_bias": [],
    "n_probs": 0,
    "min_keep": 0,
    "grammar": "",
    "grammar_lazy": False,
    "grammar_triggers": [],
    "preserved_tokens": [],
    "chat_format": "Content-only",
    "reasoning_format": "deepseek",
    "reasoning_in_content": False,
    "generation_prompt": "",
    "samplers": ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"],
    "speculative.types": "none",
    "timings_per_token": False,
    "post_sampling_probs": False,
    "backend_sampling": False,
    "lora": [],
}
_NOT_IN_SLOTS = frozenset(
    (
        "dry_sequence_breakers",
        "stop",
        "logit_bias",
        "grammar",
        "grammar_lazy",
        "grammar_triggers",
        "preserved_tokens",
    )
)


def generation_settings(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what a task runs with that was asked for so; fractions are rounded to 32 bits, as there."""
    limits = (asked.get(name) for name in ("n_predict", "max_completion_tokens", "max_tokens"))
    limit = next((n for n in limits if isinstance(n, int)), -1)
    asked = {**asked, "n_predict": limit, "max_tokens": limit}
    values = {name: _taken(asked.get(name), default) for name, default in _DEFAULTS.items()}
    values["seed"] %= RANDOM_SEED + 1
    return values


def slot_settings(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the settings as ``/slots`` and ``/props`` have them: without lists and grammar."""
    return {name: v for name, v in generation_settings(asked).items() if name not in _NOT_IN_SLOTS}


def _taken(asked: object, default: Any) -> Any:
    if isinstance(default, float):
        given = isinstance(asked, int | float) and not isinstance(asked, bool) and math.isfinite(asked)
        return _float32(asked if given else default)
    return asked if type(asked) is type(default) else default


def _float32(value: Any) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(3.4028234663852886e38, value)
