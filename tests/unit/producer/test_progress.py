"""The live view on a terminal and in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from analysis.eta import Eta
from contracts.store import Progress
from producer import progress as module
from producer.progress import MOST_JOBS, Estimates, ProgressView, say_line

RUNNING = {
    "j1": {"title": "s / model=hf.co/x[q4] [/b] / run 1", "slot": "g0", "attempt": 1},
    "j2": {"title": "s / model=hf.co/x[q4] [/b] / run 2", "slot": "g1", "attempt": 1},
}


class Told:
    """Always says the same."""

    def left(self, progress: Progress) -> Eta | None:
        return Eta(seconds=200, low=170, high=250, jobs_left=4)


def shown(
    *looks: Progress, terminal: bool, estimates: Estimates | None = None, width: int = 80, grows: bool = False
) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=terminal, force_interactive=terminal, width=width, color_system=None
    )
    with ProgressView(console, total=6, done_before=0, estimates=estimates, grows=grows) as view:
        for look in looks:
            view.show(look)
        view._live.refresh()  # now, and not when its thread gets round to it
    return stream.getvalue()


def test_a_terminal_shows_counts_and_jobs_as_they_are_named() -> None:
    text = shown(Progress(2, 1, RUNNING, 0, "running"), terminal=True)
    assert "2/6" in text and "2 running · 1 failed" in text


def test_the_time_left_comes_with_its_interval() -> None:
    look = Progress(2, 1, RUNNING, 0, "running")
    for terminal in (True, False):
        assert "ETA 3:20 (2:50 … 4:10) · " in shown(look, terminal=terminal, estimates=Told(), width=120)
    assert "ETA" not in shown(look, terminal=False)
    decided = shown(look, terminal=False, estimates=Told(), grows=True)
    assert "4:10) for the blocks decided so far · " in decided


def test_a_pipe_gets_one_line_a_change() -> None:
    text = shown(Progress(2, 1, RUNNING, 0, "running"), terminal=False)
    first, *rest = text.splitlines()
    assert first.startswith("jobs 2/6 · 2 running · 1 failed · ")
    assert "s / model=hf.co/x[q4] [/b] / run 1 on g0, s / model=" in first
    assert rest == []


def test_many_changes_at_once_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [Progress(done, 0, {}, 0, "running") for done in (0, 1, 2, 3, 6, 6)]
    first, last = shown(*looks, terminal=False).splitlines()
    assert first.startswith("jobs 0/6") and last.startswith("jobs 6/6")
    monkeypatch.setattr(module, "CHANGE_EVERY_S", -1.0)
    monkeypatch.setattr(module, "MOST_SELDOM_S", -1.0)
    assert len(shown(*looks, terminal=False).splitlines()) == 5


def test_the_end_is_told_at_once() -> None:
    looks = [Progress(0, 0, {}, 0, "running"), Progress(2, 0, {}, 0, "cancelled")]
    assert len(shown(*looks, terminal=False).splitlines()) == 2


def test_after_the_last_job_the_report_is_waited_for() -> None:
    text = shown(Progress(6, 0, {}, 1, "running"), terminal=False, estimates=Told())
    assert "waiting for the summary and the report" in text and "ETA" not in text


def test_many_running_jobs_are_named_in_part() -> None:
    running = {f"j{n}": {"title": f"s / c / run {n}", "slot": f"g{n}"} for n in range(100)}
    text = shown(Progress(2, 0, running, 0, "running"), terminal=False)
    assert text.count(" on g") == MOST_JOBS and f"and {100 - MOST_JOBS} more" in text


def test_no_control_character_of_a_name_reaches_the_terminal() -> None:
    hostile = "s / \x1b]0;owned\x07\x1b[2J\u202e / run 1"
    running = {"j": {"title": hostile, "slot": "g0\x9b31m"}}
    stream = io.StringIO()
    say_line(Console(file=stream, width=200), hostile)
    text = shown(Progress(0, 0, running, 0, "running"), terminal=False) + stream.getvalue()
    assert "␛]0;owned" in text
    assert not [c for c in text if c != "\n" and (not c.isprintable() or c in "\x9b\u202e")]
