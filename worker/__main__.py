"""``python -m worker``: check that the worker can work, then be its Celery process."""

from __future__ import annotations

import argparse
import os
import platform
import re
import resource
import sys
import time

import psutil

from contracts import logs
from contracts.failures import ChimeraError, SetupError
from contracts.metrics import LOOPBACK
from contracts.names import NAME_PATTERN
from contracts.queues import AGGREGATE_QUEUE, pool_queue, slot_queue
from contracts.redis_client import check, connect
from contracts.settings import (
    ALSO,
    DEFAULT_MAX_DEADLINE_S,
    DEFAULT_POOL,
    SERVER,
    WorkerSettings,
    broker_url,
    further_servers,
)
from contracts.slots import SlotStatus
from contracts.store import Store
from worker.slot import probe
from worker.stopping import DEFAULT_GRACE_S, GRACE

COMMON = ("--pool", "prefork", "--without-gossip", "--without-mingle", "--events")
RETRY_S = 0.1
MOST_FILES = 8192


def default_processes() -> int:
    """Return how many processes an aggregator has: when the last runs end, many configurations are summarised at once."""
    return min(2, os.cpu_count() or 1)


def main(arguments: list[str]) -> None:
    """Parse, check, serve. Wrong set-up ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m worker")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--slot")
    who.add_argument("--aggregator", action="store_true")
    parser.add_argument("--server", default=os.environ.get(SERVER))
    parser.add_argument(
        "--also", action="append", metavar="NAME=URL", help="a further server; may be repeated"
    )
    parser.add_argument("--pool", default=DEFAULT_POOL)
    parser.add_argument("--gpu", type=int)
    parser.add_argument("--max-deadline", type=float, default=DEFAULT_MAX_DEADLINE_S)
    parser.add_argument("--wait", type=float, default=0.0, help="seconds that the server may take to come up")
    parser.add_argument(
        "--grace",
        type=float,
        default=DEFAULT_GRACE_S,
        help="seconds that the running job has left after SIGTERM",
    )
    parser.add_argument(
        "--processes", type=int, default=default_processes(), help="of an aggregator: callbacks at once"
    )
    parser.add_argument("--loglevel", default="warning")
    parser.add_argument("--log-format", choices=logs.FORMS, default=logs.form_given())
    parser.add_argument("--metrics-port", type=int)
    parser.add_argument("--metrics-address", default=LOOPBACK)
    options = parser.parse_args(arguments)
    os.environ[logs.LOG_FORMAT] = options.log_format  # the processes of the pool read it, too
    metrics = None if options.metrics_port is None else (options.metrics_port, options.metrics_address)
    os.environ[GRACE] = repr(options.grace)
    try:
        if options.aggregator:
            check(connect(broker_url(), retries=0), broker_url())
            _become_celery(
                "aggregator", AGGREGATE_QUEUE, options.loglevel, None, {}, metrics, options.processes
            )
        else:
            also = os.environ.get(ALSO, "") if options.also is None else " ".join(options.also)
            settings = WorkerSettings(
                options.slot,
                options.pool,
                options.server,
                options.gpu,
                options.max_deadline,
                further_servers(also),
            )
            _allow_connections()
            _check(settings, options.wait)
            queues = f"{pool_queue(settings.pool)},{slot_queue(settings.slot)}"
            pin = {} if settings.gpu is None else {"CUDA_VISIBLE_DEVICES": str(settings.gpu)}
            _become_celery(
                settings.slot, queues, options.loglevel, settings, settings.environment() | pin, metrics
            )
    except ChimeraError as error:
        print(f"chimera: {logs.printable(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)


def _allow_connections() -> None:
    """Raise the limit of open files to the most that is allowed: a load may have a thousand connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _check(settings: WorkerSettings, wait_s: float) -> None:
    if not settings.server:
        raise SetupError("give the slot's model server: --server http://127.0.0.1:11434")
    for what, name in (("slot", settings.slot), ("pool", settings.pool)):
        if not re.match(NAME_PATTERN, name):
            raise SetupError(f"{name!r} is no name for a {what}: letters, digits, '.', '_' and '-', up to 64")
    until = time.monotonic() + wait_s
    url = broker_url()
    client = connect(url, retries=0)
    check(client, url)
    other = Store(client).slot(settings.slot)
    if other is not None and not _is_dead(other):
        raise SetupError(
            f"slot {settings.slot!r} has a live worker already (pid {other.pid} on {other.host}); "
            "stop it, or give this one another name"
        )
    for server in (settings.server, *dict(settings.also).values()):
        while (problem := probe(server)[1]) is not None:
            if time.monotonic() >= until:
                raise SetupError(f"{problem}; start the model server there, or correct --server")
            time.sleep(RETRY_S)


def _is_dead(other: SlotStatus) -> bool:
    """Return whether a status is what a killed worker of this machine left: it outlives it by seconds."""
    if other.host != platform.node():
        return False
    try:
        # As process 1 of a container that was started again, its pid is our own.
        return other.pid == os.getpid() or psutil.Process(other.pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _become_celery(
    name: str,
    queues: str,
    loglevel: str,
    settings: WorkerSettings | None,
    environment: dict[str, str],
    metrics: tuple[int, str] | None,
    processes: int = 1,
) -> None:
    os.environ.update(environment)
    from worker.app import app  # reads the environment
    from worker.watched import serve

    if metrics is not None:
        serve(settings, *metrics)

    arguments = [
        "worker",
        *COMMON,
        "--concurrency",
        str(processes),
        "--hostname",
        f"{name}@%h",
        "--queues",
        queues,
        "--loglevel",
        loglevel,
    ]
    app.worker_main(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
