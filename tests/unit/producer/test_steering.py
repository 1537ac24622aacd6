"""Pausing, cancelling and resuming: what is refused and why, and what a resume starts on this machine."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from rich.console import Console

from contracts.failures import InputError
from contracts.redis_client import connect
from contracts.settings import BROKER, HOME
from contracts.store import Store
from contracts.store.keys import execution_key
from producer import control, manifest
from producer.control import ControlOptions, Steered, cancel, resume
from producer.manifest import make_manifest, versions
from producer.personas import MAX_CHARS, persona_text
from producer.redis_health import redis_findings
from tests.support.cluster_in_thread import ClusterInThread
from tests.support.rounds import Execution
from tests.support.sweeps import write_sweep


class Steering:
    """One execution, and the commands that steer it."""

    def __init__(self, begun: Execution, folder: Path, url: str | None) -> None:
        self.begun, self.store, self.x = begun, begun.store, begun.execution
        self.options = ControlOptions(str(folder / "sweep.yaml"), url, folder / "results")
        self._said = io.StringIO()
        self.console = Console(file=self._said, width=200)

    def resume(self) -> Steered:
        return resume(self.options, self.console)

    @property
    def said(self) -> str:
        return self._said.getvalue()


@pytest.fixture
def steering(tmp_path: Path, corpus: Path, store: Store, redis_url: str) -> Steering:
    begun = Execution(tmp_path, store, runs=2)
    store.next_generation(begun.execution)
    return Steering(begun, tmp_path, redis_url)


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (lambda store, x: store.set_finished(x), "finished; 'chimera resume' collects its report"),
        (lambda store, x: store.set_collected(x), "collected; its results are in the results folder"),
        (lambda store, x: store.abandon(x), "abandoned, as the sweep was begun anew"),
    ],
    ids=["finished", "collected", "abandoned"],
)
def test_what_is_over_is_not_cancelled(
    steering: Steering, end: Callable[[Store, str], None], why: str
) -> None:
    steering.store.set_finished(steering.x)
    end(steering.store, steering.x)
    with pytest.raises(InputError, match=f"{steering.x} can't be cancelled: it is {why}"):
        cancel(steering.options, steering.console, now=False, wait=False)


def test_a_changed_file_is_not_resumed_and_the_difference_is_shown(
    steering: Steering, tmp_path: Path
) -> None:
    write_sweep(tmp_path, runs=5)
    with pytest.raises(InputError) as caught:
        steering.resume()
    first, *differing, last = str(caught.value).splitlines()
    assert first.endswith(f"is not what {steering.x} was begun with; it is not resumed. What differs:")
    assert any("runs" in line for line in differing)
    assert f"chimera resume {steering.x}" in last and "chimera run" in last
    assert steering.store.resumed(steering.x) == 0


def test_a_changed_corpus_is_not_resumed(steering: Steering, corpus: Path) -> None:
    (corpus / "c.md").write_text("# Other notes\n")
    with pytest.raises(InputError, match="What differs"):
        steering.resume()


def test_what_somebody_else_follows_goes_on_there(
    steering: Steering, monkeypatch: pytest.MonkeyPatch
) -> None:
    steering.store.client.hset(execution_key(steering.x, "state"), "status", "paused")
    monkeypatch.setattr(control, "is_followed", lambda *_: True)
    steered = steering.resume()
    assert steered.folder is None and "it is followed elsewhere" in steering.said
    assert (steering.store.status(steering.x), steering.store.generation(steering.x)) == ("running", 2)


def test_without_a_broker_this_machine_s_parts_are_started_for_it(
    steering: Steering, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME, str(tmp_path / "home"))
    monkeypatch.delenv(BROKER, raising=False)
    asked: list[dict[str, Any]] = []
    watched: list[str] = []

    class Parts:
        """Stands for the embedded parts."""

        url = redis_url

        def __init__(self, *_: object, **options: Any) -> None:
            asked.append(options)

        def __enter__(self) -> Parts:
            return self

        def __exit__(self, *_: object) -> None:
            watched.append("stopped")

        def watch(self) -> None:
            watched.append("watched")

    monkeypatch.setattr(control, "Embedded", Parts)
    steering.options = ControlOptions(steering.options.which, None, tmp_path / "results", slots=2)
    with ClusterInThread(redis_url):
        folder = steering.resume().folder
    assert folder is not None and (folder / "report.html").is_file()
    assert asked[0]["slots"] == 2 and set(watched[:-1]) == {"watched"} and watched[-1] == "stopped"


# --- what a manifest says of this machine -------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_of_the_sweep_file_is_recorded_and_whether_it_was_changed(
    tmp_path: Path, corpus: Path, store: Store
) -> None:
    plan = Execution(tmp_path, store, runs=1).plan
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert make_manifest(plan).git_commit == head
    (corpus / "c.md").write_text("changed")
    assert make_manifest(plan).git_commit == f"{head}+dirty"


def test_what_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "_RECORDED", ("celery", "no-such-distribution"))
    assert set(versions()) == {"python", "prompts", "celery"}


# --- personas -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("colector", "is no persona that Chimera ships"),
        ("./nobody.txt", "the persona's file can't be read"),
        ("notes", "there is a file of the name 'notes': write ./notes for it"),
        ("./empty", f"a persona has 1 to {MAX_CHARS} characters, this one 0"),
        ("./long", f"this one {MAX_CHARS + 1}"),
        ("You are \0 brief.", None),
        ("You are brief." * 30, None),
    ],
    ids=["misspelt", "no file", "without ./", "empty", "too long", "a text", "a long text"],
)
def test_a_persona_that_is_none_is_told(tmp_path: Path, given: str, said: str | None) -> None:
    (tmp_path / "notes").write_text("You are brief.")
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "long").write_text("x" * (MAX_CHARS + 10))
    if said is None:
        assert persona_text(given, tmp_path) == given
        return
    with pytest.raises(InputError, match=said):
        persona_text(given, tmp_path)


# --- a Redis whose user may do little -----------------------------------------------------------


def test_of_a_user_that_may_not_ask_the_doctor_says_so(redis_url: str) -> None:
    client = connect(redis_url)
    client.acl_setuser(
        "small",
        enabled=True,
        passwords=["+secret"],
        keys=["*"],
        commands=["+ping", "+auth", "+hello", "+client"],
    )
    address = redis_url.rpartition("@")[2]
    try:
        found = list(
            redis_findings(connect(f"redis://small:secret@{address}"), f"redis://small:secret@{address}")
        )
    finally:
        client.acl_deluser("small")
    (finding,) = (one for one in found if "INFO" in one.what)
    assert finding.good is None and finding.advice == "ask as the producer's user"
    assert "user small may not ask for INFO" in finding.what and "secret" not in finding.what


def test_a_setting_that_may_not_be_read_is_not_known(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from producer import redis_health

    def refused(*_: object) -> None:
        raise redis.ResponseError("unknown command 'CONFIG'")

    assert redis_health._setting(connect(redis_url), "appendfsync") == "everysec"
    assert redis_health._setting(SimpleNamespace(config_get=refused), "appendfsync") is None  # type: ignore[arg-type]
