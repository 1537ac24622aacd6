"""Live progress: a bar on a terminal, plain lines in a pipe."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from analysis.eta import Eta
from analysis.rendering.plain import one_line, visible
from contracts.store import Progress
from producer.watch_eta import in_words

LINE_EVERY_S = 10.0
CHANGE_EVERY_S = 1.0
"""In a pipe: so often where nothing changed, and where something did."""
SELDOMER = 60
"""There no line comes sooner than this part of the time that the sweep has run: a log of hours has no line a second."""
MOST_SELDOM_S = 60.0
"""Nor later than so: CI ends what is silent."""
MOST_JOBS = 8
"""Running jobs that are named."""


def say_line(console: Console, line: str) -> None:
    """Print one line as it is: no markup, and not broken where the output is no terminal.

    Names and reasons come from elsewhere: control characters are shown, not obeyed.
    """
    console.print(visible(line), markup=False, highlight=False, soft_wrap=True)


class Estimates(Protocol):
    """What tells the time left: :class:`producer.watch_eta.Estimator`."""

    def left(self, progress: Progress) -> Eta | None:
        """Return the time left, ``None`` where it can't be told."""


class ProgressView:
    """Shows jobs done / running / failed, below that the time left with its interval and the current jobs.

    Args:
        console: A terminal that is watched (``is_interactive``) gets a bar, all else plain lines.
        total: Jobs that are known.
        done_before: Of them, those that had an outcome already.
        grows: Further blocks may be decided on.
        estimates: Tells the time left; ``None``: none is shown.
    """

    def __init__(
        self,
        console: Console,
        total: int,
        done_before: int,
        *,
        grows: bool = False,
        estimates: Estimates | None = None,
    ) -> None:
        self._console = console
        self._total = total
        self._after_the_last = (
            "waiting for the decision on more runs" if grows else "waiting for the summary and the report"
        )
        self._grows = grows
        self._estimates = estimates
        self._printed: tuple[int, int] | None = None
        self._began = time.monotonic()
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
        if self._console.is_interactive:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_interactive:
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
        counts = f"{len(progress.running)} running · {progress.failed} failed"
        if self._console.is_interactive:
            self._bar.update(self._task, completed=progress.done, counts=counts)
            self._current.plain = " · ".join(filter(None, (self._left(progress), self._jobs(progress))))
            return
        now = time.monotonic()
        if self._is_due(progress, now - self._printed_at, now - self._began):
            self._printed, self._printed_at = (progress.done, progress.failed), now
            parts = [
                f"jobs {progress.done}/{self._total}",
                counts,
                self._left(progress),
                self._jobs(progress),
            ]
            self.say(" · ".join(part for part in parts if part))

    def _is_due(self, progress: Progress, waited_s: float, ran_s: float) -> bool:
        seldom_s = min(ran_s / SELDOMER, MOST_SELDOM_S)
        if (progress.done, progress.failed) == self._printed:
            return waited_s > max(LINE_EVERY_S, seldom_s)
        # Of short jobs not each gets a line: nobody reads 10,000. The last one does, and so does the end.
        last = progress.done >= self._total or progress.status != "running"
        return last or self._printed is None or waited_s > max(CHANGE_EVERY_S, seldom_s)

    def _left(self, progress: Progress) -> str:
        if self._estimates is None or progress.done >= self._total:
            return ""
        left = self._estimates.left(progress)
        if left is None:
            return ""
        return in_words(left) + (" for the blocks decided so far" if self._grows else "")

    def _jobs(self, progress: Progress) -> str:
        if progress.done >= self._total:
            return self._after_the_last
        lines = list(progress.running.values())
        named = ", ".join(one_line(f"{line['title']} on {line['slot']}") for line in lines[:MOST_JOBS])
        return named if len(lines) <= MOST_JOBS else f"{named} and {len(lines) - MOST_JOBS} more"
