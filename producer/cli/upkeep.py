"""Commands that look after a cluster."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from producer.cli import options
from producer.cli.completing import SLOTS
from producer.cli.exits import OK, RESULT_SAYS_NO
from producer.cli.group import cli
from producer.cli.options import option
from producer.cli.printing import console

if TYPE_CHECKING:
    from collections.abc import Iterable

    from contracts.slots import SlotStatus
    from producer.finding import Finding

_MARKS = {True: ("ok", "green"), None: ("--", "yellow"), False: ("!!", "red")}


@cli.command(
    examples=[
        ("calibrate", "every slot of the cluster, or this machine where there is no broker"),
        ("calibrate --slot h1g0 --json", "one slot, for a script"),
    ],
    after="'chimera run' does it for slots that are not calibrated yet; the report prints the floor.",
    exits={OK: "measured", RESULT_SAYS_NO: "no slot could be calibrated"},
    document="list[contracts.floor:MeasurementFloor]",
    short_help="measure what Chimera's own client adds to a time",
)
@option("--slot", "names", multiple=True, shell_complete=SLOTS, help="Only this slot; may be repeated.")
@options.as_json
@options.broker
def calibrate(broker: str | None, names: tuple[str, ...], as_json: bool) -> None:
    """Measure what Chimera's own client adds to TTFT and ITL, on each slot's machine; under 20 s a slot.

    Without a broker: on this machine, and nothing is stored. The report prints a slot's floor, and calls no
    smaller difference a difference.
    """
    import json

    from contracts.failures import InputError
    from producer.broker import find_broker
    from producer.calibrate import calibrate_here, calibrate_slots, show
    from producer.progress import say_line

    url = find_broker(broker)
    if url is None:
        if names:
            raise InputError("--slot needs a broker: give --broker URL, or set CHIMERA_BROKER")
        floors = [calibrate_here()]
    else:
        told = console(stderr=True)
        floors = calibrate_slots(url, _slots(url, names), lambda text: say_line(told, text))
    if as_json:
        click.echo(json.dumps([floor.model_dump(mode="json") for floor in floors], indent=2))
    else:
        show(floors, console())
    sys.exit(OK if floors else RESULT_SAYS_NO)


def _slots(url: str, names: tuple[str, ...]) -> list[SlotStatus]:
    from contracts.failures import SetupError
    from contracts.redis_client import check, connect
    from contracts.store import Store

    client = connect(url, retries=0)
    check(client, url)
    live = Store(client).slots()
    if not live:
        raise SetupError("no slot is live. Start one: chimera worker --slot NAME --server URL")
    unknown = sorted(set(names) - {slot.slot for slot in live})
    if unknown:
        raise SetupError(
            f"no live slot {', '.join(unknown)}; live slots: {', '.join(slot.slot for slot in live)}"
        )
    return [slot for slot in live if not names or slot.slot in names]


@cli.command(
    examples=[
        ("doctor", "the cluster of CHIMERA_BROKER, or what the one-machine default needs"),
        ("doctor --json", "the same, for a script"),
    ],
    after="Each line that is not good says what to do.",
    exits={OK: "nothing is red", RESULT_SAYS_NO: "something is red"},
    document="producer.documents:DoctorDocument",
    short_help="check Redis, workers, slots, servers and models; say what to do",
)
@options.as_json
@options.broker
def doctor(broker: str | None, as_json: bool) -> None:
    """Check Redis, workers, slots, servers and models, a line each; where one is red, say what to do."""
    from producer.broker import find_broker
    from producer.doctor import examine

    findings = examine(find_broker(broker))
    healthy = _print_as_json(findings) if as_json else _print(findings)
    sys.exit(OK if healthy else RESULT_SAYS_NO)


def _print(findings: Iterable[Finding]) -> bool:
    """Print each finding as soon as it is known; return whether none is red."""
    from rich.text import Text

    from producer.progress import say_line

    to, healthy = console(), True
    for finding in findings:
        healthy = healthy and finding.good is not False
        mark, style = _MARKS[finding.good]
        to.print(Text.assemble((f"{mark}  ", style), f"{finding.part:<11}{finding.what}"), soft_wrap=True)
        if finding.advice and not finding.good:
            say_line(to, f"{'':15}→ {finding.advice}")
    return healthy


def _print_as_json(findings: Iterable[Finding]) -> bool:
    from dataclasses import asdict

    from producer.documents import DoctorDocument, FindingDetails

    found = tuple(FindingDetails(**asdict(finding)) for finding in findings)
    healthy = not any(finding.good is False for finding in found)
    click.echo(DoctorDocument(healthy=healthy, findings=found).model_dump_json(indent=2))
    return healthy
