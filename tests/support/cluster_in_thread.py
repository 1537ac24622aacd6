"""A cluster without a process of its own: a thread shows a slot, answers calibrations, and measures nothing at once.

What a worker and an aggregator store is stored by their own functions, so that what the producer does with it is what
it does in a cluster.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from contracts.floor import MeasurementFloor
from contracts.jobs import JobMaker
from contracts.queues import CALIBRATE, slot_queue
from contracts.redis_client import connect
from contracts.slots import SlotStatus
from contracts.store import Store
from tests.support.care import take
from tests.support.rounds import Sent, outcome
from worker.aggregation import aggregate_configuration, finalise

POLL_S = 0.01


def a_floor(slot: str | None = "s0", **changes: Any) -> MeasurementFloor:
    """Return a floor of 0.5 ms and 0.4 %."""
    fields: dict[str, Any] = {
        **{"slot": slot, "host": "h", "boot_id": "b", "measured_at": datetime(2026, 11, 22, 12, tzinfo=UTC)},
        **{"duration_s": 9.0, "chimera": "0.1.0", "python": "3.11.7", "clock": "kernel", "concurrency": 4},
        **{"calls": 120, "timer_resolution_ns": 40, "ttft_error_median_ms": 0.1, "ttft_error_p99_ms": 0.5},
        **{"ttft_error_max_ms": 1.9, "itl_error_median_percent": -0.01, "itl_error_p99_percent": 0.4},
        **{"itl_error_max_percent": 0.7, "gap_error_p99_ms": 0.3, "suspect_calls": 0},
        **{"server_late_p99_ms": 0.4},
    }
    return MeasurementFloor.model_validate(fields | changes)


def a_slot(name: str = "s0", **changes: Any) -> SlotStatus:
    """Return a live, calibrated slot whose server has the model ``ref``."""
    fields: dict[str, Any] = {
        **{"slot": name, "pool": "test", "host": "h", "pid": 1, "server": "http://127.0.0.1:1"},
        **{"max_deadline_s": 60.0, "models": {"ollama": ("ref",)}, "floor": a_floor(name)},
        **{"seen_at": datetime.now(UTC)},
    }
    return SlotStatus.model_validate(fields | changes)


class ClusterInThread:
    """Use it as a context manager: executions that run end within moments.

    Args:
        slots: That are live.
        answer: To calibrations; ``None``: there is none.
        most: Executions begun with more jobs than that are left unfinished.
    """

    def __init__(
        self, url: str, *slots: SlotStatus, answer: dict[str, Any] | None = None, most: int = 1000
    ) -> None:
        self.store = Store(connect(url))
        self.error: BaseException | None = None
        self._slots, self._answer, self._most = slots or (a_slot(),), answer, most
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> ClusterInThread:
        self.store.put_aggregator("a", ttl_s=600)
        for slot in self._slots:
            self.store.put_slot(slot, ttl_s=600)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(20)
        if self.error is not None:
            raise self.error

    def _work(self) -> None:
        try:
            while not self._stop.wait(POLL_S):
                for slot in self._slots:
                    self._calibrate(slot)
                for execution in self.store.running_executions():
                    if self.store.status(execution) == "running" and self.store.generation(execution):
                        self._carry_out(execution)
        except BaseException as error:
            self.error = error

    def _calibrate(self, slot: SlotStatus) -> None:
        message = take(self.store, slot_queue(slot.slot))
        if message is not None and message.task == CALIBRATE and self._answer is not None:
            self.store.put_answer(message.id, self._answer)

    def _carry_out(self, execution: str) -> None:
        manifest = self.store.manifest(execution)
        assert manifest is not None
        maker, sent = JobMaker.of(manifest, self.store.base_dir(execution)), Sent()
        jobs = [maker.job(planned) for unit in maker.units() for planned in unit.jobs]
        for job in jobs[: self._most]:
            if not self.store.has_outcome(execution, job.job_id):
                self.store.put_outcome(outcome(job, slot=self._slots[0].slot, ms=20.0))
        if len(jobs) > self._most:
            return
        for configuration in manifest.configurations:
            aggregate_configuration(self.store, execution, configuration.id, sent)
        finalise(self.store, execution)
