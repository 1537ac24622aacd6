"""``python -m worker.probe URL``: exit code 0 where the URL answers 200, else 1 and why.

For health checks of containers without curl. It starts a Python process each time, so it imports next to nothing; where
the orchestrator can ask by HTTP itself, as Kubernetes can, let it.
"""

from __future__ import annotations

import socket
import sys

SCHEME = "http://"
ANSWER_S = 3.0


def main(arguments: list[str]) -> str | None:
    """Return why the check failed; ``None``: it did not."""
    if len(arguments) != 1 or not arguments[0].startswith(SCHEME):
        return "usage: python -m worker.probe http://127.0.0.1:9101/livez"
    where, _, path = arguments[0].removeprefix(SCHEME).partition("/")
    host, _, port = where.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_S) as connection:
            connection.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
            with connection.makefile("rb") as answer:
                head, _, said = answer.read().partition(b"\r\n\r\n")
    except (OSError, ValueError) as error:
        return f"no answer from {arguments[0]}: {error}"
    _, _, status = head.decode(errors="replace").partition("\r\n")[0].partition(" ")
    return None if status.startswith("200") else f"{status}: {said.decode(errors='replace').strip()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
