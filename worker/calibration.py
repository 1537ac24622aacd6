"""How exact is Chimera's client on this machine? Measured against a server that knows when it sent.

The reference server (:mod:`benchmarks.reference_server`) runs in a process of its own, keeps an
absolute schedule and logs when it really sent each frame; both processes read the same clock. So every
error here is the client's (and the kernel's between the two).
"""

from __future__ import annotations

import asyncio
import json
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import httpx
import numpy as np

from contracts.call import CallResult, Outcome
from contracts.configuration import Parameters
from contracts.failures import SetupError
from contracts.floor import MeasurementFloor
from contracts.formulas import NS_PER_MS
from contracts.sweep import ServerSpec
from worker.measurement.clock import now_ns
from worker.measurement.loop import WatchedLoop
from worker.servers import CallRequest, open_server
from worker.telemetry.host import boot_id, host_identity
from worker.telemetry.sampler import TelemetrySampler

TTFT_MS, ITL_MS, TOKENS = 25.0, 5.0, 40
CALLS = 40
WARM_CALLS = 3
"""First calls, whose code is not warm yet; a job's warm-up calls are so, too."""
BUDGET_S = 12.0
"""No further call after this time; the whole takes less than 20 s."""
CALL_TIMEOUT_S = 5.0
START_S = 10.0
STOP_S = 5.0
RESOLUTION_READINGS = 10_000


@dataclass(frozen=True)
class Errors:
    """Client minus server, of one call."""

    ttft_ms: float
    itl_percent: float
    gaps_ms: tuple[float, ...]
    server_late_ms: float


def calibrate(slot: str | None, calls: int = CALLS, budget_s: float = BUDGET_S) -> MeasurementFloor:
    """Measure the floor of this process's machine, one call at a time, with telemetry on as in a job.

    Raises:
        SetupError: the reference server does not run, or too few calls came to a good end.
    """
    begin_s = time.monotonic()
    with _reference_server() as url, TelemetrySampler():
        with asyncio.Runner(loop_factory=WatchedLoop) as runner:
            results = runner.run(_measure(url, calls, begin_s + budget_s))
        log = httpx.get(f"{url}/log", trust_env=False, timeout=10).json()["requests"]
    measured = [
        (result, errors)
        for result, entry in list(zip(results, log, strict=False))[WARM_CALLS:]
        if (errors := errors_of(result, entry)) is not None
    ]
    if len(measured) < 2:
        reasons = {result.reason for result in results if result.reason}
        raise SetupError(
            f"the calibration came to no figures: {'; '.join(sorted(reasons)) or 'too little time'}"
        )
    return _floor(slot, measured, time.monotonic() - begin_s)


def errors_of(result: CallResult, entry: dict[str, Any]) -> Errors | None:
    """Return the errors of a call against its entry in the server's log; ``None`` where they don't fit."""
    frames = [(due, sent) for due, sent, _, _, kind in entry["frames"] if kind == "text"]
    sent = [at for _, at in frames]
    seen = result.timing.text_ns
    if result.outcome is not Outcome.OK or len(seen) != len(sent) or len(seen) < 2:
        return None
    server_ttft_ns = sent[0] - entry["begin_ns"]
    client_ttft_ns = seen[0] - result.timing.sent_ns
    return Errors(
        ttft_ms=(client_ttft_ns - server_ttft_ns) / NS_PER_MS,
        itl_percent=100 * ((seen[-1] - seen[0]) / (sent[-1] - sent[0]) - 1),
        gaps_ms=tuple(
            ((b - a) - (d - c)) / NS_PER_MS
            for (a, b), (c, d) in zip(pairwise(seen), pairwise(sent), strict=True)
        ),
        server_late_ms=max(at - due for due, at in frames) / NS_PER_MS,
    )


def timer_resolution_ns() -> int | None:
    """Return the smallest step between two readings of the clock that differ; ``None``: none did."""
    readings = [now_ns() for _ in range(RESOLUTION_READINGS)]
    return min((b - a for a, b in pairwise(readings) if b > a), default=None)


async def _measure(url: str, calls: int, until_s: float) -> list[CallResult]:
    server = open_server(ServerSpec(kind="openai", api="completions"), url)
    recordings = []
    try:
        await server.models()
        for number in range(WARM_CALLS + calls):
            if time.monotonic() >= until_s:
                break
            request = CallRequest("ref", f"calibration call {number}", None, Parameters(), None)
            recordings.append(await server.record(request, CALL_TIMEOUT_S))
    finally:
        await server.aclose()
    return [read() for read in recordings]


def _floor(
    slot: str | None, measured: list[tuple[CallResult, Errors]], duration_s: float
) -> MeasurementFloor:
    errors = [error for _, error in measured]
    ttft = np.array([error.ttft_ms for error in errors])
    itl = np.array([error.itl_percent for error in errors])
    gaps = np.array([gap for error in errors for gap in error.gaps_ms])
    host = host_identity(gpu_indices=[])
    clocks = {result.timing.clock for result, _ in measured}
    return MeasurementFloor(
        slot=slot,
        host=host.host,
        boot_id=boot_id(),
        measured_at=datetime.now(UTC),
        duration_s=duration_s,
        chimera=host.chimera,
        python=platform.python_version(),
        clock="kernel" if clocks == {"kernel"} else "user",
        concurrency=1,
        calls=len(errors),
        timer_resolution_ns=timer_resolution_ns(),
        ttft_error_median_ms=float(np.median(ttft)),
        ttft_error_p99_ms=_p99(ttft),
        ttft_error_max_ms=float(np.abs(ttft).max()),
        itl_error_median_percent=float(np.median(itl)),
        itl_error_p99_percent=_p99(itl),
        itl_error_max_percent=float(np.abs(itl).max()),
        gap_error_p99_ms=_p99(gaps),
        suspect_calls=sum(bool(result.diagnosis and result.diagnosis.suspect) for result, _ in measured),
        server_late_p99_ms=_p99(np.array([error.server_late_ms for error in errors])),
    )


def _p99(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Return the 99th percentile of the absolute values: the smallest that 99 % do not exceed."""
    return float(np.percentile(np.abs(values), 99, method="inverted_cdf"))


@contextmanager
def _reference_server() -> Iterator[str]:
    # -P: a folder named "benchmarks" where the worker was started must not stand before ours.
    command = [sys.executable, "-P", "-m", "benchmarks.reference_server", "--ttft-ms", str(TTFT_MS)]
    command += ["--itl-ms", str(ITL_MS), "--tokens", str(TOKENS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        watchdog = threading.Timer(START_S, process.kill)
        watchdog.start()
        try:
            url = process.stdout.readline().strip()
        finally:
            watchdog.cancel()
        if not url.startswith("http://"):
            raise SetupError("the reference server for the calibration does not start")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    """``python -m worker.calibration``: print the floor of this machine as JSON."""
    print(json.dumps(calibrate(None).model_dump(mode="json")))


if __name__ == "__main__":
    main()
