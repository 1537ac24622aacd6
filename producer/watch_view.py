"""What is watched, for people and for programs: plain lines, tables of a terminal, JSON.

Names of models, reasons and notes come from elsewhere: all are made visible first, so that no control character
reaches a terminal.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from rich import box
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from analysis.formatting import plural
from analysis.rendering.plain import one_line
from producer.watch import Cluster, ConfigurationRow, ExecutionView, SlotRow
from producer.watch_eta import clock, in_words

MOST_CONFIGURATIONS = 20
MOST_SLOTS = 32
LINE_EVERY_S = 10.0
LONGEST = 200
"""Characters of a foreign text."""


def headline(view: ExecutionView) -> str:
    """Return one line: how far, what failed, what is left."""
    parts = [
        f"{view.sweep} {view.execution}",
        _status(view),
        f"jobs {view.done}/{view.planned}{' so far' if view.grows else ''}",
        f"{view.running} running",
        f"{view.failed} failed",
    ]
    if view.why:
        parts[-1] += f" ({', '.join(f'{n} {_foreign(why)}' for why, n in view.why.items())})"
    if view.left is not None:
        parts.append(in_words(view.left) + (" for the blocks decided so far" if view.grows else ""))
    elif view.live and view.planned and view.done >= view.planned:
        parts.append(f"summaries {view.summaries}/{len(view.configurations)}")
    return " · ".join(_foreign(part) for part in parts)


def _status(view: ExecutionView) -> str:
    if view.status == "paused" and not view.begun:
        return "being prepared: its slots are calibrated first"
    return view.status or "the store knows its status no longer"


def lines(cluster: Cluster) -> Iterator[str]:
    """Yield the whole view as plain lines, indented below their execution."""
    for view in cluster.executions:
        yield headline(view)
        if view.problem is not None:
            yield f"  problem: {_foreign(view.problem)}"
        shown, more = chosen(view.configurations)
        for row in shown:
            yield f"  {_foreign(row.name)}: {_configuration(row)}"
        if more:
            yield f"  {more}"
        for at, note in view.notes:
            yield f"  {at:%H:%M:%S} {_foreign(note)}"
    for slot in cluster.slots[:MOST_SLOTS]:
        yield f"slot {_foreign(slot.slot)} (pool {_foreign(slot.pool or 'not known')}): {_slot(slot, cluster.at)}"
    if len(cluster.slots) > MOST_SLOTS:
        yield _more_slots(cluster)
    yield "queues: " + ", ".join(f"{_foreign(queue)} {n}" for queue, n in cluster.queues.items())
    if not cluster.aggregators:
        yield "no aggregator is live: nothing is summarised; start one with 'chimera aggregator'"


class NewLines:
    """What is new since the last look, for a pipe that is watched: headlines that changed, and notes."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[object, float]] = {}
        self._noted: dict[str, datetime] = {}

    def of(self, cluster: Cluster, now_s: float) -> Iterator[str]:
        """Yield lines: of an execution at most every :data:`LINE_EVERY_S`, but for notes and a new status."""
        for view in cluster.executions:
            last = self._noted.get(view.execution)
            for at, note in view.notes:
                if last is None or at > last:
                    yield f"{at:%H:%M:%S} {_foreign(note)}"
                    self._noted[view.execution] = at
            said, said_at = self._said.get(view.execution, (None, 0.0))
            if said != view.status or now_s - said_at >= LINE_EVERY_S:
                yield headline(view)
                self._said[view.execution] = (view.status, now_s)


def tables(cluster: Cluster) -> RenderableType:
    """Return the same for a terminal."""
    parts: list[RenderableType] = []
    for view in cluster.executions:
        parts.append(Text(headline(view), style="bold"))
        if view.problem is not None:
            parts.append(Text(f"problem: {_foreign(view.problem)}", style="red"))
        shown, more = chosen(view.configurations)
        table = _table("configuration", "done", "running", "failed", "s a job")
        for row in shown:
            job_s = "–" if row.job_s is None else f"{row.job_s:.2f}"
            cells = [
                _foreign(row.name),
                f"{row.done}/{row.planned}",
                str(row.running),
                str(row.failed),
                job_s,
            ]
            table.add_row(*map(Text, cells), style="red" if row.failed else "")
        parts.append(table)
        if more:
            parts.append(Text(more, style="dim"))
        parts += [Text(f"{at:%H:%M:%S} {_foreign(note)}", style="dim") for at, note in view.notes]
    if cluster.slots:
        table = _table("slot", "pool", "jobs", "waiting", "now")
        for slot in cluster.slots[:MOST_SLOTS]:
            cells = [slot.slot, slot.pool or "–", str(slot.jobs), str(slot.queued), _state(slot, cluster.at)]
            table.add_row(*(Text(_foreign(cell)) for cell in cells), style="red" if slot.why else "")
        parts.append(table)
        if len(cluster.slots) > MOST_SLOTS:
            parts.append(Text(_more_slots(cluster), style="dim"))
    queues = ", ".join(f"{_foreign(queue)} {n}" for queue, n in cluster.queues.items())
    parts.append(Text(f"queues: {queues}", style="dim"))
    if not cluster.aggregators:
        parts.append(
            Text(
                "no aggregator is live: nothing is summarised; start one with 'chimera aggregator'",
                style="red",
            )
        )
    return Group(*parts)


def as_json(cluster: Cluster) -> str:
    """Return everything, unshortened, as JSON; times are UTC."""
    tree = dataclasses.asdict(cluster)
    # ASCII: what is foreign stays escaped on a terminal, too.
    return json.dumps(tree, indent=2, default=_plain)


def chosen(rows: tuple[ConfigurationRow, ...]) -> tuple[list[ConfigurationRow], str | None]:
    """Return the configurations to show, and how many more there are: those with failures and in work come first."""
    rank: Callable[[ConfigurationRow], tuple[bool, bool, bool]] = lambda row: (  # noqa: E731
        not row.failed,
        not row.running,
        row.done >= row.planned,
    )
    ordered = sorted(rows, key=rank)
    shown, rest = ordered[:MOST_CONFIGURATIONS], ordered[MOST_CONFIGURATIONS:]
    if not rest:
        return shown, None
    kinds = [
        (sum(row.failed > 0 for row in rest), "with failures"),
        (sum(row.running > 0 for row in rest), "in work"),
        (sum(row.done >= row.planned for row in rest), "done"),
    ]
    told = ", ".join(f"{n} {kind}" for n, kind in kinds if n)
    return shown, f"… and {plural(len(rest), 'more configuration')}{f': {told}' if told else ''}"


def _table(*names: str) -> Table:
    first, *rest = names
    right = {"done", "running", "failed", "s a job", "jobs", "waiting"}
    columns = [Column(n, justify="right" if n in right else "left", overflow="fold") for n in rest]
    return Table(Column(first, overflow="fold"), *columns, box=box.SIMPLE_HEAD, pad_edge=False)


def _configuration(row: ConfigurationRow) -> str:
    parts = [f"{row.done}/{row.planned}"]
    parts += [f"{row.running} running"] if row.running else []
    parts += [f"{row.failed} failed"] if row.failed else []
    parts += [f"{row.job_s:.2f} s a job"] if row.job_s is not None else []
    return " · ".join(parts)


def _slot(slot: SlotRow, at: datetime) -> str:
    parts = [_state(slot, at), plural(slot.jobs, "job") + " measured"]
    parts += [f"{slot.queued} waiting for it"] if slot.queued else []
    return " · ".join(parts)


def _state(slot: SlotRow, at: datetime) -> str:
    text: str = {"open": "taken out", "half-open": "on trial"}.get(slot.state, slot.state)
    if slot.breaker is not None:
        text += f" since {_utc(slot.breaker.since)}, asked next {_utc(slot.breaker.probe_at)}"
    if slot.job is not None:
        since = (
            "" if slot.job.since is None else f" for {clock(max((at - slot.job.since).total_seconds(), 0))}"
        )
        attempt = (
            f", attempt {slot.job.attempt}" if slot.job.attempt is not None and slot.job.attempt > 1 else ""
        )
        text += f" {_foreign(slot.job.title)}{since}{attempt}"
    return text if slot.why is None else f"{text}: {_foreign(slot.why)}"


def _more_slots(cluster: Cluster) -> str:
    rest = cluster.slots[MOST_SLOTS:]
    return (
        f"… and {plural(len(rest), 'more slot')}, {sum(slot.why is not None for slot in rest)} with a problem"
    )


def _foreign(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M:%S} UTC"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    raise TypeError(type(value).__name__)
