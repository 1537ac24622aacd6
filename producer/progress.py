"""Live progress: a bar on a terminal, plain lines in a pipe."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from contracts.store import Progress

LINE_EVERY_S = 10.0


def say_line(console: Console, line: str) -> None:
    """Print one line as it is: no markup, and not broken where the output is no terminal."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


class ProgressView:
    """Shows jobs done / running / failed, an ETA, and below that the current jobs."""

    def __init__(self, console: Console, total: int, done_before: int, *, grows: bool = False) -> None:
        self._console = console
        self._total = total
        self._after_the_last = (
            "waiting for the decision on more runs" if grows else "waiting for the summary and the report"
        )
        self._done_before = done_before
        self._last_done = done_before
        self._began = self._last_done_at = time.monotonic()
        self._printed: tuple[int, int] | None = None
        self._printed_at = 0.0
        # No markup: names of models and sweeps may hold brackets.
        self._bar = Bar(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}", markup=False),
            TimeElapsedColumn(),
        )
        self._task = self._bar.add_task("jobs", total=total, completed=done_before, counts="")
        self._current = Text(overflow="ellipsis", no_wrap=True, style="dim")
        self._live = Live(Group(self._bar, self._current), console=console, refresh_per_second=8)

    def __enter__(self) -> ProgressView:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._current.plain = ""
            self._live.stop()

    def say(self, line: str) -> None:
        """Print one line above the bar."""
        say_line(self._console, line)

    def extend(self, jobs: int) -> None:
        """Count so many jobs more: another block was decided on."""
        self._total += jobs
        self._bar.update(self._task, total=self._total)

    def show(self, progress: Progress) -> None:
        counts = self._counts(progress)
        if self._console.is_terminal:
            self._bar.update(self._task, completed=progress.done, counts=counts)
            self._current.plain = self._jobs(progress)
            return
        done = (progress.done, progress.failed)
        now = time.monotonic()
        if done != self._printed or now - self._printed_at > LINE_EVERY_S:
            self._printed, self._printed_at = done, now
            parts = [f"jobs {progress.done}/{self._total}", counts, self._jobs(progress)]
            self.say(" · ".join(part for part in parts if part))

    def _counts(self, progress: Progress) -> str:
        parts = [f"{len(progress.running)} running", f"{progress.failed} failed"]
        eta = self._eta_s(progress)
        return " · ".join(parts if eta is None else [*parts, f"ETA {_clock(eta)}"])

    def _jobs(self, progress: Progress) -> str:
        if progress.done >= self._total:
            return self._after_the_last
        return ", ".join(f"{line['title']} on {line['slot']}" for line in progress.running.values())

    def _eta_s(self, progress: Progress) -> float | None:
        """Seconds left at the rate of the jobs done since the start; ``None`` before the first, and after the last."""
        now = time.monotonic()
        if progress.done != self._last_done:
            self._last_done, self._last_done_at = progress.done, now
        done = progress.done - self._done_before
        if done <= 0 or progress.done >= self._total:
            return None
        left = (self._last_done_at - self._began) / done * (self._total - progress.done)
        return max(0.0, left - (now - self._last_done_at))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
