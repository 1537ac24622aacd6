"""The command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fidelity.contestants import (
    CHIMERA,
    CHIMERA_TELEMETRY,
    HTTPX_PLAIN,
    MINIMAL,
    AIPerf,
    Contestant,
    GuideLLM,
    InferencePerf,
)
from benchmarks.fidelity.workload import REQUESTS_PER_STREAM

PROGRAM = """TTFT and ITL error of streaming clients against the reference server's own log, with CPU time and
memory: Chimera's client, a minimal one, plain httpx and, where installed, inference-perf, guidellm, aiperf."""
PEERS = ("inference-perf", "guidellm", "aiperf")


@dataclass(frozen=True)
class Options:
    """What is to be run."""

    contestants: tuple[Contestant, ...]
    concurrency: tuple[int, ...]
    repeats: dict[int, int]
    """By concurrency."""
    per_stream: int
    seed: int
    pin: bool
    json: Path | None


def read_options(words: Sequence[str] | None = None) -> Options:
    """Read the command line; a wrong one ends the program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fidelity", description=PROGRAM)
    parser.add_argument("--quick", action="store_true", help="c = 1 and 8, once, without peers: 2 minutes")
    parser.add_argument("--contestants", help="names, with commas between; all if left out")
    parser.add_argument("--concurrency", help="with commas between (1,8,32,128)")
    parser.add_argument("--repeats", help="for all, or N,C=N,… (1,32=3)")
    parser.add_argument("--telemetry", action="store_true", help="chimera+telemetry takes part too")
    parser.add_argument("--pin", action="store_true", help="server on the first CPU, client on the others")
    parser.add_argument(
        "--per-stream", type=int, default=REQUESTS_PER_STREAM, help="requests per stream (20)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order of the clients in each round")
    parser.add_argument("--json", type=Path, help="write everything there")
    for name in PEERS:
        parser.add_argument(f"--{name}", type=Path, metavar="PATH", help=f"{name}'s executable")
    given = parser.parse_args(words)
    peers = (InferencePerf(given.inference_perf), GuideLLM(given.guidellm), AIPerf(given.aiperf))
    usual: list[Contestant] = [CHIMERA, MINIMAL, HTTPX_PLAIN, *(() if given.quick else peers)]
    if given.telemetry:
        usual.append(CHIMERA_TELEMETRY)
    known: dict[str, Contestant] = {c.name: c for c in (*usual, *peers, CHIMERA_TELEMETRY)}
    names = given.contestants.split(",") if given.contestants else [c.name for c in usual]
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"no such client: {', '.join(unknown)}; there are {', '.join(known)}")
    try:
        concurrency = _numbers(given.concurrency or ("1,8" if given.quick else "1,8,32,128"))
        repeats = repeats_of(given.repeats or ("1" if given.quick else "1,32=3"), concurrency)
    except ValueError as error:
        parser.error(str(error))
    if given.per_stream < 1:
        parser.error("--per-stream is 1 at least")
    return Options(
        contestants=tuple(known[name] for name in dict.fromkeys(names)),
        concurrency=concurrency,
        repeats=repeats,
        per_stream=given.per_stream,
        seed=given.seed,
        pin=given.pin,
        json=given.json,
    )


def repeats_of(text: str, concurrency: Sequence[int]) -> dict[int, int]:
    """Read ``N`` or ``N,C=N,…``: repeats of every concurrency, and of single ones. Raises ValueError."""
    everywhere, own = 1, {}
    for part in text.split(","):
        left, equals, right = part.partition("=")
        if equals:
            own[_positive(left)] = _positive(right)
        else:
            everywhere = _positive(part)
    return {c: own.get(c, everywhere) for c in concurrency}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_positive(part) for part in text.split(",")))


def _positive(text: str) -> int:
    if not text.strip().isdigit() or int(text) < 1:
        raise ValueError(f"{text!r} is not a whole number from 1 on")
    return int(text)
