"""Child processes of the one-machine default: started, watched, started again, stopped with all below."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from contracts.failures import SetupError
from contracts.processes import die_with_parent

MAX_RESTARTS = 3
STOP_S = 5.0


class Child:
    """One child process in a process group of its own, so that Ctrl-C reaches the producer only.

    It dies with the producer, even on kill -9. Start it from the main thread: the kernel ties it to
    the thread that started it.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        standard_input: str = "",
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = {**os.environ, **(environment or {})}
        self._input = standard_input
        self._restarts = 0
        self._process = self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status; ``None`` while it runs."""
        return self._process.poll()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until ``ready()``.

        Raises:
            SetupError: the process ended, or the time is over; names the log and its last line.
        """
        until = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > until:
                raise SetupError(
                    f"{self.name} was not ready after {seconds:g} s: {self.last_words()} (log: {self.log})"
                )
            time.sleep(0.02)

    def wait(self, seconds: float) -> None:
        """Wait until the process has ended; ``subprocess.TimeoutExpired`` after that time."""
        self._process.wait(seconds)

    def check(self) -> None:
        """Raise :class:`SetupError`, with the log's last line, where the process has ended."""
        if not self.alive:
            raise SetupError(f"{self.name} ended at once: {self.last_words()} (log: {self.log})")

    def revive(self) -> bool:
        """Start the process again if it has died; return whether it had.

        Raises:
            SetupError: it has died too often.
        """
        if self.alive:
            return False
        if self._restarts >= MAX_RESTARTS:
            raise SetupError(
                f"{self.name} died {MAX_RESTARTS + 1} times: {self.last_words()} (log: {self.log})"
            )
        self._restarts += 1
        self._kill_group()
        self._process = self._start()
        return True

    def stop(self, how: signal.Signals, *, seconds: float = STOP_S) -> None:
        """Ask the process to end, then end its whole group."""
        if self.alive:
            self._process.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self.stop_now()

    def stop_now(self) -> None:
        """End the process and its group without asking."""
        self._kill_group()
        self._process.wait()

    def last_words(self) -> str:
        """Return the last non-empty line of the log."""
        try:
            lines = [x.strip() for x in self.log.read_text(errors="replace").splitlines() if x.strip()]
        except OSError:
            lines = []
        return lines[-1].removeprefix("chimera: ") if lines else "it said nothing"

    def _start(self) -> subprocess.Popen[str]:
        parent = os.getpid()
        with self.log.open("a") as output:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                text=True,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(parent),
            )
        assert process.stdin is not None
        try:
            process.stdin.write(self._input)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it ended already; wait_until tells why
        return process

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
