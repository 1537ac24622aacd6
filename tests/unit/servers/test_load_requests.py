"""What is sent of a conversation, and where a server is asked to go on beyond the end of its answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.configuration import Parameters
from contracts.sweep import ServerSpec
from worker.servers import CallRequest, Load
from worker.servers.framing import Frame
from worker.servers.llamacpp import native_request
from worker.servers.ollama import generate_request, read_generate
from worker.servers.openai_identity import Flavour
from worker.servers.openai_request import completion_request

ALONE = CallRequest("m", "third", "system", Parameters(num_predict=8, concurrency=4), None)
TALK = replace(ALONE, history=(("first", " answer one"), (" second", " answer two")))
MESSAGES = [
    {"role": "system", "content": "system"},
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": " answer one"},
    {"role": "user", "content": " second"},
    {"role": "assistant", "content": " answer two"},
    {"role": "user", "content": "third"},
]
PLAIN = "system\n\nfirst answer one\n\n second answer two\n\nthird"
CHAT, COMPLETIONS = (ServerSpec(kind="openai", api=api) for api in ("chat", "completions"))
NATIVE = ServerSpec(kind="llama.cpp")


def test_chat_interfaces_get_roles() -> None:
    chat = completion_request(CHAT, Flavour.VLLM, TALK)
    assert (chat.path, chat.payload["messages"]) == ("/v1/chat/completions", MESSAGES)
    ollama = generate_request(TALK)
    assert (ollama.path, ollama.payload["messages"]) == ("/api/chat", MESSAGES)
    assert not {"prompt", "system"} & ollama.payload.keys()
    assert ollama.payload["options"] == {"num_predict": 8}


def test_without_a_history_ollama_generates() -> None:
    request = generate_request(ALONE)
    assert (request.path, request.payload["prompt"], request.payload["system"]) == (
        "/api/generate",
        "third",
        "system",
    )


def test_plain_completions_get_one_text_whose_beginning_is_the_turn_before() -> None:
    native = native_request(NATIVE, TALK)
    assert native.payload["prompt"] == PLAIN
    assert completion_request(COMPLETIONS, None, TALK).payload["prompt"] == PLAIN
    before = native_request(NATIVE, replace(TALK, prompt=" second", history=TALK.history[:1])).payload[
        "prompt"
    ]
    assert PLAIN.startswith(before + " answer two")


@pytest.mark.parametrize(
    ("flavour", "asked"),
    [(Flavour.LLAMA_CPP, True), (Flavour.VLLM, True), (Flavour.OTHER, False), (None, False)],
)
@pytest.mark.parametrize("spec", [CHAT, COMPLETIONS])
def test_who_can_be_asked_to_go_on(spec: ServerSpec, flavour: Flavour | None, asked: bool) -> None:
    on = replace(ALONE, ignore_eos=True)
    assert completion_request(spec, flavour, on).payload.get("ignore_eos", False) is asked
    assert "ignore_eos" not in completion_request(spec, flavour, ALONE).payload
    assert native_request(NATIVE, on).payload["ignore_eos"] is True
    assert "ignore_eos" not in native_request(NATIVE, ALONE).payload
    assert "ignore_eos" not in generate_request(on).payload


def test_connections_of_a_load() -> None:
    load = Load(due_ns=5)
    of_a_load = replace(ALONE, load=load)
    assert native_request(NATIVE, of_a_load).load is load and native_request(NATIVE, ALONE).load is None
    assert not native_request(NATIVE, of_a_load).keeps
    assert not completion_request(CHAT, Flavour.LLAMA_CPP, of_a_load).keeps
    assert completion_request(CHAT, Flavour.VLLM, of_a_load).keeps
    assert generate_request(of_a_load).keeps


def test_the_stream_of_a_chat() -> None:
    records = [
        b'{"message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": false}',
        b'{"message": {"role": "assistant", "content": "Yes", "images": null}, "done": false}',
        b'{"message": {"role": "assistant", "content": "."}, "done": false}',
        b'{"message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop", "eval_count": 4}',
    ]
    reading = read_generate([Frame(at, record) for at, record in enumerate(records, 1)])
    assert (reading.pieces, reading.text_ns, reading.reasoning_ns) == (["Yes", "."], [2, 3], [1])
    assert (reading.finished, reading.finish_reason, reading.counters.tokens) == (True, "stop", 4)


def test_a_message_that_is_no_text_is_malformed() -> None:
    reading = read_generate([Frame(1, b'{"message": {"role": "assistant", "content": 3}, "done": false}')])
    assert reading.malformed == "'message.content' is not text: 3"
