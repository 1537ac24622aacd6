"""The Celery tasks: thin. Decode, call, encode; a failed measurement never raises."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import redis
from celery import Celery, Task
from celery.exceptions import Reject
from pydantic import ValidationError

from contracts.job import JobSpec
from contracts.publish import Dispatcher
from contracts.queues import AGGREGATE, CALIBRATE, DECIDE, FINALISE, MEASURE
from contracts.redis_client import FOREVER, connect
from contracts.settings import broker_url, worker_settings
from contracts.store import Store, lease_key
from worker.delivery import PATIENCE_S, SlotBusy, deliver
from worker.lease import Lease

log = logging.getLogger(__name__)


@cache
def _store() -> Store:
    return Store(connect(broker_url(), retries=FOREVER))


@cache
def _beat() -> redis.Redis:
    return connect(broker_url())


def register(app: Celery) -> None:
    """Register Chimera's tasks on ``app``."""

    @app.task(name=MEASURE)
    def measure(job: dict[str, Any], generation: int) -> dict[str, Any]:
        """Perform one job; return its receipt."""
        settings = worker_settings()
        if settings is None:
            raise Reject("this worker serves no slot", requeue=True)
        try:
            spec = JobSpec.model_validate(job)
        except ValidationError as error:
            log.error("a job of another version was refused: %s", error)
            return {"refused": str(error)}
        try:
            return deliver(spec, generation, settings=settings, store=_store(), beat=_beat())
        except SlotBusy as error:
            log.warning("%s", error)
            raise Reject(str(error), requeue=True) from None

    @app.task(name=CALIBRATE, bind=True, ignore_result=True)
    def calibrate_slot(self: Task[Any, Any]) -> None:
        """Measure the slot's floor and store it; answer with it, or with why it could not be measured."""
        from worker.calibration import calibrate

        settings = worker_settings()
        if settings is None:
            raise Reject("this worker serves no slot", requeue=True)
        try:
            with Lease(_beat(), lease_key(settings.slot), patience_s=PATIENCE_S):
                floor = calibrate(settings.slot)
        except Exception as error:  # a slot that can't be calibrated can measure all the same
            log.warning("the slot can't be calibrated: %r", error)
            answer: dict[str, Any] = {"slot": settings.slot, "problem": str(error) or type(error).__name__}
        else:
            _store().put_floor(settings.slot, floor)
            answer = {"slot": settings.slot, "floor": floor.model_dump(mode="json")}
        _store().put_answer(str(self.request.id), answer)

    @app.task(name=AGGREGATE, bind=True)
    def aggregate(
        self: Task[Any, Any], receipts: list[Any], execution: str, configuration_id: str
    ) -> dict[str, Any]:
        """Chord callback of one configuration."""
        from worker.aggregation import aggregate_configuration  # a slot's worker needs no statistics

        publisher = Dispatcher(self.app, _store(), execution)
        try:
            return aggregate_configuration(_store(), execution, configuration_id, publisher)
        except Exception as error:
            _store().set_problem(execution, f"a configuration can't be summarised: {error!r}")
            raise

    @app.task(name=DECIDE, bind=True)
    def decide_block(self: Task[Any, Any], execution: str, block: int) -> dict[str, Any]:
        """Decide which configurations get another run; publish their jobs, or the finaliser."""
        from worker.rounds import decide

        try:
            return decide(_store(), Dispatcher(self.app, _store(), execution), execution, block)
        except Exception as error:
            _store().set_problem(execution, f"block {block} can't be decided on: {error!r}")
            raise

    @app.task(name=FINALISE)
    def finalise_sweep(execution: str) -> dict[str, Any]:
        """Write the sweep's summary and report."""
        from worker.aggregation import finalise

        try:
            return finalise(_store(), execution)
        except Exception as error:
            _store().set_problem(execution, f"the report can't be written: {error!r}")
            raise
