"""The Celery tasks: thin. Decode, call, encode; a failed measurement never raises."""

from __future__ import annotations

import logging
from functools import cache, lru_cache
from typing import Any

import redis
from celery import Celery, Task
from celery.exceptions import Reject
from pydantic import ValidationError

from contracts.failures import BrokerError, ChimeraError
from contracts.jobs import JobMaker
from contracts.plots import Planned
from contracts.queues import AGGREGATE, CALIBRATE, DECIDE, FINALISE, MEASURE, TAKE_PLOT
from contracts.redis_client import FOREVER, connect
from contracts.settings import WorkerSettings, broker_url, worker_settings
from contracts.signing import require_kind
from contracts.store import Store, lease_key
from dispatch.dispatcher import Dispatcher
from worker.breaking import breaker_of
from worker.delivery import PATIENCE_S, SlotBusy, deliver
from worker.lease import Lease

log = logging.getLogger(__name__)

PASSING = (BrokerError, redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError)
"""Of Redis, and no problem of the execution's: its steward sends the message again."""
OTHER_VERSION = "this worker and the producer are of different versions"


@cache
def _store() -> Store:
    return Store(connect(broker_url(), retries=FOREVER))


class Unknown(Exception):
    """The store knows no such execution."""


class OtherVersion(ChimeraError):
    """What the producer wrote can't be read."""


def _known_maker(execution: str, generation: int) -> JobMaker | None:
    try:
        return _maker(execution, generation)
    except Unknown:  # raised, so that the cache does not keep it
        return None


@lru_cache(maxsize=8)
def _maker(execution: str, generation: int) -> JobMaker:
    """One for all jobs of a generation: a resume may come from another folder."""
    try:
        manifest = _store().manifest(execution)
    except ValidationError as error:
        raise OtherVersion(f"{OTHER_VERSION}: it can't read the execution's manifest") from error
    if manifest is None:
        raise Unknown
    return JobMaker.of(manifest, _store().base_dir(execution))


def _slot_settings() -> WorkerSettings:
    settings = worker_settings()
    if settings is None:
        raise Reject("this worker serves no slot", requeue=True)
    return settings


@cache
def _beat() -> redis.Redis:
    return connect(broker_url())


def _dispatcher(app: Celery, execution: str) -> Dispatcher:
    generation = _store().generation(execution)
    maker = None if generation is None else _known_maker(execution, generation)
    if maker is None:
        raise ChimeraError(f"the store knows no execution {execution}")
    return Dispatcher(app, _store(), maker)


def _refused(slot: str, execution: str, job_id: str, problem: str) -> dict[str, Any]:
    _store().set_problem(execution, f"slot {slot}: {problem}")
    log.error("job %s: %s", job_id, problem)
    return {"job_id": job_id, "refused": problem}


def register(app: Celery) -> None:
    """Register Chimera's tasks on ``app``."""

    @app.task(name=MEASURE, ignore_result=True)
    def measure(
        kind: str,
        execution: str,
        generation: int,
        configuration_id: str,
        run: int,
        block: int,
        load: int | None,
        job_id: str,
    ) -> dict[str, Any]:
        """Perform one job; return its receipt."""
        require_kind(kind, "measure")
        settings = _slot_settings()
        try:
            maker = _known_maker(execution, generation)
        except OtherVersion as error:
            return _refused(settings.slot, execution, job_id, str(error))
        configuration = None if maker is None else maker.configuration(configuration_id)
        if maker is None or configuration is None:
            return {"job_id": job_id, "unknown": True}
        spec = maker.job(Planned(configuration, run, block, load))
        if spec.job_id != job_id:
            return _refused(settings.slot, execution, job_id, f"{OTHER_VERSION}: their jobs differ")
        try:
            return deliver(spec, generation, settings=settings, store=_store(), beat=_beat())
        except SlotBusy as error:
            log.warning("%s", error)
            raise Reject(str(error), requeue=True) from None

    @app.task(name=TAKE_PLOT, ignore_result=True)
    def take_plot(kind: str, execution: str, generation: int, unit: str) -> dict[str, Any]:
        """Move a unit's jobs into the queue of this slot, which is served before the pool's."""
        require_kind(kind, "take_plot")
        settings = _slot_settings()
        if breaker_of(settings, _store()).is_open():
            raise Reject(f"slot {settings.slot} is out: its server fails", requeue=True)
        if _store().generation(execution) != generation:
            return {"unit": unit, "superseded": True}
        return {"unit": unit, "jobs": _store().take_unit(execution, unit, settings.slot)}

    @app.task(name=CALIBRATE, bind=True, ignore_result=True)
    def calibrate_slot(self: Task[Any, Any], kind: str) -> None:
        """Measure the slot's floor and store it; answer with it, or with why it could not be measured."""
        from worker.calibration import calibrate

        require_kind(kind, "calibrate")
        settings = _slot_settings()
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
        self: Task[Any, Any], receipts: list[Any], kind: str, execution: str, configuration_id: str
    ) -> dict[str, Any]:
        """Chord callback of one configuration."""
        require_kind(kind, "aggregate")
        try:
            from worker.aggregation import aggregate_configuration  # a slot's worker needs no statistics

            publisher = _dispatcher(self.app, execution)
            return aggregate_configuration(_store(), execution, configuration_id, publisher)
        except PASSING:
            raise
        except Exception as error:
            _store().set_problem(execution, f"a configuration can't be summarised: {error!r}")
            raise

    @app.task(name=DECIDE, bind=True)
    def decide_block(self: Task[Any, Any], kind: str, execution: str, block: int) -> dict[str, Any]:
        """Decide which configurations get another run; publish their jobs, or the finaliser."""
        require_kind(kind, "decide")
        try:
            from worker.rounds import decide

            return decide(_store(), _dispatcher(self.app, execution), execution, block)
        except PASSING:
            raise
        except Exception as error:
            _store().set_problem(execution, f"block {block} can't be decided on: {error!r}")
            raise

    @app.task(name=FINALISE)
    def finalise_sweep(kind: str, execution: str) -> dict[str, Any]:
        """Write the sweep's summary and report."""
        require_kind(kind, "finalise")
        try:
            from worker.aggregation import finalise

            return finalise(_store(), execution)
        except PASSING:
            raise
        except Exception as error:
            _store().set_problem(execution, f"the report can't be written: {error!r}")
            raise
