"""The rows as a table in GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.fidelity.errors import Spread
from benchmarks.fidelity.summary import LATE_MS, Row

_HEADER = (
    "client",
    "TTFT error p50, ms",
    "p99",
    "worst",
    "p50 / minimal's",
    "ITL error p50, %",
    "p99",
    "worst",
    "gap error p99, ms",
    "CPU, s",
    "peak, MB",
    "start-up, s",
    "wall, s",
    "in flight",
    "server late p99, ms",
    "requests",
    "matched by",
)
_NONE = "–"


def table(rows: Sequence[Row], reference: str) -> str:
    """Return the table of one concurrency; ``reference`` names the client of the ratios."""
    base = next((r.ttft_error_ms for r in rows if r.contestant == reference), None)
    lines = [_line(_HEADER), _line(["---"] + ["---:"] * (len(_HEADER) - 2) + ["---"])]
    lines += [_line(_cells(row, base)) for row in rows]
    if any(row.server_was_late for row in rows):
        lines.append(
            f"\n\\* The server sent more than 1 % of its frames over {LATE_MS:g} ms late. Its real send times are in "
            "the errors; but a CPU that is short for the server is short for the client too."
        )
    return "\n".join(lines)


def ratio(row: Row, base: Spread | None) -> float | None:
    """Return the median TTFT error over that of the reference."""
    return (
        None
        if row.ttft_error_ms is None or base is None or not base.median
        else row.ttft_error_ms.median / base.median
    )


def _cells(row: Row, base: Spread | None) -> list[str]:
    if row.problem is not None:
        return [row.contestant, row.problem.replace("|", "/"), *[""] * (len(_HEADER) - 2)]
    late = _number(row.server_late_ms, 1) + (r" \*" if row.server_was_late else "")
    return [
        row.contestant,
        *_spread(row.ttft_error_ms, 2),
        _number(ratio(row, base), 1),
        *_spread(row.itl_error_percent, 2),
        _NONE if row.gap_error_ms is None else f"{row.gap_error_ms.p99:.2f}",
        _number(row.cpu_s, 1),
        _number(row.peak_mb, 0),
        _number(row.startup_s, 1),
        _number(row.wall_s, 1),
        _number(row.in_flight, 1),
        late,
        f"{row.matched}/{row.requests}",
        row.matched_by or _NONE,
    ]


def _spread(values: Spread | None, digits: int) -> list[str]:
    if values is None:
        return [_NONE] * 3
    return [f"{values.median:+.{digits}f}", f"{values.p99:.{digits}f}", f"{values.worst:.{digits}f}"]


def _number(value: float | None, digits: int) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
