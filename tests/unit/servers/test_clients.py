"""Every client on both HTTP paths, against a reference server in this process; tests/conformance asks them much more."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from contracts.call import Outcome
from contracts.configuration import Parameters
from contracts.sweep import Timeouts
from tests.conformance.server_clients import CLIENTS, SETTINGS, TEXT, Client, ask, open_client, talking
from worker.measurement.clock import now_ns
from worker.measurement.loop import WatchedLoop
from worker.measurement.timing import CallClock
from worker.servers import CallRequest, ServerUnreachable
from worker.servers.base import Load
from worker.servers.connection import MAX_ANSWER_BYTES, Connection, explain
from worker.servers.openai_identity import flavour_of, identity_of
from worker.servers.transport import CLOCK, HOLD, INCOMING
from worker.servers.transport.plain import PlainTransport
from worker.servers.transport.wire import connect

every_client = pytest.mark.parametrize("name", CLIENTS)
plain_and_stamped = pytest.mark.parametrize("name", ["ollama-stamped", "ollama-plain"])
AT_ONCE = {"ttft_ms": 2.0, "itl_ms": 0.5}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def quick(name: str, *, flavour: str = "llama.cpp", **seconds: float) -> AsyncIterator[Client]:
    """A client that sends nothing twice, and a server that answers at once; ``seconds``: the client's timeouts."""
    spec = {"retries": 0, "timeouts": Timeouts(**seconds)}
    async with talking(name, spec, flavour=flavour, **AT_ONCE) as client:
        yield client


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that says the same to every request, and closes; return its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


@every_client
async def test_an_answer_is_the_servers(name: str) -> None:
    async with quick(name) as client:
        names = await client.server.models()
        result = await client.call()
        identity = await client.server.identify("ref")
    assert (result.outcome, result.text, result.counters.tokens) == (Outcome.OK, TEXT, SETTINGS.tokens)
    timing = result.timing
    assert (
        timing.sent_ns <= (timing.headers_ns or 0) <= timing.text_ns[0] <= timing.text_ns[-1] <= timing.end_ns
    )
    assert any(known.startswith("ref") for known in names)
    assert identity.software == ("Ollama" if client.name == "ollama" else "llama.cpp")


@every_client
@pytest.mark.parametrize(
    ("scenario", "outcome", "reason"),
    [
        ("http-400", Outcome.SERVER_ERROR, "HTTP 400: invalid option: mirostat_teta"),
        ("http-429-always", Outcome.SERVER_ERROR, "HTTP 429: too many requests"),
        ("redirect", Outcome.SERVER_ERROR, "HTTP 302 to /elsewhere"),
        ("wrong-content-type", Outcome.SERVER_ERROR, "content type 'text/html; charset=utf-8' instead of"),
    ],
)
async def test_a_refusal_says_what_the_server_said(
    name: str, scenario: str, outcome: Outcome, reason: str
) -> None:
    async with quick(name) as client:
        result = await client.call(scenario)
    assert result.outcome is outcome and reason in (result.reason or "")


@every_client
async def test_limits_on_the_way(name: str) -> None:
    async with quick(name, first_token=0.1, between_tokens=0.1) as client:
        first, further = await client.call("hang-first"), await client.call("hang-mid")
        none_left = await client.call(timeout_s=0.0)
    assert first.reason == "no first token within 0.1 s: before the response's headers"
    assert "no further token within 0.1 s: in mid-stream, after" in (further.reason or "")
    assert "before the request was sent" in (none_left.reason or "")
    assert {call.outcome for call in (first, further, none_left)} == {Outcome.TIMEOUT}


@every_client
async def test_nobody_there_and_another_protocol_there(name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        server = open_client(name, f"http://127.0.0.1:{taken.getsockname()[1]}", retries=0)
        result = await server.call(ask(), 5)
        with pytest.raises(ServerUnreachable, match="connection refused"):
            await server.models()
        await server.aclose()
    assert result.outcome is Outcome.CONNECTION and "connection refused" in (result.reason or "")
    async with answering(b"SSH-2.0-OpenSSH_9.6\r\n") as url:
        server = open_client(name, url, retries=0)
        result = await server.call(ask(), 5)
        await server.aclose()
    assert result.outcome in (Outcome.SERVER_ERROR, Outcome.CONNECTION)


@every_client
async def test_a_web_page_is_no_model_server(name: str) -> None:
    async with answering(OK) as url:
        server = open_client(name, url, retries=0)
        with pytest.raises(ServerUnreachable, match="does not answer as"):
            await server.models()
        await server.aclose()


@every_client
async def test_what_can_not_be_unloaded_or_asked_for_is_said(name: str) -> None:
    async with quick(name, flavour="other") as client:
        problem = await client.server.unload("ref")
        refused = await client.call(num_gpu=3)
    if client.name == "ollama":
        assert problem is None
    else:
        assert "ref" in (problem or "")
        assert refused.reason == "not sent: this server takes no num_gpu per request"


@pytest.mark.parametrize(("flavour", "software"), [("vllm", "vLLM"), ("other", None)])
async def test_servers_are_told_apart(flavour: str, software: str | None) -> None:
    async with quick("chat-stamped", flavour=flavour) as client:
        await client.server.models()
        assert (await client.server.identify("ref")).software == software
        await client.server.warm(2)
        assert client.reference.log.connections >= 2
        assert client.server.unsupported_parameters(Parameters(top_k=3)) == (
            [] if flavour == "vllm" else ["top_k"]
        )


async def test_a_server_that_does_not_say_who_it_is_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        server = open_client("chat-stamped", f"http://127.0.0.1:{port}", retries=0)
        result = await server.call(ask(), 0.1)
        await server.aclose()
    assert (result.outcome, result.reason) == (
        Outcome.TIMEOUT,
        "no answer within 0.1 s: before the request was sent",
    )


@plain_and_stamped
async def test_a_request_of_a_load_is_written_when_it_is_due(name: str) -> None:
    held: list[int] = []

    async def hold(due_ns: int) -> None:
        held.append(due_ns)

    async with quick(name) as client:
        due_ns = now_ns()
        load = Load(due_ns, hold)
        request = CallRequest("ref", "one two", None, Parameters(), None, load=load)
        result = await client.server.call(request, 5)
    assert result.outcome is Outcome.OK and held == [due_ns]


@plain_and_stamped
async def test_a_stopped_call_leaves_nothing_behind(name: str) -> None:
    async with quick(name) as client:
        task = asyncio.create_task(client.call("hang-mid", 60))
        requests = client.reference.log.requests
        async with asyncio.timeout(10):
            while not requests or len(requests[-1].sends) < 6:
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while requests[-1].ended != "left":
                await asyncio.sleep(0.005)
        assert (await client.call()).outcome is Outcome.OK


@plain_and_stamped
@pytest.mark.parametrize("scenario", ["close-mid", "cut", "chunk-garbage", "garbage"])
async def test_what_breaks_off_keeps_what_came(name: str, scenario: str) -> None:
    async with quick(name) as client:
        result = await client.call(scenario)
    assert not result.outcome.valid and result.text and TEXT.startswith(result.text)


def test_in_the_loop_of_a_job_the_readings_are_watched() -> None:
    async def once() -> tuple[Outcome, str]:
        async with quick("ollama-plain") as client:
            result = await client.call()
            return result.outcome, result.timing.clock

    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        assert runner.run(once()) == (Outcome.OK, "user")


async def test_an_error_that_is_not_the_transports_ends_the_call_too() -> None:
    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Body())

    class Body(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"a"
            raise ZeroDivisionError("a defect")

    transport = PlainTransport(Broken())  # type: ignore[arg-type]
    request = httpx.Request("POST", "http://h/", extensions={CLOCK: CallClock(now_ns())})
    response = await transport.handle_async_request(request)
    with pytest.raises(httpx.ReadError, match="a defect"):
        while not await response.extensions[INCOMING].more(asyncio.get_running_loop().time() + 5):
            pass
    assert HOLD not in request.extensions
    await response.aclose()


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        try:
            while True:
                writer.write(b" " * 1_000_000)
                await writer.drain()
        except ConnectionError:
            writer.close()

    async with await asyncio.start_server(endless, "127.0.0.1", 0) as listener:
        connection = Connection(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
        answer = await connection.ask("/x")
        await connection.aclose()
    assert len(answer._body) <= MAX_ANSWER_BYTES + 1_000_000
    assert answer.object is None and answer.describe() == "HTTP 200 on /x"


def tls_error(reason: str) -> ssl.SSLError:
    made = ssl.SSLError(1, f"[SSL: {reason}] as OpenSSL says it")
    made.reason = reason
    return made


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "name or service not known"),
        (tls_error("WRONG_VERSION_NUMBER"), "WRONG_VERSION_NUMBER"),
        (ExceptionGroup("both", [ConnectionResetError(104, "x")]), "connection reset by peer"),
        (OSError("All connection attempts failed"), "All connection attempts failed"),
        (ValueError(), "ConnectError"),
    ],
    ids=["refused", "name", "TLS", "group", "no number", "nothing said"],
)
def test_a_failure_is_said_in_the_systems_words(error: Exception, said: str) -> None:
    outer = httpx.ConnectError(str(error))
    outer.__cause__ = error
    assert explain(outer) == said


def test_an_error_that_is_its_own_cause_is_explained() -> None:
    first, second = OSError("a"), OSError("b")
    first.__cause__, second.__cause__ = second, first
    assert explain(first) == "a"


async def test_a_name_that_is_no_host_name_can_not_be_connected_to() -> None:
    with pytest.raises(OSError, match="is not a host name"):
        await connect("a" * 70 + ".example", 1)


async def test_nothing_is_known_of_a_model_that_is_not_listed() -> None:
    async with quick("chat-stamped") as client:
        connection = Connection(client.reference.url)
        listed, props = await connection.ask("/v1/models"), await connection.ask("/props")
        await connection.aclose()
    found = identity_of("openai", "http://h", "another", listed, props)
    assert found.model is None and found.context is None and found.software == flavour_of(listed, props).value
