"""``chimera init``: what a model server has → a commented sweep file."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from analysis.files import write_atomically
from contracts.failures import ChimeraError, InputError, SetupError
from producer import local_server
from producer.documents import FoundServer, InitDocument
from producer.init.servers import NOTHING, USUAL, Look, look_at
from producer.init.sweep import EMBEDDED, WorkloadKind, found_paths, sweep_text
from producer.progress import say_line

STDOUT = "-"
GIVEN_S = 15.0
USUAL_S = 3.0
"""How long a server that was named, and those that are guessed, have to answer all that is asked."""


@dataclass(frozen=True)
class InitOptions:
    """What ``chimera init`` was asked."""

    file: Path = Path("sweep.yaml")
    """``-``: standard output."""
    server: str | None = None
    workload: WorkloadKind | None = None
    """``None``: an agent, or prompts where there is nothing for it to read."""
    force: bool = False
    as_json: bool = False


def init(options: InitOptions, console: Console) -> InitDocument:
    """Look at model servers, write the sweep file, and say what comes next.

    Raises:
        InputError: the file is there already, or can't be written.
        SetupError: nothing usable answers at ``options.server``.
    """
    to_stdout = str(options.file) == STDOUT
    if to_stdout and options.as_json:
        raise InputError("--json and FILE '-' both want standard output: give a file")
    if not to_stdout:
        _check_place(options.file, options.force)
    looks = look_at([options.server], GIVEN_S) if options.server else look_at(list(USUAL), USUAL_S)
    for look in looks:
        if look.said != NOTHING or options.server:
            say_line(console, f"looked at {look.url}: {look.said}")
    chosen = next((look for look in looks if look.server is not None), None)
    if chosen is None and options.server:
        url = looks[0].url
        to_do = (
            "Give its address without /v1"
            if url.rstrip("/").endswith("/v1")
            else "Start the server or load a model into it, or leave --server (and CHIMERA_SERVER) out to look at the "
            "usual ports of this machine"
        )
        raise SetupError(f"nothing at {url} that can be measured: {looks[0].said}. {to_do}")
    server = EMBEDDED if chosen is None or chosen.server is None else chosen.server
    if chosen is None:
        asked = ", ".join(f"{name} ({url.rpartition(':')[2]})" for url, name in USUAL.items())
        say_line(
            console,
            f"no model server at the usual ports of this machine, {asked}: --server URL names another one; "
            f"so the sweep is for the embedded server, llama.cpp with {local_server.MODEL}",
        )
        _say_whether_installed(console)
    base_dir = Path.cwd() if to_stdout else options.file.parent
    paths = found_paths(base_dir) if options.workload != "prompts" else []
    workload = options.workload or ("agent" if paths else "prompts")
    commands = _next(options.file, chosen)
    text = sweep_text(options.file.stem, workload, server, paths, commands)
    if to_stdout:
        sys.stdout.write(text)
    else:
        _write(options.file, text, options.force)
        say_line(console, f"written: {options.file}, for {server.model} ({server.described})")
    if options.workload != "prompts" and not paths:
        nothing = f"no csv, json or md file in {base_dir}, or in corpus, data or docs there, that an agent could read: "
        asked = "name yours under 'paths'" if options.workload else "so it is a load of made prompts"
        say_line(console, nothing + asked)
    say_line(console, "next: " + "\n      ".join(commands))
    return InitDocument(
        file=str(options.file),
        workload=workload,
        model=server.model,
        server=None if chosen is None else _found(chosen),
        looked_at={look.url: look.said for look in looks},
        next=tuple(commands),
    )


def _check_place(file: Path, force: bool) -> None:
    if file.is_dir():
        raise InputError(f"{file} is a folder: give the name of a file in it, such as {file / 'sweep.yaml'}")
    if not file.parent.is_dir():
        raise InputError(f"{file.parent}: no such folder: make it, or give another FILE")
    if not force and os.path.lexists(file):
        raise InputError(f"{file} exists: give another FILE, or --force to overwrite it")


def _write(file: Path, text: str, force: bool) -> None:
    try:
        if force:
            write_atomically(file, text)
        else:
            with file.open("x", encoding="utf-8") as stream:
                stream.write(text)
    except FileExistsError:
        raise InputError(f"{file} exists: give another FILE, or --force to overwrite it") from None
    except OSError as error:
        raise InputError(f"can't write {file}: {error.strerror or error}; give another FILE") from None


def _say_whether_installed(console: Console) -> None:
    try:
        local_server.check_installed()
    except ChimeraError as error:
        say_line(console, str(error))


def _next(file: Path, chosen: Look | None) -> list[str]:
    """Return the command lines that use the file; none holds a password."""
    name = "FILE" if str(file) == STDOUT else shlex.quote(str(file))
    server = "" if chosen is None else f" --server {shlex.quote(chosen.url)}"
    return [f"chimera plan {name}", f"chimera run {name}{server}"]


def _found(look: Look) -> FoundServer:
    assert look.server is not None
    server = look.server
    return FoundServer(
        url=look.url, kind=server.kind, software=server.software, models=(server.model, *server.others)
    )
