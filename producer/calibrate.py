"""``chimera calibrate``: each slot measures its own measurement floor; the store keeps it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import redis
from celery import Celery
from kombu.exceptions import OperationalError
from rich import box
from rich.console import Console
from rich.table import Column, Table

from contracts.celery_app import make_app
from contracts.failures import SetupError
from contracts.floor import MeasurementFloor
from contracts.queues import CALIBRATE, slot_queue
from contracts.redis_client import connect
from contracts.settings import DEFAULT_MAX_DEADLINE_S
from contracts.slots import SlotStatus
from contracts.store import answer_key

WAIT_S = 60.0
"""How long a slot may take, with what it does before; the calibration itself takes less than 20 s."""
POLL_S = 0.1

Say = Callable[[str], None]


def calibrate_here() -> MeasurementFloor:
    """Measure this machine's floor in a process of its own; nothing is stored.

    Raises:
        SetupError: it could not be measured.
    """
    command = [sys.executable, "-P", "-m", "worker.calibration"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise SetupError(f"the calibration did not end within {WAIT_S:g} s") from None
    if done.returncode != 0:
        last = done.stderr.strip().rpartition("\n")[2]
        raise SetupError(f"the calibration failed: {last or f'exit code {done.returncode}'}")
    return MeasurementFloor.model_validate(json.loads(done.stdout))


def calibrate_slots(
    url: str, slots: Iterable[SlotStatus], say: Say, watch: Callable[[], None] = lambda: None
) -> list[MeasurementFloor]:
    """Have live slots measure and store their floors; slots of one host one after the other.

    A slot that measures a job now does it when that is done. What went wrong is said, and no error:
    a slot without a floor can measure all the same. ``watch`` is called again and again.
    """
    client = connect(url, retries=0)
    app = make_app(url, max_deadline_s=DEFAULT_MAX_DEADLINE_S)
    waiting: dict[str, list[SlotStatus]] = {}
    for slot in slots:
        waiting.setdefault(slot.host, []).append(slot)
    floors: list[MeasurementFloor] = []
    running: dict[str, tuple[SlotStatus, str, float]] = {}
    while waiting or running:
        for host in [host for host in waiting if host not in running]:
            slot = waiting[host].pop(0)
            if not waiting[host]:
                del waiting[host]
            running[host] = (slot, _send(app, slot), time.monotonic() + WAIT_S)
        for host, (slot, task_id, until) in list(running.items()):
            answer = _answer(client, task_id)
            if answer is not None:
                floors += _taken(slot, answer, say)
            elif time.monotonic() < until:
                continue
            else:
                say(f"slot {slot.slot} was not calibrated: no answer within {WAIT_S:g} s")
            del running[host]
        watch()
        time.sleep(POLL_S)
    return floors


def _send(app: Celery, slot: SlotStatus) -> str:
    """Send the task to the slot and return its id."""
    task_id = uuid.uuid4().hex
    try:
        app.send_task(
            CALIBRATE,
            args=["calibrate"],
            task_id=task_id,
            queue=slot_queue(slot.slot),
            expires=WAIT_S,
            ignore_result=True,  # else Celery tries for 19 s to wait for one where Redis is away
            argsrepr=slot.slot,
            shadow=f"{slot.slot} / calibration",
        )
    except OperationalError as error:
        raise SetupError(f"the calibration can't be sent: {error}") from None
    return task_id


def _answer(client: redis.Redis, task_id: str) -> dict[str, Any] | None:
    """Return what the task answered; ``None``: nothing yet, or Redis is away.

    Not by Celery's results, which wait for Redis without end.
    """
    try:
        text = client.get(answer_key(task_id))
    except redis.RedisError:
        return None
    return json.loads(str(text)) if text is not None else None


def _taken(slot: SlotStatus, answer: dict[str, Any], say: Say) -> list[MeasurementFloor]:
    if "floor" not in answer:
        say(f"slot {slot.slot} was not calibrated: {answer.get('problem')}")
        return []
    return [MeasurementFloor.model_validate(answer["floor"])]


def describe(floor: MeasurementFloor) -> str:
    """Return a floor in one line."""
    return (
        f"TTFT ± {floor.ttft_ms:.2f} ms, ITL ± {floor.rate_percent:.2g} % ({floor.clock} clock, "
        f"{floor.calls} calls, {floor.measured_at:%Y-%m-%d %H:%M} UTC)"
    )


def show(floors: Iterable[MeasurementFloor], console: Console) -> None:
    """Print the floors as a table."""
    right = [
        Column(name, justify="right")
        for name in (
            "calls",
            "TTFT median",
            "p99",
            "max (ms)",
            "ITL median",
            "p99 (%)",
            "gap p99 (ms)",
            "timer (ns)",
        )
    ]
    table = Table("slot", "host", "clock", *right, box=box.SIMPLE_HEAD, pad_edge=False)
    for f in floors:
        table.add_row(
            *(f.slot or "–", f.host, f.clock, str(f.calls)),
            *(f"{f.ttft_error_median_ms:+.3f}", f"{f.ttft_error_p99_ms:.3f}", f"{f.ttft_error_max_ms:.3f}"),
            *(f"{f.itl_error_median_percent:+.3f}", f"{f.itl_error_p99_percent:.3f}"),
            *(
                f"{f.gap_error_p99_ms:.3f}",
                "–" if f.timer_resolution_ns is None else str(f.timer_resolution_ns),
            ),
        )
    console.print(table)
