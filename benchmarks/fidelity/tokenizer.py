"""A word-level tokenizer of a few words, in Hugging Face's layout: peers want one, and nothing is downloaded."""

from __future__ import annotations

import json
from pathlib import Path

_WORDS = (
    "the quick brown fox jumps over a lazy dog near some cold river and tells nobody at all "
    "Request tell me about : ."
)
_UNKNOWN = "[UNK]"


def write_tokenizer(folder: Path) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json``; each word and each mark is one token."""
    vocabulary = {word: place for place, word in enumerate([_UNKNOWN, *_WORDS.split()])}
    special = {
        **{"id": 0, "content": _UNKNOWN, "special": True},
        **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False),
    }
    tokenizer = {
        **dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder")),
        "version": "1.0",
        "added_tokens": [special],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": _UNKNOWN},
    }
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": _UNKNOWN,
        "model_max_length": 4096,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
