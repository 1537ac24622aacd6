"""Live progress: a bar on a terminal, plain lines in a pipe."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from contracts.store import Progress

LINE_EVERY_S = 10.0


def say_line(console: Console, line: str) -> None:
    """Print one line as it is: no markup, and not broken where the output is no terminal."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


class ProgressView:
    """Shows jobs done / running / failed, the current jobs and an ETA."""

    def __init__(self, console: Console, total: int, done_before: int) -> None:
        self._console = console
        self._total = total
        self._done_before = done_before
        self._began = time.monotonic()
        self._printed: tuple[int, int] | None = None
        self._printed_at = 0.0
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
            transient=False,
        )
        self._task = self._bar.add_task("jobs", total=total, completed=done_before, detail="")

    def __enter__(self) -> ProgressView:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Print one line above the bar."""
        say_line(self._bar.console, line)

    def show(self, progress: Progress) -> None:
        detail = self._detail(progress)
        if self._console.is_terminal:
            self._bar.update(self._task, completed=progress.done, detail=detail)
            return
        counts = (progress.done, progress.failed)
        now = time.monotonic()
        if counts != self._printed or now - self._printed_at > LINE_EVERY_S:
            self._printed, self._printed_at = counts, now
            self.say(f"jobs {progress.done}/{self._total} · {detail}")

    def _detail(self, progress: Progress) -> str:
        current = ", ".join(f"{line['title']} on {line['slot']}" for line in progress.running.values())
        parts = [f"{len(progress.running)} running", f"{progress.failed} failed"]
        eta = self._eta_s(progress)
        if progress.done >= self._total:
            current = "waiting for the summary and the report"
        elif eta is not None:
            parts.append(f"ETA {_clock(eta)}")
        return " · ".join([*parts, current] if current else parts)

    def _eta_s(self, progress: Progress) -> float | None:
        """Seconds left at the rate of the jobs done since the start; ``None`` before the first."""
        done = progress.done - self._done_before
        if done <= 0:
            return None
        return (time.monotonic() - self._began) / done * (self._total - progress.done)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
