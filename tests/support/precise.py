"""Sweeps that run until precise, over a server with a steady model and a noisy one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from producer.processes import Child
from tests.support.cluster import READY_S, Cluster
from tests.support.sweeps import write_sweep

STEADY, NOISY = "ref:steady", "ref:noisy"


def start_noisy_server(
    folder: Path, *, ttft_ms: float = 20, itl_ms: float = 20, tokens: int = 12
) -> tuple[Child, str]:
    """Start the server; return it and its address.

    Frames are so far apart that a busy machine seldom reads two at once, which makes a call suspect, and answers
    so long that they are not degenerate.
    """
    log = folder / "noisy.log"
    arguments = [f"--ttft-ms={ttft_ms}", f"--itl-ms={itl_ms}", f"--tokens={tokens}"]
    child = Child("noisy", [sys.executable, "-m", "tests.support.noisy_server", *arguments], log=log)
    child.wait_until(lambda: log.read_text().startswith("http"), seconds=READY_S)
    return child, log.read_text().split()[0]


def noisy_server(cluster: Cluster, **times: Any) -> str:
    """Start the server in the cluster; return its address."""
    child, url = start_noisy_server(cluster.folder, **times)
    cluster._children.append(child)
    return url


def precise_sweep(folder: Path, *, models: Sequence[str] = (STEADY, NOISY), **runs: Any) -> Path:
    """Write a sweep over models; ``runs`` are the keys of the sweep file's ``runs``.

    Throughput is that of the server's own counters, and so depends on nothing but the call's number.
    """
    return write_sweep(folder, model=None, axes={"model": list(models)}, runs=runs)
