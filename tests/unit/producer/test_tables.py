"""A plan in words: jobs, work, order, duration, and what a sweep runs until; and how a sweep ended."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.ending import Ending, Place
from analysis.statistics.description import Description
from producer.ending_table import show_ending
from producer.plan import Plan, make_plan
from producer.sweep_file import load
from producer.tables import show_plan, until_in_words, work_in_words
from tests.support.sweeps import write_sweep

SYNTHETIC: dict[str, Any] = {
    "kind": "prompts",
    "synthetic": {"input_tokens": 8, "output_tokens": 4},
    "requests": 20,
}


@pytest.fixture
def plan(tmp_path: Path, corpus: Path) -> Any:
    def make(**changes: Any) -> Plan:
        path = write_sweep(tmp_path, **changes)
        return make_plan(load(path), path)

    return make


def shown(plan: Plan, job_s: float | None = None, slots: int | None = None, *inert: str) -> str:
    stream = io.StringIO()
    show_plan(plan, job_s, slots, list(inert), Console(file=stream, width=200))
    return stream.getvalue()


def line(text: str, word: str) -> str:
    (found,) = (row for row in text.splitlines() if row.startswith(word))
    return found.removeprefix(word).strip()


def test_a_plan_says_what_would_be_measured(plan: Any) -> None:
    text = shown(plan(baseline={"temperature": 0.8}), None, None, "temperature: nothing")
    assert line(text, "jobs ") == (
        "6 = 2 configurations × 3 runs, each 0 warm-up calls and ingest → analysis → report over 3 files"
    )
    assert line(text, "order ").startswith("randomised blocks, seed ")
    assert len([row for row in text.splitlines() if row.startswith("  block ")]) == 3
    assert line(text, "baseline") == "#2 temperature=0.8"
    assert line(text, "duration") == (
        "not known: no earlier run of this sweep in the results folder; at most 2 min by the deadlines on 1 slot(s)"
    )
    assert line(text, "inert") == "temperature: nothing"


@pytest.mark.parametrize(
    ("warmup", "said"),
    [(0, "0 warm-up calls"), (1, "1 warm-up call and"), ("unload", "unloading the model and")],
    ids=str,
)
def test_what_comes_before_a_run_is_said(plan: Any, warmup: object, said: str) -> None:
    assert said in line(shown(plan(warmup=warmup)), "jobs ")


def test_of_a_long_order_the_beginning_is_shown(plan: Any) -> None:
    text = shown(plan(runs=8, axes={"temperature": [n / 100 for n in range(60)]}))
    first = next(row for row in text.splitlines() if row.startswith("  block 1"))
    assert first.endswith("… 60 jobs") and first.count("#") == 50
    assert "… and 3 more blocks" in text


def test_plots_are_shown_as_units(plan: Any) -> None:
    text = shown(plan(axes={"num_ctx": [1024, 2048]}, order={"placement": "balanced"}))
    assert line(text, "order ").startswith("2 whole plots (axes that make the server reload), seed")
    assert line(text, "order ").endswith("; each configuration's runs are shared out over all slots")
    assert "  unit 1  #" in text and "more unit" in text


def test_a_sweep_until_precise_has_bounds(plan: Any) -> None:
    until = {
        "min": 3,
        "max": 6,
        "until": {"throughput": "1%", "ttft": "5%"},
        "max_time": "3h",
        "max_jobs": 10,
    }
    made = plan(runs=until)
    text = shown(made, 40.0, 2)
    assert line(text, "jobs ").startswith("6 … 10 = 2 configurations × 3 … 6 runs (max_jobs 10)")
    assert until_in_words(made.spec) == "throughput ±1 %, ttft ±5 %; no block begins after 3.0 h"
    assert line(text, "then") == (
        "blocks of the configurations that still need runs, until throughput ±1 %, ttft ±5 %; "
        "no block begins after 3.0 h"
    )
    assert line(text, "duration") == (
        "about 2 min to 3 min on 2 slot(s), at 40.0 s a job as last time; at most 100 s by the deadlines"
    )


def test_a_duration_of_hours_is_in_hours(plan: Any) -> None:
    assert line(shown(plan(deadline=7200), 3600.0), "duration").startswith("about 6.0 h on 1 slot(s)")


@pytest.mark.parametrize(
    ("workload", "axes", "said"),
    [
        (SYNTHETIC, {"concurrency": [1, 2]}, "one load of made prompts: 20 requests"),
        (SYNTHETIC | {"duration": 5}, {"rate": [2]}, "one load of made prompts: 20 requests or 5 s"),
        (
            {"kind": "prompts", "file": "prompts.jsonl", "requests": 20},
            {"concurrency": [1]},
            "one load of 2 prompts or conversations: 20 requests",
        ),
    ],
    ids=["requests", "or duration", "a file"],
)
def test_a_load_is_said_with_its_end(
    plan: Any, tmp_path: Path, workload: dict[str, Any], axes: dict[str, Any], said: str
) -> None:
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two"}\n')
    assert work_in_words(plan(workload=workload, axes=axes)) == said


def test_agents_at_the_same_time_are_named_and_so_is_their_solo_work(plan: Any) -> None:
    agents = [{"label": "A", "persona": "collector"}, {"label": "B", "persona": "insight"}]
    pair = {"kind": "agent-pair", "paths": ["corpus"], "agents": agents}
    said = work_in_words(plan(workload=pair, axes=None))
    assert "by 2 agents at the same time (A, B; " in said
    assert said.endswith("2 of the configurations are agents alone, to compare with")


# --- how a sweep ended --------------------------------------------------------------------------


def place(**changes: Any) -> Place:
    fields: dict[str, Any] = {
        **{"rank": 1, "config": "temperature=0.2", "agent": None, "runs": 3, "runs_complete": 3},
        **{"throughput_tok_s": Description.none(), "ttft_ms": Description.none(), "outcomes": {"ok": 6}},
    }
    return Place.model_validate(fields | changes)


def ended(**changes: Any) -> str:
    fields: dict[str, Any] = {
        **{"places": (place(),), "more_places": 0, "excluded": (), "more_reasons": 0, "more_excluded": 0},
        **{"said": ()},
    }
    stream = io.StringIO()
    show_ending(Ending.model_validate(fields | changes), Console(file=stream, width=160))
    return stream.getvalue()


def test_a_place_without_figures_has_a_dash_and_no_zero() -> None:
    (row,) = (row for row in ended(places=(place(rank=None),)).splitlines() if "temperature" in row)
    assert row.split()[0] == "–" and "3/3" in row and "6 ok" in row and " 0 " not in row


def test_agents_have_a_column_where_there_are_any() -> None:
    assert " agent " not in ended()
    text = ended(places=(place(agent="A\x1b[2J"), place(rank=2, agent=None)))
    assert " agent " in text and "\x1b" not in text


def test_what_is_left_out_is_counted() -> None:
    text = ended(
        more_places=7, excluded=(("timeout", 3),), more_reasons=2, more_excluded=5, said=("no effect found",)
    )
    assert text.splitlines()[-5:] == [
        "… and 7 more configurations in the report",
        "excluded, 3 ×: timeout",
        "… and 2 more reasons in the report",
        "… and 5 more excluded, whose reasons are in stages.jsonl alone",
        "no effect found",
    ]
