"""``chimera`` without the second that Python takes to import it: a process that has done so forks for each command.

``python -m tests.support.preloaded SOCKET`` serves; ``client(SOCKET)`` is the text of a program that asks it, with arguments,
folder, environment and standard streams of its own, and ends with the command's exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import traceback
from typing import NoReturn

MODULES = (
    *(
        "producer.cli.program",
        "producer.execution",
        "producer.plan",
        "producer.estimate",
        "producer.inert",
        "producer.tables",
    ),
    *(
        "producer.report",
        "producer.compare",
        "producer.export",
        "producer.ground",
        "producer.status",
        "producer.doctor",
    ),
    *("producer.control", "producer.embedded", "analysis.offline", "analysis.rendering", "analysis.export"),
)
_MOST = 1 << 20

_CLIENT = """
import json, os, signal, socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect({path!r})
socket.send_fds(asked, [b"."], [0, 1, 2])
asked.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
asked.shutdown(socket.SHUT_WR)
answer = asked.makefile()
pid = int(answer.readline())
for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(one, lambda number, _: os.kill(pid, number))
sys.exit(int(answer.readline() or 1))
"""


def client(path: str) -> str:
    """Return the program that asks the server at ``path``."""
    return _CLIENT.format(path=path)


def serve(path: str) -> NoReturn:
    """Serve until the process is ended."""
    for name in MODULES:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    print("ready", flush=True)
    while True:
        asked, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _carry_out(asked)
        asked.close()


def _carry_out(asked: socket.socket) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _, streams, _, _ = socket.recv_fds(asked, 1, 3)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    arguments, folder, environment = json.loads(asked.makefile().read(_MOST))
    asked.sendall(f"{os.getpid()}\n".encode())
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["chimera", *arguments]
    code = 1
    try:
        from producer.cli.program import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        asked.sendall(f"{code}\n".encode())
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
