"""What Chimera's client is to reach, against what it reached. Nothing here fails a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.fidelity.summary import Row
from benchmarks.fidelity.workload import REQUESTS_PER_STREAM

CONCURRENCY = 32
WITHIN_MS = 1.0
ITL_PERCENT = 1.0
CPU_S = 5.0
PEAK_MB = 150.0


@dataclass(frozen=True)
class Check:
    """One target."""

    target: str
    reached: bool | None
    """``None``: what it needs was not measured."""
    figures: str

    def __str__(self) -> str:
        verdict = {True: "reached", False: "NOT reached", None: "not checked"}[self.reached]
        return f"{self.target}: {verdict} ({self.figures})"


def checks(rows: Sequence[Row], peers: Sequence[str], subject: str = "chimera") -> list[Check]:
    """Return the targets with their figures, from the rows of concurrency 32."""
    here = {r.contestant: r for r in rows if r.concurrency == CONCURRENCY and r.problem is None}
    ours = here.get(subject)
    if ours is None:
        return [Check(f"targets at c = {CONCURRENCY}", None, f"{subject} was not measured at it")]
    others = [here[name] for name in peers if name in here]
    return [
        _whole(ours),
        _median_of_peer(ours, here.get("inference-perf")),
        _near_floor(ours, here.get("minimal")),
        _tail(ours, others, absent=[name for name in peers if name not in here]),
        _itl(ours),
        _below("CPU time", ours, ours.cpu_s, CPU_S, "s"),
        _below("peak memory", ours, ours.peak_mb, PEAK_MB, "MB"),
    ]


def _whole(ours: Row) -> Check:
    figures = f"{ours.matched} of {ours.requests}"
    return Check("every request measured", ours.matched == ours.requests, figures)


def _median_of_peer(ours: Row, peer: Row | None) -> Check:
    target = "median TTFT error no more than inference-perf's"
    if ours.ttft_error_ms is None or peer is None or peer.ttft_error_ms is None:
        return Check(target, None, "inference-perf was not measured")
    mine, its = ours.ttft_error_ms.median, peer.ttft_error_ms.median
    return Check(target, abs(mine) <= abs(its), f"{mine:+.2f} ms, inference-perf {its:+.2f} ms")


def _near_floor(ours: Row, floor: Row | None) -> Check:
    target = f"median TTFT error within {WITHIN_MS:g} ms of the minimal client's"
    if ours.ttft_error_ms is None or floor is None or floor.ttft_error_ms is None:
        return Check(target, None, "the minimal client was not measured")
    mine, its = ours.ttft_error_ms.median, floor.ttft_error_ms.median
    return Check(target, abs(mine - its) <= WITHIN_MS, f"{mine:+.2f} ms, minimal {its:+.2f} ms")


def _tail(ours: Row, others: Sequence[Row], absent: Sequence[str]) -> Check:
    target = "p99 TTFT error below every peer's"
    known = [(row.contestant, row.ttft_error_ms.p99) for row in others if row.ttft_error_ms is not None]
    if ours.ttft_error_ms is None or not known:
        return Check(target, None, "no peer was measured")
    figures = [f"{ours.ttft_error_ms.p99:.2f} ms", *(f"{name} {p99:.2f} ms" for name, p99 in known)]
    figures += [f"{name} not measured" for name in absent]
    reached = all(ours.ttft_error_ms.p99 < p99 for _, p99 in known)
    return Check(target, reached if not absent or not reached else None, ", ".join(figures))


def _itl(ours: Row) -> Check:
    target = f"ITL error at most {ITL_PERCENT:g} % for 99 % of the requests"
    if ours.itl_error_percent is None:
        return Check(target, None, "no ITL was reported")
    found = ours.itl_error_percent
    figures = f"p99 {found.p99:.2f} %, median {found.median:+.3f} %, worst {found.worst:.2f} %"
    return Check(target, found.p99 <= ITL_PERCENT, figures)


def _below(what: str, ours: Row, value: float | None, limit: float, unit: str) -> Check:
    asked = REQUESTS_PER_STREAM * CONCURRENCY
    target = f"{what} at most {limit:g} {unit} for {asked} requests"
    if value is None:
        return Check(target, None, "not measured")
    if ours.requests != ours.runs * asked:
        return Check(target, None, f"{value:.1f} {unit} for {ours.requests // ours.runs} requests")
    return Check(target, value <= limit, f"{value:.1f} {unit}")
