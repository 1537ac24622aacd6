"""Flower on Chimera's broker: jobs by their readable names, workers by their slots. It shows; it changes nothing."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from pathlib import Path

from contracts.failures import SetupError
from contracts.settings import FLOWER_AUTH
from contracts.tls import is_loopback

MAX_TASKS = 20_000
"""Tasks that Flower keeps: about 100 MB."""
STATE_SAVED_EVERY_MS = 60_000
"""What a Flower that is killed forgets; one that is asked to end forgets nothing."""
GONE_AFTER_S = 86_400
"""Workers without a sign of life for so long are no longer listed, nor told of to Prometheus."""
RUNTIME_BUCKETS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0)
"""Flower's own end at 10 s; many a job takes longer."""
MIN_PASSWORD = 12
"""Characters of a password that is asked for over a network."""

_CONFIGURATION = Path(__file__).with_name("flower_config.py")
_BASIC_AUTH = "FLOWER_BASIC_AUTH"


def command(address: str, port: int, state: Path | None = None) -> list[str]:
    """Return Flower's command line; it never holds a password.

    ``state``: the file in which Flower keeps what it shows.

    Raises:
        SetupError: the port is taken, or the state can't be kept there.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.strip("[]"), port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise SetupError(f"port {port} is taken: give another one with --port") from None
            raise SetupError(f"Flower can't listen on {address}, port {port}: {error.strerror}") from None
    options = [
        f"--address={address}",
        f"--port={port}",
        f"--conf={_CONFIGURATION}",
        # A task that is revoked here would be missing from its sweep: 'chimera cancel' and 'pause' know how.
        "--read_only=True",
        f"--max_tasks={MAX_TASKS}",
        f"--purge_offline_workers={GONE_AFTER_S}",
        # The newest stand first only where 'received' is among them.
        "--tasks_columns=name,state,worker,received,runtime",
        "--task_runtime_metric_buckets=" + ",".join(f"{bound:g}" for bound in RUNTIME_BUCKETS_S),
    ]
    if state is not None:
        options += [
            "--persistent=True",
            f"--db={_kept(state)}",
            f"--state_save_interval={STATE_SAVED_EVERY_MS}",
        ]
    return [sys.executable, "-m", "celery", "-A", "worker.app", "flower", *options]


def environment(address: str, auth_file: Path | None) -> dict[str, str]:
    """Return the variables that Flower needs beside the broker's.

    Raises:
        SetupError: the address can be reached from elsewhere and there is no password; or it can't be used.
    """
    given = _given(auth_file)
    if not given and not is_loopback(address):
        raise SetupError(
            f"Flower shows all to everybody who reaches {address}: give user and password with --auth-file FILE "
            f"or {FLOWER_AUTH}=user:password, or let it listen on 127.0.0.1"
        )
    for pair in given:
        user, separator, password = pair.partition(":")
        if not user or not separator or len(password) < MIN_PASSWORD or "," in pair:
            raise SetupError(
                f"Flower's password must be given as user:password, without commas, of {MIN_PASSWORD} characters "
                "or more; several are separated by commas, or a line each in a file"
            )
    return {_BASIC_AUTH: ",".join(given)} if given else {}


def _kept(state: Path) -> Path:
    """Return the state's absolute path; its folder is made where it is not there."""
    folder = state.absolute().parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        everybody = folder.stat().st_mode & stat.S_IWOTH
    except OSError as error:
        raise SetupError(f"Flower's state can't be kept in {folder}: {error.strerror}") from None
    if everybody:
        # It is a pickle: who can put another one there decides what Flower carries out.
        raise SetupError(f"everybody can write into {folder}: give Flower's state a folder of its own")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SetupError(f"Flower's state can't be kept in {folder}: it can't be written to by this user")
    return state.absolute()


def _given(auth_file: Path | None) -> list[str]:
    if auth_file is None:
        return [pair.strip() for pair in os.environ.get(FLOWER_AUTH, "").split(",") if pair.strip()]
    try:
        if auth_file.stat().st_mode & 0o077:
            raise SetupError(f"{auth_file} can be read by others: chmod 600 {auth_file}")
        lines = auth_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise SetupError(f"{auth_file} can't be read: {error}") from None
    pairs = [line.strip() for line in lines if line.strip()]
    if not pairs:
        raise SetupError(f"{auth_file} holds no user:password")
    return pairs
