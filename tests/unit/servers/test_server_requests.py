"""What is sent, what can't be, and to which address."""

from __future__ import annotations

import json

import pytest

from contracts.configuration import Parameters
from contracts.failures import InputError, SetupError
from contracts.sweep import ServerSpec
from worker.servers import CallRequest, ServerUnreachable, open_server
from worker.servers.connection import split_credentials
from worker.servers.ollama import full_name, generate_request
from worker.servers.openai_identity import Flavour
from worker.servers.openai_request import completion_request, takes_schema, unsupported

ALL = Parameters(
    num_gpu=3, num_ctx=99, temperature=0.0, top_p=0.9, top_k=5, repeat_penalty=1.1, num_predict=7, seed=0
)
SCHEMA = {"type": "object"}
CALL = CallRequest("m", "question", "system", ALL, SCHEMA)
CHAT = ServerSpec(kind="openai")
PLAIN = ServerSpec(kind="openai", api="completions", prompt_cache=False)


def test_ollama_gets_every_parameter_by_its_own_name() -> None:
    request = generate_request(CALL)
    assert request.path == "/api/generate"
    assert request.payload == {
        "model": "m",
        "prompt": "question",
        "system": "system",
        "stream": True,
        "format": SCHEMA,
        "options": ALL.given(),
    }
    bare = generate_request(CallRequest("m", "q", None, Parameters(), None)).payload
    assert bare == {"model": "m", "prompt": "q", "stream": True, "options": {}}


def test_chat_request() -> None:
    request = completion_request(CHAT, Flavour.OTHER, CALL)
    assert request.path == "/v1/chat/completions"
    assert request.payload == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.0,
        "top_p": 0.9,
        "max_tokens": 7,
        "seed": 0,
        "messages": [{"role": "system", "content": "system"}, {"role": "user", "content": "question"}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
        },
    }


def test_plain_completion_for_llama_cpp() -> None:
    payload = completion_request(PLAIN, Flavour.LLAMA_CPP, CALL).payload
    assert payload["prompt"] == "system\n\nquestion"
    assert payload["json_schema"] == SCHEMA
    assert payload["cache_prompt"] is False
    assert (payload["top_k"], payload["repeat_penalty"]) == (5, 1.1)


def test_vllm_names_the_penalty_differently() -> None:
    payload = completion_request(PLAIN, Flavour.VLLM, CALL).payload
    assert (payload["top_k"], payload["repetition_penalty"]) == (5, 1.1)
    assert not payload.keys() & {"repeat_penalty", "cache_prompt", "json_schema"}


@pytest.mark.parametrize(
    ("spec", "flavour", "expected"),
    [
        (CHAT, Flavour.LLAMA_CPP, ["num_gpu", "num_ctx"]),
        (CHAT, Flavour.VLLM, ["num_gpu", "num_ctx"]),
        (CHAT, Flavour.OTHER, ["num_gpu", "num_ctx", "top_k", "repeat_penalty"]),
        (CHAT, None, ["num_gpu", "num_ctx", "top_k", "repeat_penalty"]),
        (PLAIN, Flavour.LLAMA_CPP, ["num_gpu", "num_ctx"]),
        (PLAIN, Flavour.VLLM, ["num_gpu", "num_ctx", "prompt_cache"]),
    ],
)
def test_unsupported(spec: ServerSpec, flavour: Flavour | None, expected: list[str]) -> None:
    assert unsupported(spec, flavour, ALL) == expected


async def test_ollama_has_no_prompt_cache_switch() -> None:
    server = open_server(ServerSpec(kind="ollama", prompt_cache=False), "http://127.0.0.1:1")
    assert server.unsupported_parameters(ALL) == ["prompt_cache"]
    assert (await server.call(CALL, 5)).reason == "not sent: this server takes no prompt_cache per request"
    await server.aclose()


def test_schema_support() -> None:
    assert takes_schema("chat", None)
    assert takes_schema("completions", Flavour.LLAMA_CPP)
    assert not takes_schema("completions", Flavour.VLLM)


def test_a_lone_surrogate_can_be_sent() -> None:
    request = generate_request(CallRequest("m", "bad \udcff name", None, Parameters(), None))
    assert "\\udcff" in json.dumps(request.payload).encode().decode()


@pytest.mark.parametrize(
    ("url", "shown", "authorization"),
    [
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434", None),
        ("https://me:p%40ss@host/base/", "https://host/base", "Basic bWU6cEBzcw=="),
        ("http://[::1]:80", "http://[::1]:80", None),
        (" http://host?x=1#y ", "http://host", None),
    ],
)
def test_addresses(url: str, shown: str, authorization: str | None) -> None:
    assert split_credentials(url) == (shown, authorization)


@pytest.mark.parametrize(
    "url", ["", "host:80", "ftp://host", "http://", "http://me:secret@h:99999", "http://[x"]
)
def test_bad_addresses_are_one_line_without_secrets(url: str) -> None:
    with pytest.raises(InputError, match="server address") as caught:
        open_server(CHAT, url)
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


async def test_v1_at_the_end_of_the_address() -> None:
    server = open_server(CHAT, "http://u:p@127.0.0.1:8000/v1/")
    assert server.url == "http://127.0.0.1:8000"
    await server.aclose()


def test_ollama_names() -> None:
    assert full_name("gemma3") == "gemma3:latest"
    assert full_name("gemma3:270m") == "gemma3:270m"
    assert full_name("host:5000/me/gemma3") == "host:5000/me/gemma3:latest"


def test_unreachable_is_a_setup_error() -> None:
    assert issubclass(ServerUnreachable, SetupError)
