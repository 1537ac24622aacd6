"""The statistical digest of the tables: what the prompt carries of the files' contents.

Deterministic: it depends on names and contents only, not on times, places or the order of a hash.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.tables.parse_csv import is_number
from contracts.tables.table import Cell, Column, Table
from worker.workloads.agent.text import one_line

CHARS_PER_TOKEN = 3
"""The estimate that turns a budget of tokens into characters: prose has more, digits and paths have fewer."""

_MISSING = frozenset({"", "-", "na", "n/a", "nan", "null", "none", "inf", "-inf", "+inf", "infinity"})
_COLUMNS_TRIED = (12, 6, 4)
# Texts come after numbers that vary (rank 2 and more) and before what does not vary.
_TEXT_RANK, _CONSTANT_RANK = (1, False), (0, False)
_MAX_NAME, _MAX_VALUE, _MAX_VALUES = 60, 32, 3


@dataclass(frozen=True)
class _Line:
    """One column's line; the higher ``rank``, the more its values differ (and are no mere indices)."""

    rank: tuple[int, bool]
    numbers: int
    text: str


@dataclass(frozen=True)
class _Digested:
    title: str
    weight: int
    """Numbers in columns that vary: what there is to analyse."""
    lines: tuple[str, ...]


def table_digest(tables: Sequence[Table], counts: dict[str, int], budget_tokens: int) -> str:
    """Return the digest of at most ``budget_tokens`` × 3 characters.

    First the files by kind, then the tables, those with most varying numbers first and equal ones once.
    Each table shows its columns with most distinct values first: as many as let all tables fit (12, 6
    or 4); where even 4 are too many, tables are left out at whole lines and counted.
    """
    limit = budget_tokens * CHARS_PER_TOKEN
    head = _head(counts)[:limit]
    digested = sorted((_digested(t) for t in tables), key=lambda d: (-d.weight, d.title.lower(), d.title))
    unique: dict[tuple[str, ...], _Digested] = {}
    for table in digested:
        if table.lines:
            unique.setdefault(table.lines, table)
    for columns in _COLUMNS_TRIED:
        blocks = [_block(table, columns) for table in unique.values()]
        whole = "\n".join([head, *blocks])
        if len(whole) <= limit:
            return whole
    return _cut(head, blocks, limit)


def _head(counts: dict[str, int]) -> str:
    return (
        f"Files: {sum(counts.values())} = {counts.get('csv', 0)} CSV + {counts.get('json', 0)} JSON"
        f" + {counts.get('md', 0)} Markdown"
    )


def _block(table: _Digested, columns: int) -> str:
    return "\n".join([table.title, *table.lines[:columns]])


def _cut(head: str, blocks: list[str], limit: int) -> str:
    """Keep as many whole tables as fit, then as many whole lines of the next one."""
    lines, size = [head], len(head)
    for i, block in enumerate(blocks):
        rest = f"... and {len(blocks) - i} more tables"
        reserve = len(rest) + 1
        if size + 1 + len(block) + reserve <= limit:
            lines.append(block)
            size += 1 + len(block)
            continue
        partial, room = [], limit - size - reserve
        for line in block.split("\n"):
            if len(line) + 1 > room:
                break
            partial.append(line)
            room -= len(line) + 1
        if len(partial) > 1:  # a title alone says nothing
            lines += partial
            rest = f"... and {len(blocks) - i - 1} more tables"
        if size + reserve <= limit and not rest.startswith("... and 0 "):
            lines.append(rest)
        break
    return "\n".join(lines)


def _digested(table: Table) -> _Digested:
    lines = [line for column in table.columns if (line := _line(column)) is not None]
    ordered = sorted(lines, key=lambda line: line.rank, reverse=True)  # stable: ties keep the file's order
    rows = "" if table.rows is None else f"{table.rows} rows, "
    return _Digested(
        f"{one_line(table.source, 120)} ({rows}{len(table.columns)} columns):",
        sum(line.numbers for line in lines if line.rank > _TEXT_RANK),
        tuple(line.text for line in ordered),
    )


def _line(column: Column) -> _Line | None:
    """The column's line; ``None`` where it holds no value."""
    numbers, texts = _split(column.cells)
    name = one_line(column.name, _MAX_NAME) or "(unnamed)"
    if len(numbers) > len(texts):
        more = f", {len(texts)} not numbers" if texts else ""
        distinct = len(set(numbers))
        rank = (distinct, any(x % 1 for x in numbers)) if distinct > 1 else _CONSTANT_RANK
        return _Line(rank, len(numbers), f"- {name}: {_statistics(numbers)}{more}")
    if not texts:
        return None
    values = list(dict.fromkeys(texts))
    shown = ", ".join(one_line(v, _MAX_VALUE) for v in values[:_MAX_VALUES])
    more = f", ... ({len(values)} distinct)" if len(values) > _MAX_VALUES else ""
    rank = _TEXT_RANK if len(values) > 1 else _CONSTANT_RANK
    return _Line(rank, 0, f"- {name}: n={len(numbers) + len(texts)}, {shown}{more}")


def _split(cells: Iterable[Cell]) -> tuple[list[float], list[str]]:
    numbers: list[float] = []
    texts: list[str] = []
    for cell in cells:
        if isinstance(cell, str):
            text = cell.strip()
            if text.lower() in _MISSING:
                continue
            if not is_number(text):
                texts.append(text)
                continue
            cell = text
        number = _finite(cell)
        if number is not None:
            numbers.append(number)
    return numbers, texts


def _finite(cell: Cell) -> float | None:
    try:
        number = float(cell)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _statistics(numbers: list[float]) -> str:
    n, low, high = len(numbers), min(numbers), max(numbers)
    if low == high:
        return f"n={n}, {'all ' if n > 1 else ''}{format_number(low)}"
    mean = math.fsum(x / n for x in numbers)  # the sum itself could overflow
    return f"n={n}, mean={format_number(mean)}, min={format_number(low)}, max={format_number(high)}"


def format_number(value: float) -> str:
    """Write a number with at least 4 significant digits, integers below 10⁹ in full."""
    size = abs(value)
    if size < 1e9 and value == int(value):
        return str(int(value))
    return f"{value:.0f}" if 1e3 <= size < 1e9 else f"{value:.4g}"
