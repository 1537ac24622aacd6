"""Records of loads on a server that is simulated exactly: so many places, first come first served, a known time for each answer."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.configuration import Configuration, Parameters
from contracts.manifest import Manifest, OrderedJob
from contracts.records import StageRecord
from contracts.sweep import SweepSpec

MS = 10**6
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WORKLOAD: dict[str, Any] = {
    "kind": "prompts",
    "synthetic": {"input_tokens": 100, "output_tokens": 20},
    "requests": 100,
}


@dataclass(frozen=True)
class Server:
    """``places`` answers at a time: 10 ms of prefill, then a token each ``itl_ms``; 20 tokens are 210 ms with 10."""

    places: int = 4
    prefill_ms: float = 20.0
    itl_ms: float = 10.0
    tokens: int = 20

    @property
    def service_ms(self) -> float:
        return self.prefill_ms + self.itl_ms * (self.tokens - 1)

    @property
    def capacity(self) -> float:
        """Requests per second."""
        return 1e3 * self.places / self.service_ms


def load_records(
    config: str = "c",
    run: int = 1,
    *,
    concurrency: int | None = None,
    rate: float | None = None,
    requests: int = 100,
    server: Server | None = None,
    noise: float = 0.0,
    max_in_flight: int = 256,
    step: int = 1,
    poisson: bool = False,
    late_ms: float = 0.0,
    change: Any = dict,
    **columns: Any,
) -> list[StageRecord]:
    """Return the records of one load of one run: the load's own, then its requests by the time of their being due.

    Args:
        noise: sd of the run's and of each request's service time, relative.
        late_ms: how late the client sends each request.
        change: last word on each record's columns.
    """
    server = server or Server()
    drawn = random.Random(f"{config}/{run}/{step}/{rate}/{concurrency}")
    slow = 1 + noise * drawn.gauss(0, 1)
    base = run * 10**12 + step * 10**11
    times = list(
        _closed(server, concurrency, requests, slow, drawn, noise, late_ms)
        if concurrency is not None
        else _open(server, rate or 1.0, requests, slow, drawn, noise, late_ms, max_in_flight, poisson)
    )
    asked = {"asked_concurrency": concurrency, "asked_rate": rate, "step": step}
    shared: dict[str, Any] = {
        **{"config": config, "run": run, "agent": "chimera", "block": run, "slot": "s0", "pool": "default"},
        **{"model": "m:1", "host": "node-1", "attempt": 1, "boot_id": "boot"},
        "parameters": Parameters(concurrency=concurrency, rate=rate).given(),
        **asked,
        **columns,
    }
    last = max(end for *_, end in times)
    made = [
        change(
            {
                **shared,
                **{"stage": "load", "outcome": "ok", "started_ns": base, "ended_ns": base + round(last * MS)},
                **{"started_at": START + timedelta(minutes=run), "total_duration_ms": last},
            }
        )
    ]
    for number, (due, sent, first, end) in enumerate(times, 1):
        made.append(
            change(
                {
                    **shared,
                    **{"stage": "request", "request": number, "outcome": "truncated", "suspect": ()},
                    **{"due_ns": base + round(due * MS), "sent_ns": base + round(sent * MS)},
                    **{"started_ns": base + round(sent * MS), "ended_ns": base + round(end * MS)},
                    **{"started_at": START + timedelta(minutes=run, milliseconds=sent)},
                    **{"ttft_ms": first - sent, "total_duration_ms": end - sent, "load_ms": 10.0},
                    **{"tokens": server.tokens, "tokens_source": "server", "prompt_tokens": 104},
                    **{"itl_mean_ms": (end - first) / (server.tokens - 1) if server.tokens > 1 else None},
                    **{"throughput_tok_s": 1e3 / server.itl_ms, "throughput_source": "server"},
                    **{"eval_ms": end - first, "eval_tokens": server.tokens - 1, "prompt_eval_ms": 20.0},
                    **{"response_chars": 80, "finish_reason": "length"},
                }
            )
        )
    return [StageRecord.model_validate(one) for one in made if one is not None]


def configuration(name: str, **parameters: Any) -> Configuration:
    return Configuration(name=name, model="m:1", parameters=Parameters(**parameters))


def load_manifest(
    configurations: Sequence[Configuration], runs: int = 3, workload: Mapping[str, Any] | None = None
) -> Manifest:
    """Return the manifest of a sweep over these configurations."""
    spec = SweepSpec.model_validate(
        {
            **{"name": "loads", "workload": {**WORKLOAD, **(workload or {})}, "server": "ollama"},
            **{"model": "m:1", "runs": runs},
        }
    )
    order = [
        OrderedJob(job_id=f"{c.name}-{run}", configuration=c.name, run=run, block=run)
        for run in range(1, runs + 1)
        for c in configurations
    ]
    return Manifest(
        **{"sweep": "loads", "execution": "20261122T120000Z-abcdef01", "sweep_id": "abcdef0123456789"},
        **{"corpus_digest": "0" * 16, "created_at": START, "spec": spec},
        **{"configurations": tuple(configurations), "order_seed": 7, "order": tuple(order)},
        **{"versions": {"chimera": "0.1.0"}},
    )


def grid(
    levels: Iterable[float],
    *,
    over: str = "concurrency",
    runs: int = 3,
    workload: Mapping[str, Any] | None = None,
    **options: Any,
) -> tuple[list[StageRecord], Manifest]:
    """Return the records and the manifest of a sweep over loads."""
    cast = int if over == "concurrency" else float
    points = [configuration(f"{over}={level:g}", **{over: cast(level)}) for level in levels]
    records = [
        record
        for point, level in zip(points, levels, strict=True)
        for run in range(1, runs + 1)
        for record in load_records(point.name, run, **{over: cast(level), **options})
    ]
    return records, load_manifest(points, runs, workload)


_Times = Iterator[tuple[float, float, float, float]]


def _closed(
    server: Server, users: int, requests: int, slow: float, drawn: random.Random, noise: float, late: float
) -> _Times:
    free = [0.0] * users
    places = [0.0] * server.places
    for _ in range(requests):
        due = heapq.heappop(free)
        sent = due + late
        first, end = _served(server, places, sent, slow * (1 + noise * drawn.gauss(0, 1)))
        heapq.heappush(free, end)
        yield due, sent, first, end


def _open(
    server: Server,
    rate: float,
    requests: int,
    slow: float,
    drawn: random.Random,
    noise: float,
    late: float,
    limit: int,
    poisson: bool,
) -> _Times:
    places = [0.0] * server.places
    under_way: list[float] = []
    due = 0.0
    for _ in range(requests):
        sent = due + late
        if len(under_way) >= limit:
            sent = max(sent, heapq.heappop(under_way))
        first, end = _served(server, places, sent, slow * (1 + noise * drawn.gauss(0, 1)))
        heapq.heappush(under_way, end)
        while under_way and under_way[0] <= due:
            heapq.heappop(under_way)
        yield due, sent, first, end
        due += drawn.expovariate(rate) * 1e3 if poisson else 1e3 / rate


def _served(server: Server, places: list[float], sent: float, slow: float) -> tuple[float, float]:
    begin = max(sent, heapq.heappop(places))
    first = begin + server.prefill_ms * slow
    end = first + server.itl_ms * slow * (server.tokens - 1)
    heapq.heappush(places, end)
    return first, end
