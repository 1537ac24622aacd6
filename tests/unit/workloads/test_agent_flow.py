"""The agent's three stages with a scripted server: what is asked, what becomes of failures."""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from contracts.call import CallResult, CallTiming, Outcome
from contracts.corpus import digest, discover
from contracts.workloads import AgentWorkload
from tests.support.present import present
from worker.measurement.clock import now_ns, utc_now
from worker.workloads.agent import STAGES, WARMUP_PROMPT, AgentRun, run_agent
from worker.workloads.agent.prompts import load_prompts

WORKLOAD = AgentWorkload(paths=("data",))
ANSWER = json.dumps(
    {"findings": ["a is 2 on average."], "recommendations": ["Measure b."], "analysis": "Fine."}
)


class Script:
    """Answers each stage as told and keeps what it was asked."""

    def __init__(self, **answers: tuple[Outcome, str]) -> None:
        self.answers = {"analysis": (Outcome.OK, ANSWER), "report": (Outcome.OK, "# Report")} | answers
        self.asked: list[tuple[str, str, dict[str, Any] | None]] = []

    async def __call__(self, stage: str, prompt: str, schema: dict[str, Any] | None) -> CallResult:
        self.asked.append((stage, prompt, schema))
        outcome, text = self.answers[stage]
        now = now_ns()
        timing = CallTiming(wall_anchor=utc_now(), sent_ns=now, end_ns=now)
        return CallResult(outcome=outcome, reason=f"because {outcome}", text=text, timing=timing)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.csv").write_text("a,b\n1,$digest\n3,{analysis}\n")
    (folder / "b.md").write_text("# b\n")
    return folder


async def run(data: Path, ask: Script, **options: Any) -> AgentRun:
    arguments: dict[str, Any] = {
        "expected_digest": digest(discover([data])) if data.exists() else "0",
        "use_schema": True,
    }
    return await run_agent(WORKLOAD, [data], ask, **(arguments | options))


async def test_a_good_run(data: Path) -> None:
    ask = Script()
    got = await run(data, ask)
    assert [(s.stage, s.outcome) for s in got.stages] == [(stage, Outcome.OK) for stage in STAGES]
    assert got.stages[0].call is None and present(got.stages[1].call).text == ANSWER
    assert got.result.findings == ("a is 2 on average.",)
    assert got.result.recommendations == ("Measure b.",)
    assert got.result.report_text == "# Report"
    assert present(got.result.ingest).counts == {"csv": 1, "json": 0, "md": 1}
    times = [t for s in got.stages for t in (s.started_ns, s.ended_ns)]
    assert times == sorted(times)
    assert got.wall_s == (times[-1] - times[0]) / 1e9
    assert all(s.started_at.tzinfo is UTC for s in got.stages)


async def test_what_is_asked(data: Path) -> None:
    ask = Script()
    await run(data, ask)
    (_, analysis, schema), (_, report, no_schema) = ask.asked
    assert "- a: n=2, mean=2, min=1, max=3" in analysis
    assert "$digest, {analysis}" in analysis, "what a file holds is not expanded"
    assert list(present(schema)["properties"]) == ["findings", "recommendations", "analysis"]
    assert no_schema is None
    for part in (
        "2 files (1 CSV, 0 JSON, 1 Markdown)",
        "Fine.",
        "- a is 2 on average.",
        "- Measure b.",
        "mean=2",
    ):
        assert part in report
    assert str(data.parent) not in analysis + report
    assert WARMUP_PROMPT not in analysis + report


async def test_the_prompts_are_the_same_in_every_run(data: Path) -> None:
    first, second = Script(), Script()
    await run(data, first)
    (data / "a.csv").touch()
    await run(data, second)
    assert first.asked == second.asked


@pytest.mark.parametrize(("use_schema", "structured"), [(False, "auto"), (True, "off")])
async def test_no_schema_where_it_is_not_wanted(data: Path, use_schema: bool, structured: str) -> None:
    ask = Script()
    workload = AgentWorkload(paths=("data",), structured=structured)
    await run_agent(workload, [data], ask, expected_digest=None, use_schema=use_schema)
    assert [schema for _, _, schema in ask.asked] == [None, None]


async def test_free_text_goes_on_to_the_report(data: Path) -> None:
    ask = Script(analysis=(Outcome.OK, "## Notes\nNothing in the lists, $files."))
    got = await run(data, ask)
    assert got.result.findings == ()
    assert "Nothing in the lists, $files." in ask.asked[1][1]
    assert ask.asked[1][1].count("None captured") == 2


@pytest.mark.parametrize(
    "outcome", [Outcome.CONNECTION, Outcome.TIMEOUT, Outcome.SERVER_ERROR, Outcome.ABORTED]
)
async def test_without_analysis_text_there_is_no_report(data: Path, outcome: Outcome) -> None:
    ask = Script(analysis=(outcome, " \n"))
    got = await run(data, ask)
    assert [s.outcome for s in got.stages] == [Outcome.OK, outcome, outcome]
    assert got.stages[2].reason == f"not run: analysis: because {outcome}"
    assert got.stages[2].call is None
    assert len(ask.asked) == 1
    assert got.result.report_text == ""


async def test_a_stage_that_was_not_run_is_never_valid(data: Path) -> None:
    got = await run(data, Script(analysis=(Outcome.TRUNCATED, "")))
    assert got.stages[2].outcome is Outcome.LOST
    assert got.stages[2].reason == "not run: analysis gave no text"


@pytest.mark.parametrize("outcome", [Outcome.ABORTED, Outcome.TRUNCATED, Outcome.DEGENERATE, Outcome.TIMEOUT])
async def test_the_report_runs_on_what_a_cut_analysis_holds(data: Path, outcome: Outcome) -> None:
    ask = Script(analysis=(outcome, '{"findings": ["a is 2 on average.", "b'))
    got = await run(data, ask)
    assert [s.outcome for s in got.stages] == [Outcome.OK, outcome, Outcome.OK]
    assert got.result.findings == ("a is 2 on average.",)


async def test_the_report_call_has_its_own_outcome(data: Path) -> None:
    got = await run(data, Script(report=(Outcome.ABORTED, "# Rep")))
    assert got.stages[2].outcome is Outcome.ABORTED
    assert got.stages[2].reason == "because aborted"
    assert got.result.report_text == "# Rep"


async def check_lost(got: AgentRun, ask: Script, reason: str) -> None:
    assert [s.stage for s in got.stages] == list(STAGES)
    assert [s.outcome for s in got.stages] == [Outcome.LOST] * 3
    assert present(got.stages[0].reason).startswith("ingest failed: ") and reason in present(
        got.stages[0].reason
    )
    assert [s.reason for s in got.stages[1:]] == ["not run: ingest failed"] * 2
    assert ask.asked == [] and got.result.ingest is None and got.wall_s >= 0


async def test_a_missing_root_fails_the_ingest(tmp_path: Path) -> None:
    ask = Script()
    await check_lost(await run(tmp_path / "nothing", ask), ask, "no such file or folder")


async def test_other_contents_than_planned_fail_the_ingest(data: Path) -> None:
    ask = Script()
    planned = digest(discover([data]))
    (data / "a.csv").write_text("a,b\n1,3\n")
    await check_lost(await run(data, ask, expected_digest=planned), ask, planned)


async def test_an_unreadable_file_fails_the_ingest(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = digest(discover([data]))
    real = discover([data])
    (data / "a.csv").unlink()
    monkeypatch.setattr("worker.workloads.agent.material.discover", lambda roots, names, **_: real)
    ask = Script()
    await check_lost(
        await run(data, ask, expected_digest=planned), ask, "data/a.csv can't be read: No such file"
    )


def test_an_unknown_version_of_the_prompts_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        load_prompts("0")
