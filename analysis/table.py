"""Rows as columns, and the measured calls among them with what was judged of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from operator import itemgetter
from typing import Any

from analysis.models.calls import ThroughputSource
from analysis.rows import Row
from contracts.call import Degeneration, Outcome

Values = tuple[Any, ...]
"""One row: the columns of :class:`analysis.rows.Row`, and of a call those that judging adds."""


class Columns:
    """Columns of equal length, by the names of :class:`analysis.rows.Row`."""

    __slots__ = (*Row._fields, "rows")
    PLACES: Mapping[str, int] = {name: index for index, name in enumerate(Row._fields)}

    rows: Sequence[Values]
    config: Sequence[str]
    run: Sequence[int]
    config_id: Sequence[str | None]
    model: Sequence[str | None]
    parameters: Sequence[dict[str, int | float] | None]
    block: Sequence[int | None]
    load: Sequence[int | None]
    slot: Sequence[str | None]
    pool: Sequence[str | None]
    host: Sequence[str | None]
    model_digest: Sequence[str | None]
    quantisation: Sequence[str | None]
    context: Sequence[int | None]
    model_layers: Sequence[int | None]
    model_context_max: Sequence[int | None]
    model_vram_bytes: Sequence[int | None]
    wall_s: Sequence[float | None]
    attempt: Sequence[int | None]
    exec_s: Sequence[float | None]
    agents: Sequence[int | None]
    server: Sequence[str | None]
    agent: Sequence[str]
    stage: Sequence[str]
    warmup: Sequence[bool]
    outcome: Sequence[str | None]
    reason: Sequence[str | None]
    degeneration: Sequence[Degeneration | None]
    suspect: Sequence[tuple[str, ...] | None]
    ttft_ms: Sequence[float | None]
    reasoning_ttft_ms: Sequence[float | None]
    connect_ms: Sequence[float | None]
    arrival_clock: Sequence[str | None]
    throughput_tok_s: Sequence[float | None]
    throughput_source: Sequence[ThroughputSource | None]
    tokens: Sequence[int | None]
    prompt_tokens: Sequence[int | None]
    cached_tokens: Sequence[int | None]
    total_duration_ms: Sequence[float | None]
    prompt_eval_ms: Sequence[float | None]
    eval_ms: Sequence[float | None]
    eval_tokens: Sequence[int | None]
    load_ms: Sequence[float | None]
    itl_mean_ms: Sequence[float | None]
    frame_tokens: Sequence[str | None]
    gaps: Sequence[bytes | None]
    response_chars: Sequence[int | None]
    text_hash: Sequence[str | None]
    has_text: Sequence[bool]
    sendings: Sequence[int | None]
    applied: Sequence[dict[str, int | float] | None]
    loop_lag_max_ns: Sequence[int | None]
    arrival_lag_max_ns: Sequence[int | None]
    host_steal_percent: Sequence[float | None]
    sampled: Sequence[Values | None]
    started_us: Sequence[int | None]
    started_ns: Sequence[int | None]
    ended_ns: Sequence[int | None]
    sent_ns: Sequence[int | None]
    tokens_source: Sequence[str | None]
    step: Sequence[int | None]
    request: Sequence[int | None]
    asked_concurrency: Sequence[int | None]
    asked_rate: Sequence[float | None]
    due_ns: Sequence[int | None]

    def __init__(self, rows: Sequence[Values]) -> None:
        self.rows = rows

    def __getattr__(self, name: str) -> Any:
        """Make a column when it is asked for the first time: most tables are asked for a few."""
        at = self.PLACES.get(name)
        if at is None:
            raise AttributeError(name)
        column = list(map(itemgetter(at), self.rows))
        setattr(self, name, column)
        return column

    def __len__(self) -> int:
        return len(self.rows)


class Calls(Columns):
    """Calls as judged by the rules of :mod:`analysis.validity` and :mod:`analysis.cold`."""

    NAMES = (*Row._fields, "judged", "succeeded", "why", "inferred", "cold", "valid", "after_unload")
    __slots__ = NAMES[len(Row._fields) :]
    PLACES: Mapping[str, int] = {name: index for index, name in enumerate(NAMES)}

    judged: Sequence[Outcome]
    """The outcome: as recorded, or as inferred."""
    succeeded: Sequence[bool]
    """The outcome is ``ok`` or ``truncated``."""
    why: Sequence[str | None]
    """Why it is not ``ok``."""
    inferred: Sequence[bool]
    cold: Sequence[bool | None]
    """``None``: not known."""
    valid: Sequence[bool]
    """Whether the call counts in the valid statistics (:data:`analysis.validity.RULE`)."""
    after_unload: Sequence[bool]
    """It is the first call of a run before which the model was unloaded."""

    def where(self, chosen: Iterable[object]) -> Calls:
        """Return the calls for which ``chosen`` is true."""
        return Calls(list(compress(self.rows, chosen)))

    def by_stage(self) -> dict[str, Calls]:
        """Return the calls of each stage, in the order of first appearance."""
        return {stage: Calls(rows) for stage, rows in _grouped(self.rows, self.stage).items()}

    def by_run(self) -> dict[int, list[Values]]:
        """Return the rows of each run, in the order of the runs."""
        return _grouped(self.rows, self.run)


def known(column: Sequence[Any]) -> Sequence[Any]:
    """Return what is known of a column."""
    return [value for value in column if value is not None] if None in column else column


def distinct(column: Sequence[Any]) -> tuple[Any, ...]:
    """Return what is known of a column, each value once, sorted."""
    return tuple(sorted(set(column) - {None}))


def first_known(column: Sequence[Any]) -> Any:
    """Return the first value that is known; ``None``: none is."""
    return next((value for value in column if value is not None), None)


def _grouped(rows: Sequence[Values], keys: Sequence[Any]) -> dict[Any, list[Values]]:
    found: dict[Any, list[Values]] = {}
    for key, row in zip(keys, rows, strict=True):
        if key in found:
            found[key].append(row)
        else:
            found[key] = [row]
    return found


def place(name: str) -> int:
    """Return where a column stands in a row of :class:`Calls`."""
    return Calls.PLACES[name]
