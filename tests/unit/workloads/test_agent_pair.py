"""Several agents at one time on reference servers: barrier, overlap, personas, and what becomes of failures."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from contracts.call import Outcome
from contracts.configuration import AgentRole, Configuration, Parameters
from contracts.corpus import digest, discover
from contracts.failures import SetupError
from contracts.job import JobSpec
from contracts.outcome import JobOutcome
from contracts.records import StageRecord, records_of
from contracts.settings import WorkerSettings
from contracts.sweep import ServerSpec
from contracts.workloads import AgentPairWorkload
from tests.support.cluster import calls_of, start_reference_server
from tests.support.present import present
from worker.job import Started, measure, unmeasured
from worker.performing import perform

TTFT_MS = 250.0
STAGES = ["ingest", "analysis", "report"]


def role(label: str, model: str = "ref", **more: Any) -> AgentRole:
    return AgentRole(label=label, persona=f"You are {label}.", model=model, **more)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("servers")
    started = [start_reference_server(folder, name, ttft_ms=TTFT_MS, itl_ms=4, tokens=60) for name in "ab"]
    yield started[0][1], started[1][1]
    for child, _ in started:
        child.stop_now()


Run = Callable[..., JobOutcome]


@pytest.fixture
def spec_of(corpus: Path) -> Callable[..., JobSpec]:
    def made(*roles: AgentRole, **changes: Any) -> JobSpec:
        fields: dict[str, Any] = {
            "kind": "agent-pair",
            "sweep": "s",
            "execution": "e",
            "configuration": Configuration(name="c", model="ref", agents=roles),
            "run": 1,
            "block": 1,
            "workload": AgentPairWorkload(kind="agent-pair", paths=(corpus.name,)),
            "corpus_digest": digest(discover([corpus], [corpus.name])),
            "base_dir": str(corpus.parent),
            "server": ServerSpec(kind="ollama"),
            "warmup": 0,
            "deadline_s": 30.0,
            "pool": "p",
        }
        return JobSpec(**(fields | changes))

    return made


@pytest.fixture
def run(servers: tuple[str, str], spec_of: Callable[..., JobSpec]) -> Run:
    settings = WorkerSettings("s0", "p", servers[0], None, 60.0, (("b", servers[1]),))

    def once(*roles: AgentRole, **changes: Any) -> JobOutcome:
        return measure(spec_of(*roles, **changes), Started.now(settings, 1))

    return once


def lines(outcome: JobOutcome) -> dict[tuple[str, str], StageRecord]:
    return {(line.agent, line.stage): line for line in records_of(outcome) if line.phase == "measured"}


def calls(outcome: JobOutcome) -> list[Any]:
    return [stage.call for stage in outcome.stages if stage.call is not None and stage.phase == "measured"]


def test_both_are_measured_at_the_same_time_from_one_barrier(run: Run) -> None:
    outcome = run(role("A"), role("B"))
    found = lines(outcome)
    assert [(line.agent, line.stage) for line in records_of(outcome)] == [
        (agent, stage) for agent in "AB" for stage in STAGES
    ]
    assert {line.outcome for line in found.values()} == {Outcome.OK}
    assert not outcome.failed
    first = {agent: found[agent, "analysis"].sent_ns for agent in "AB"}
    assert abs(present(first["A"]) - present(first["B"])) < TTFT_MS * 1e6 / 2, (
        "both begin while neither has a token"
    )
    for stage in ("analysis", "report"):
        one, other = (found[agent, stage].timing for agent in "AB")
        assert max(present(one).sent_ns, present(other).sent_ns) < min(
            present(one).text_ns[0], present(other).text_ns[0]
        )
    ingests = [found[agent, "ingest"] for agent in "AB"]
    assert present(ingests[0].ended_ns) <= present(ingests[1].started_ns), "one after the other"
    assert present(ingests[1].ended_ns) <= min(present(at) for at in first.values()), "before anybody's calls"
    assert all(line.data_summary and line.files_total == 3 for line in ingests)


def test_the_times_of_a_pair(run: Run) -> None:
    outcome = run(role("A"), role("B"))
    found = lines(outcome)
    spans = {}
    for agent, one in zip("AB", outcome.agents, strict=True):
        calls_s = (
            present(found[agent, "report"].ended_ns) - present(found[agent, "analysis"].started_ns)
        ) / 1e9
        assert calls_s <= present(one.exec_s) < calls_s + TTFT_MS / 1e3
        assert {found[agent, stage].exec_s for stage in STAGES} == {one.exec_s}
        spans[agent] = present(one.exec_s)
    assert outcome.wall_s == max(spans.values())
    assert outcome.wall_s < 0.75 * sum(spans.values()), "they overlap"


def test_one_agent_alone_takes_the_same_way(run: Run) -> None:
    outcome = run(role("A"))
    found = lines(outcome)
    assert list(found) == [("A", stage) for stage in STAGES]
    assert {line.agents for line in found.values()} == {1}
    (alone,) = outcome.agents
    assert alone.exec_s == outcome.wall_s
    assert alone.result.report_text and alone.result.ingest is not None
    assert outcome.server == alone.server is not None


def test_an_agent_runs_its_own_model_and_parameters(run: Run, servers: tuple[str, str]) -> None:
    before = len(calls_of(servers[0]))
    outcome = run(
        role("A", parameters=Parameters(num_predict=20, temperature=0.0)),
        role("B", "ref:normal", parameters=Parameters(num_ctx=512)),
    )
    found = lines(outcome)
    assert found["A", "report"].outcome is Outcome.TRUNCATED and found["A", "report"].tokens == 20
    assert found["B", "report"].outcome is Outcome.OK and found["B", "report"].tokens == 60
    assert found["B", "report"].model == "ref:normal"
    assert found["B", "report"].parameters == {"num_ctx": 512}
    asked = calls_of(servers[0])[before:]
    options = {call["model"]: call["body"]["options"] for call in asked}
    assert options == {"ref": {"num_predict": 20, "temperature": 0.0}, "ref:normal": {"num_ctx": 512}}


def test_an_agent_may_use_a_further_server(run: Run, servers: tuple[str, str]) -> None:
    before = [len(calls_of(url)) for url in servers]
    outcome = run(role("A"), role("B", server="b"))
    found = lines(outcome)
    assert {line.outcome for line in found.values()} == {Outcome.OK}
    assert [len(calls_of(url)) - n for url, n in zip(servers, before, strict=True)] == [2, 2]
    assert [present(one.server).url for one in outcome.agents] == list(servers)
    assert outcome.server is None, "there is no one server"
    assert {agent: found[agent, "report"].server for agent in "AB"} == {"A": None, "B": "b"}


def test_an_unknown_further_server_is_a_message(run: Run) -> None:
    with pytest.raises(
        SetupError, match="slot s0 has no further server 'c': start its worker with --also c=URL"
    ):
        run(role("A"), role("B", server="c"))


@pytest.mark.parametrize(
    ("scenario", "outcome"),
    [("http-500", Outcome.SERVER_ERROR), ("cut", Outcome.CONNECTION), ("abort", Outcome.ABORTED)],
)
def test_the_failure_of_one_leaves_the_other_whole(run: Run, scenario: str, outcome: Outcome) -> None:
    got = run(role("A", f"ref:{scenario}"), role("B"))
    found = lines(got)
    assert found["A", "analysis"].outcome is outcome
    assert [found["B", stage].outcome for stage in STAGES] == [Outcome.OK] * 3
    assert got.failed and got.problem is None
    assert got.agents[1].result.report_text


def test_files_that_are_not_those_planned_leave_nobody_waiting(run: Run) -> None:
    outcome = run(role("A"), role("B"), corpus_digest="0")
    assert [s.outcome for s in outcome.stages] == [Outcome.LOST] * 6
    assert [one.exec_s for one in outcome.agents] == [None, None] and outcome.wall_s is None


def test_the_deadline_holds_for_all(run: Run) -> None:
    outcome = run(role("A", "ref:hang-first"), role("B", "ref:hang-mid"), deadline_s=1.5)
    found = lines(outcome)
    for agent in "AB":
        assert found[agent, "analysis"].outcome is Outcome.TIMEOUT
    assert outcome.wall_s is not None and outcome.wall_s < 10


def test_warm_up_and_its_rest_come_before_the_barrier(run: Run) -> None:
    outcome = run(role("A"), role("B", parameters=Parameters(num_ctx=512)), warmup=1)
    warmups = [stage for stage in outcome.stages if stage.phase == "warmup"]
    assert [(stage.agent, stage.outcome) for stage in warmups] == [
        ("A", Outcome.TRUNCATED),
        ("B", Outcome.TRUNCATED),
    ]
    token_ns = 4 * 10**6
    first_ns = min(call.timing.due_ns for call in calls(outcome))
    assert first_ns - max(present(stage.call).timing.end_ns for stage in warmups) >= 1.5 * token_ns


def test_what_a_model_was_loaded_with_is_not_told_of_two_ways_at_once(run: Run) -> None:
    """Ollama shows a model as it was loaded last, whichever agent that was for."""
    same = run(role("A"), role("B"), warmup=1)
    assert [present(one.server).context for one in same.agents] != [None, None]
    assert same.server == same.agents[0].server
    two = run(
        role("A", parameters=Parameters(num_ctx=256)), role("B", parameters=Parameters(num_ctx=512)), warmup=1
    )
    for one in two.agents:
        assert (present(one.server).context, present(one.server).vram_bytes) == (None, None)
        assert present(one.server).version is not None


def test_an_outcome_without_a_measurement_names_all_stages_of_all_agents(
    spec_of: Callable[..., JobSpec],
) -> None:
    settings = WorkerSettings("s0", "p", "http://127.0.0.1:1", None, 60.0)
    outcome = unmeasured(spec_of(role("A"), role("B")), Started.now(settings, 1), "why")
    assert [(s.agent, s.stage) for s in outcome.stages] == [(a, s) for a in "AB" for s in STAGES]
    assert {line.reason for line in records_of(outcome)} == {"why"}
    assert {line.agents for line in records_of(outcome)} == {2}


class Ear(BaseHTTPRequestHandler):
    """An Ollama that keeps the bodies of generations and answers with one word."""

    def do_GET(self) -> None:
        self._say({"version": "0", "models": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/api/generate":
            self.server.heard.append(body)  # type: ignore[attr-defined]
            self._say(
                {"response": "word", "done": True, "done_reason": "stop", "eval_count": 1},
                "application/x-ndjson",
            )
        else:
            self._say({})

    def log_message(self, *_: Any) -> None: ...

    def _say(self, value: dict[str, Any], kind: str = "application/json") -> None:
        data = json.dumps(value).encode() + b"\n"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def test_the_persona_is_sent_with_each_call_and_not_with_the_warm_up(spec_of: Callable[..., JobSpec]) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Ear) as server:
        heard: list[dict[str, Any]] = []
        server.heard = heard  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            settings = WorkerSettings("s0", "p", f"http://127.0.0.1:{server.server_port}", None, 60.0)
            workload = AgentPairWorkload(kind="agent-pair", paths=("corpus",), min_words=1)
            spec = spec_of(role("A"), role("B"), warmup=1, workload=workload)
            outcome = measure(spec, Started.now(settings, 1))
        finally:
            server.shutdown()
            thread.join()
    assert not outcome.failed
    (warmup, *measured) = heard
    assert "system" not in warmup
    assert sorted(body["system"] for body in measured) == ["You are A."] * 2 + ["You are B."] * 2
    reports = [body["prompt"] for body in measured if "format" not in body]
    assert len(reports) == 2
    for prompt in reports:
        assert "Write what your role asks for, on these 3 files (1 CSV, 1 JSON, 1 Markdown)" in prompt
        assert "Executive Summary" not in prompt, "what is written is the persona's to say"


def test_cancellation_ends_all(servers: tuple[str, str], spec_of: Callable[..., JobSpec]) -> None:
    settings = WorkerSettings("s0", "p", servers[0], None, 60.0)
    spec = spec_of(role("A", "ref:hang-mid"), role("B", "ref:hang-first"))
    before = len(calls_of(servers[0]))

    async def cancelled() -> set[asyncio.Task[Any]]:
        job = asyncio.ensure_future(perform(spec, Started.now(settings, 1)))
        async with asyncio.timeout(20):
            while len(await asyncio.to_thread(calls_of, servers[0])) < before + 2:
                assert not job.done()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(cancelled()) == set()
