"""Producer processes of the benchmark; each prints one line of JSON.

``python -m benchmarks.scale.producers plan|publish SWEEP.yaml``, ``… chord JOBS``; the broker is that of the environment.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.scale.names import AFTER, PLAIN, POOL
from contracts.settings import broker_url


def main() -> None:
    """Do what is asked, and say how long it took and how much memory."""
    what, argument = sys.argv[1:]
    figures = {"plan": _plan, "publish": _publish, "chord": _chord}[what](argument)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({**figures, "peak_mb": used.ru_maxrss / 1024}))


def _clocks() -> tuple[float, float]:
    """Return the time and the CPU time of this process, s."""
    return time.perf_counter(), time.process_time()


def _since(begin: tuple[float, float]) -> dict[str, float]:
    now = _clocks()
    return {"seconds": now[0] - begin[0], "cpu_s": now[1] - begin[1]}


def _plan(sweep: str) -> dict[str, Any]:
    """Plan and go through all jobs with their ids."""
    from producer.plan import make_plan
    from producer.sweep_file import load

    begin = _clocks()
    plan = make_plan(load(Path(sweep)), Path(sweep))
    maker = plan.maker("x")
    jobs = sum(1 for _ in maker.listed(maker.units()))
    return {"jobs": jobs, **_since(begin)}


def _publish(sweep: str) -> dict[str, Any]:
    """Plan, and publish all jobs at once: without the window, with no worker there."""
    from contracts.celery_app import make_app
    from contracts.jobs import JobMaker
    from contracts.redis_client import connect
    from contracts.store import Store
    from contracts.workloads import CorpusWorkload
    from dispatch.dispatcher import Dispatcher
    from dispatch.generation import start_generation
    from producer.ground import facts_below
    from producer.manifest import make_manifest
    from producer.plan import make_plan
    from producer.sweep_file import load

    path = Path(sweep)
    plan = make_plan(load(path), path)
    store = Store(connect(broker_url()))
    manifest = make_manifest(plan)
    assert isinstance(plan.spec.workload, CorpusWorkload)
    store.begin(manifest, facts_below(plan.spec.workload.paths, plan.base_dir))
    maker = JobMaker.of(manifest, str(plan.base_dir))
    dispatcher = Dispatcher(make_app(broker_url(), max_deadline_s=plan.spec.deadline), store, maker)
    begin = _clocks()
    jobs = start_generation(store, dispatcher, manifest)
    dispatcher.publish(dispatcher.named(maker.units()))
    return {"jobs": jobs, **_since(begin)}


def _chord(jobs: str) -> dict[str, Any]:
    """Publish a plain chord of tasks that do nothing."""
    from celery import chord

    from contracts.celery_app import make_app
    from contracts.queues import AGGREGATE_QUEUE, pool_queue

    app = make_app(broker_url(), max_deadline_s=60)
    header = app.signature(PLAIN, queue=pool_queue(POOL))
    begin = _clocks()
    tasks = [header.clone(args=(number,)) for number in range(int(jobs))]
    chord(tasks, app=app)(app.signature(AFTER, queue=AGGREGATE_QUEUE))
    return {"jobs": int(jobs), **_since(begin)}


if __name__ == "__main__":
    main()
