"""The one-machine default: an embedded Redis, model servers and real workers as child processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO

import redis

from contracts.failures import InputError, SetupError
from contracts.queues import AGGREGATE_QUEUE, pool_queue, slot_queue
from contracts.redis_client import connect, redacted
from contracts.settings import ALSO, BROKER, SERVER, further_servers
from contracts.store import LIVE, Store, claim_key, lease_key
from contracts.store.keys import follower_key
from contracts.workloads import PromptsWorkload
from producer import local_server
from producer.embedded_redis import EmbeddedRedis, free_port
from producer.plan import Plan
from producer.preflight import models_wanted
from producer.processes import Child
from producer.sweep_file import where

READY_S = 60.0
OLLAMA_URL = "http://127.0.0.1:11434"
MOST_PARALLEL = 8
"""Each takes memory for a context of its own."""

Say = Callable[[str], None]


def check_slots_asked(slots: int | None, servers: tuple[str, ...], broker: str | None) -> None:
    """Raise :class:`InputError` where ``--slots`` and ``--server`` do not go together, or with a broker."""
    if servers and slots not in (None, len(servers)):
        raise InputError("--slots goes without --server: each --server makes one slot")
    if broker is not None and (servers or slots is not None):
        raise InputError(
            "--slots and --server are for the embedded default, not for a broker's cluster: leave out --broker and "
            "CHIMERA_BROKER, or start a worker for each slot: chimera worker --slot NAME --server URL"
        )


def hand_on_further(also: tuple[str, ...], broker: str | None) -> None:
    """Put ``--also`` into the environment, which the embedded workers have from this process.

    Raises:
        InputError: it is not of the form NAME=URL, or there is a broker's cluster.
    """
    if not also:
        return
    if broker is not None:
        raise InputError(
            "--also is for the embedded default: in a cluster each slot has its own, chimera worker --also NAME=URL"
        )
    text = " ".join(also)
    further_servers(text)
    os.environ[ALSO] = text


def requests_at_a_time(plan: Plan) -> int:
    """Return how many requests the embedded model server is to answer at a time: as many as the sweep sends, at most :data:`MOST_PARALLEL`.

    More wait in its queue, as at any server.
    """
    agents = max(len(c.agents) for c in plan.configurations)
    users = max(c.parameters.concurrency or 0 for c in plan.configurations)
    workload = plan.spec.workload
    unknown = isinstance(workload, PromptsWorkload) and not users
    return max(1, min(MOST_PARALLEL, MOST_PARALLEL if unknown else max(agents, users)))


class Embedded:
    """Everything that one machine needs for a sweep; use it as a context manager.

    Args:
        slots: How many; ``None``: as many as the unfinished execution of the plan was begun with, else one.
        servers: The user's own, a slot for each; none: those that execution was begun with, else the default's.
        fresh: No unfinished execution is gone on with.

    Raises:
        SetupError: on entering, where something is missing or another run uses the same home.
        InputError: on entering, where an unfinished execution was begun with others than are asked for, or where further
            servers (:func:`hand_on_further`) are missing or would be several slots'.
    """

    def __init__(
        self,
        plan: Plan,
        home: Path,
        *,
        slots: int | None,
        servers: tuple[str, ...],
        say: Say,
        fresh: bool = False,
    ) -> None:
        self._plan = plan
        self._spec = plan.spec
        self._home = home
        self._asked = slots is not None or bool(servers)
        self._count = len(servers) or slots or 1
        self._servers = list(servers)
        self.begun_with = (self._count, tuple(map(redacted, servers)))
        """Slots, and servers of the user's own: they stay those of the execution's beginning."""
        self._fresh = fresh
        self._say = say
        self._server_wait_s = 0.0
        self._redis: EmbeddedRedis | None = None
        self._children: list[Child] = []
        self._lock: IO[str] | None = None

    @property
    def url(self) -> str:
        assert self._redis is not None
        return self._redis.url

    @property
    def slot_names(self) -> list[str]:
        return [f"local{index}" for index in range(self._count)]

    def __enter__(self) -> Embedded:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def watch(self) -> None:
        """Start again what has died, and say so. Called while the sweep is followed.

        Raises:
            SetupError: something died too often.
        """
        for child in self._all():
            if child.revive():
                self._say(f"{child.name} died and was started again")

    # --- starting ---------------------------------------------------------------------------

    def _start(self) -> None:
        self._take_home()
        self._say("starting an embedded Redis (loopback, password, append-only file)")
        self._redis = EmbeddedRedis(self._home)
        self._forget_the_dead()
        if not self._fresh:
            self._take_what_it_was_begun_with()
        self._check_further()
        model_file = self._prepare_model()
        self._start_aggregator()
        if model_file is not None:
            self._start_servers(model_file)
        self._start_workers()

    def _take_home(self) -> None:
        try:
            # Prompts and answers lie here: nobody else's to read.
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._home / "logs").mkdir(exist_ok=True)
            self._lock = (self._home / "lock").open("w")
        except OSError as error:
            raise SetupError(f"can't write to {self._home}: {error}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(
                f"another 'chimera run' uses the embedded Redis in {self._home}; "
                "wait for it, or give this one another folder with CHIMERA_HOME"
            ) from None

    def _take_what_it_was_begun_with(self) -> None:
        """Passwords are not kept: a server that wants one is to be given again."""
        store = Store(connect(self.url))
        newest = store.newest(self._plan.sweep_id)
        if newest is None or newest[1] not in (*LIVE, "finished"):
            return
        begun_with = store.embedded(newest[0].execution)
        if begun_with is None:
            return
        slots, servers = begun_with
        if not self._asked:
            self.begun_with, self._count, self._servers = begun_with, slots, list(servers)
        elif begun_with != self.begun_with:
            given = " ".join(f"--server {url}" for url in servers) or f"--slots {slots} and no --server"
            raise InputError(
                f"{newest[0].execution} was begun with {given}, and is not measured on other servers: give the same, "
                f"or neither, or start anew: chimera run --fresh {self._plan.sweep_file}"
            )

    def _check_further(self) -> None:
        """Of several slots each needs further servers of its own; a resume needs those that the sweep names given again."""
        further = dict(further_servers(os.environ.get(ALSO, "")))
        if further and self._count > 1:
            raise InputError(
                f"--also goes with one slot, and here are {self._count}: they would share {', '.join(further)}. "
                "Start a worker for each: chimera worker --slot NAME --server URL --also NAME=URL"
            )
        lacking = [name for name in models_wanted(self._plan) if name is not None and name not in further]
        if lacking:
            at = where(self._plan.sweep_file, "workload.agents", "workload")
            raise InputError(
                f"{at}: an agent uses the further server {lacking[0]!r}: give it with --also {lacking[0]}=URL"
            )

    def _prepare_model(self) -> Path | None:
        """Return the file of the embedded model, ``None`` where the servers are the user's own."""
        if self._servers:
            return None
        if self._spec.server.kind == "ollama":
            self._servers = [OLLAMA_URL] * self._count
            if self._count > 1:
                raise SetupError("--slots with Ollama: give each slot its own server with --server URL")
            return None
        wanted = models_wanted(self._plan).get(None, {})
        others = sorted(wanted.keys() - {local_server.MODEL})
        if others:
            raise SetupError(
                f"{wanted[others[0]]}: the embedded model server has only {local_server.MODEL!r}, the sweep wants "
                f"{', '.join(sorted(wanted))}: give a server that has it with --server URL"
            )
        return local_server.model_file()

    def _forget_the_dead(self) -> None:
        """Drop what a killed run left: this home's lock is ours, so nobody else can hold it.

        Messages too: a resume publishes what is missing anew, and another sweep must not wait for them. Executions are
        paused: the aggregator of another sweep's run must not go on with them.
        """
        client = connect(self.url)
        store = Store(client)
        for execution in store.running_executions():
            store.set_status(execution, "paused", after=("running",))
        signs = (
            "chimera:slot:*",
            "chimera:aggregator:*",
            lease_key("*"),
            claim_key("*", "*"),
            follower_key("*"),
        )
        messages = (pool_queue("*"), slot_queue("*"), AGGREGATE_QUEUE, "unacked*")
        for pattern in (*signs, *messages):
            for key in client.scan_iter(pattern):
                client.delete(key)

    def _start_servers(self, model_file: Path) -> None:
        threads = max(1, (os.cpu_count() or 1) // self._count)
        parallel = requests_at_a_time(self._plan)
        more = f", {parallel} requests at a time" if parallel > 1 else ""
        self._say(
            f"starting {self._count} model server(s): {local_server.MODEL} on {threads} core(s) each{more}"
        )
        for name in self.slot_names:
            port = free_port()
            command = [sys.executable, "-m", "producer.local_server", "--port", str(port)]
            command += [
                "--model-file",
                str(model_file),
                "--threads",
                str(threads),
                "--parallel",
                str(parallel),
            ]
            self._child(f"the model server of {name}", f"server-{name}", command)
            self._servers.append(f"http://127.0.0.1:{port}")
        self._server_wait_s = READY_S

    def _start_aggregator(self) -> None:
        self._child("the aggregator", "aggregator", [sys.executable, "-m", "worker", "--aggregator"])

    def _start_workers(self) -> None:
        self._say(f"starting {self._count} worker(s), each pinned to its slot, and the aggregator")
        workers = []
        for name, server in zip(self.slot_names, self._servers, strict=True):
            command = [sys.executable, "-m", "worker", "--slot", name]
            command += ["--pool", self._spec.pool, "--max-deadline", repr(self._spec.deadline)]
            command += ["--wait", repr(self._server_wait_s)]
            slot = f"the worker of slot {name}"
            workers.append(self._child(slot, f"worker-{name}", command, **{SERVER: server}))
        store = Store(connect(self.url))
        for name, worker, server in zip(self.slot_names, workers, self._servers, strict=True):
            try:
                worker.wait_until(partial(self._is_live, store, name), seconds=READY_S + 10)
            except SetupError as error:
                if redacted(server) not in str(error):
                    raise
                raise SetupError(
                    f"{where(self._plan.sweep_file, 'server')}: {error}. Start the model server, or name another one "
                    "with --server URL"
                ) from None

    def _is_live(self, store: Store, slot: str) -> bool:
        for child in self._all():
            child.check()
        return store.slot(slot) is not None and store.has_aggregator()

    def _child(self, name: str, log: str, command: list[str], **more: str) -> Child:
        file = self._home / "logs" / f"{log}.log"
        child = Child(name, command, log=file, environment={BROKER: self.url, **more})
        self._children.append(child)
        return child

    def _all(self) -> list[Child]:
        return ([self._redis.child] if self._redis else []) + self._children

    # --- stopping ---------------------------------------------------------------------------

    def _stop(self) -> None:
        """Stop all, Redis last; a job that runs is dropped and its lease with it."""
        for child in reversed(self._children):
            child.stop_now()
        self._children.clear()
        if self._redis is not None:
            with contextlib.suppress(redis.RedisError):  # where Redis is gone, the leases expire
                self._forget_the_dead()
            self._redis.withdraw()
            self._redis.child.stop(signal.SIGTERM)
            self._redis = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
