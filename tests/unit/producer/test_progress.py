"""The live view on a terminal and in a pipe."""

from __future__ import annotations

import io

from rich.console import Console

from contracts.store import Progress
from producer.progress import ProgressView

RUNNING = {
    "j1": {"title": "s / model=hf.co/x[q4] [/b] / run 1", "slot": "g0", "attempt": 1},
    "j2": {"title": "s / model=hf.co/x[q4] [/b] / run 2", "slot": "g1", "attempt": 1},
}


def shown(*, terminal: bool, progress: Progress) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=80, color_system=None)
    with ProgressView(console, total=6, done_before=0) as view:
        view.show(progress)
    return stream.getvalue()


def test_a_terminal_shows_counts_and_jobs_as_they_are_named() -> None:
    text = shown(terminal=True, progress=Progress(2, 1, RUNNING, 0, "running"))
    assert "2/6" in text and "2 running · 1 failed" in text


def test_a_pipe_gets_one_line_a_change() -> None:
    text = shown(terminal=False, progress=Progress(2, 1, RUNNING, 0, "running"))
    first, *rest = text.splitlines()
    assert first.startswith("jobs 2/6 · 2 running · 1 failed · ")
    assert "s / model=hf.co/x[q4] [/b] / run 1 on g0, s / model=" in first
    assert rest == []


def test_after_the_last_job_the_report_is_waited_for() -> None:
    text = shown(terminal=False, progress=Progress(6, 0, {}, 1, "running"))
    assert "waiting for the summary and the report" in text and "ETA" not in text
