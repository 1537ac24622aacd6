"""Runs a command in a process group of its own and ends all of it when standard input closes.

python tests/support/keeper.py COMMAND…

So the command and its children never outlive the test that started them, not even on kill -9. Prints the
command's process id; ends by itself when the command does. Standard library only: it starts at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys

STOP_S = 10.0
POLL_S = 0.1


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    command = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
    )
    print(command.pid, flush=True)
    try:
        while command.poll() is None:
            if select.select([sys.stdin], [], [], POLL_S)[0] and not sys.stdin.read(1):
                break
    finally:
        command.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.wait(STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)
        command.wait()


if __name__ == "__main__":
    main()
