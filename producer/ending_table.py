"""What ``chimera run`` prints last: the short table, what was excluded, verdicts and warnings."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from analysis.ending import Ending
from analysis.formatting import mean_interval
from analysis.rendering.plain import visible
from producer.progress import say_line


def show_ending(ending: Ending, console: Console) -> None:
    """Print how a sweep ended."""
    agents = any(place.agent is not None for place in ending.places)
    table = Table(
        "#",
        Column("configuration", overflow="fold"),
        *([Column("agent", overflow="fold")] if agents else []),
        Column("runs ok", justify="right"),
        Column("tok/s", justify="right", no_wrap=True),
        Column("TTFT ms", justify="right", no_wrap=True),
        Column("calls", overflow="fold"),
        title="means over complete runs, with 95 % intervals; TTFT without calls known to be cold",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for place in ending.places:
        table.add_row(
            "–" if place.rank is None else str(place.rank),
            Text(visible(place.config)),
            *([Text(visible(place.agent or ""))] if agents else []),
            f"{place.runs_complete}/{place.runs}",
            mean_interval(place.throughput_tok_s),
            mean_interval(place.ttft_ms),
            Text(", ".join(f"{n} {outcome}" for outcome, n in place.outcomes.items())),
        )
    console.print(table)
    if ending.more_places:
        say_line(console, f"… and {ending.more_places} more configurations in the report")
    for reason, count in ending.excluded:
        say_line(console, f"excluded, {count} ×: {reason}")
    if ending.more_reasons:
        say_line(console, f"… and {ending.more_reasons} more reasons in the report")
    if ending.more_excluded:
        say_line(
            console, f"… and {ending.more_excluded} more excluded, whose reasons are in stages.jsonl alone"
        )
    for line in ending.said:
        say_line(console, line)
