"""The request that the clients of this package send."""

from __future__ import annotations

import json

from benchmarks.fidelity.workload import MODEL, prompt

PATH = "/v1/completions"


def request_body(number: int, tokens: int) -> bytes:
    """Return the JSON of one request; ``seed`` carries its number, as the worker's client can send it."""
    return json.dumps(
        {
            "model": MODEL,
            "prompt": prompt(number),
            "max_tokens": tokens,
            "seed": number,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ).encode()
