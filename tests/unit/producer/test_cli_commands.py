"""Commands called as the program calls them: what they start, ask, print and end with."""

from __future__ import annotations

import json
import os
import runpy
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from celery.app.control import Inspect

from contracts import logs
from contracts.queues import AGGREGATE_QUEUE, pool_queue
from contracts.settings import ALSO, BROKER, FLOWER_AUTH, FLOWER_STATE, HOME, SERVER, SERVERS
from contracts.store import Store
from producer import calibrate as calibrate_module
from producer.cli import cli, completing
from producer.cli.exits import OK, RESULT_SAYS_NO, WRONG
from producer.embedded_redis import free_port
from tests.support.cluster_in_thread import ClusterInThread, a_floor, a_slot
from tests.support.command_line import Chimera, in_process
from tests.support.rounds import Execution
from tests.support.sweeps import write_sweep


@pytest.fixture
def chimera(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Chimera:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in (BROKER, SERVER, SERVERS, ALSO, HOME, FLOWER_AUTH, FLOWER_STATE, logs.LOG_FORMAT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("producer.cli.sweeps._end_by_interrupt", lambda: None)

    return in_process(monkeypatch, capsys)


# --- parts of a cluster: the process becomes another one -----------------------------------------


class _Became(BaseException):
    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.command, self.environment = command, environment


@pytest.fixture
def becomes(
    chimera: Chimera, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[list[str], dict[str, str]]]:
    """Return the arguments and the environment of what a command becomes."""

    def execve(path: str, command: list[str], environment: dict[str, str]) -> None:
        assert path == command[0] == sys.executable
        raise _Became(command, environment)

    monkeypatch.setattr(os, "execve", execve)

    def run(*arguments: object) -> tuple[list[str], dict[str, str]]:
        with pytest.raises(_Became) as became:
            chimera(*arguments)
        return became.value.command[1:], became.value.environment

    return run


URL = "redis://127.0.0.1:1/0"


def test_a_worker_gets_its_slot_by_arguments_and_its_addresses_by_the_environment(
    becomes: Callable[..., tuple[list[str], dict[str, str]]],
) -> None:
    options = ("--slot", "g0", "--server", "http://127.0.0.1:2", "--gpu", "0", "--metrics-port", "9101")
    command, environment = becomes("worker", *options, "--also", "b=http://127.0.0.1:3", "--broker", URL)
    line = " ".join(command)
    assert line.startswith("-m worker --slot g0 --pool default --gpu 0 --max-deadline ")
    assert line.endswith("--log-format text --metrics-port 9101 --metrics-address 127.0.0.1")
    assert "http" not in line and "redis" not in line
    assert (environment[BROKER], environment[SERVER]) == (URL, "http://127.0.0.1:2")
    assert environment[ALSO] == "b=http://127.0.0.1:3"


def test_a_worker_without_a_gpu_or_metrics_is_told_of_none(
    becomes: Callable[..., tuple[list[str], dict[str, str]]],
) -> None:
    command, environment = becomes("worker", "--slot", "g0", "--server", "http://h", "--broker", URL)
    assert "--gpu" not in command and "--metrics-port" not in command and ALSO not in environment


@pytest.mark.parametrize(
    ("options", "more"), [((), []), (("--processes", "3"), ["--processes", "3"])], ids=["default", "3"]
)
def test_an_aggregator(
    becomes: Callable[..., tuple[list[str], dict[str, str]]], options: tuple[str, ...], more: list[str]
) -> None:
    command, environment = becomes("aggregator", *options, "--log-format", "json", "--broker", URL)
    expected = ["-m", "worker", "--aggregator", "--loglevel", "info", *more, "--log-format", "json"]
    assert command == expected and environment[BROKER] == URL


def test_flower_keeps_its_password_out_of_its_arguments(
    becomes: Callable[..., tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FLOWER_AUTH, "watcher:long-enough-word")
    command, environment = becomes("flower", "--port", free_port(), "--broker", URL)
    assert "flower" in command and not [word for word in command if "long-enough" in word or URL in word]
    assert environment["FLOWER_BASIC_AUTH"] == "watcher:long-enough-word"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("aggregator",), "no broker: give --broker redis://"),
        (("worker", "--slot", "g0", "--server", "http://h", "--also", "b", "--broker", URL), "NAME=URL"),
        (("flower", "--address", "0.0.0.0", "--broker", URL), "--auth-file"),
        (("run", "s.yaml", "--also", "b=http://h", "--broker", URL), "--also"),
    ],
    ids=["no broker", "no name", "no password", "also in a cluster"],
)
def test_what_is_missing_is_said_before_anything_starts(
    chimera: Chimera, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = chimera(*arguments)
    assert (code, out) == (WRONG, "") and said in err


# --- run, pause, resume, cancel -----------------------------------------------------------------


@pytest.fixture
def sweep(tmp_path: Path, corpus: Path) -> Path:
    return write_sweep(tmp_path, runs=1)


def test_a_run_ends_with_the_place_of_its_report(chimera: Chimera, sweep: Path, redis_url: str) -> None:
    with ClusterInThread(redis_url):
        code, out, _ = chimera("run", sweep, "--broker", redis_url)
    assert code == OK and "on slot(s) s0" in out
    last = out.strip().splitlines()[-1]
    assert last.startswith("report: ") and Path(last.removeprefix("report: ")).is_file()


def test_with_json_a_run_prints_one_document_and_tells_on_standard_error(
    chimera: Chimera, sweep: Path, redis_url: str
) -> None:
    with ClusterInThread(redis_url):
        code, out, err = chimera("run", sweep, "--json", "--broker", redis_url)
    tree = json.loads(out)
    assert code == OK and tree["sweep"] == "test" and "on slot(s) s0" in err


def test_with_json_logs_a_run_s_lines_are_records(
    chimera: Chimera, sweep: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []

    def write(_: logs.LineStream, text: str) -> int:
        lines.append(text)
        return len(text)

    monkeypatch.setattr(logs, "setup", lines.append)
    monkeypatch.setattr(logs.LineStream, "write", write)
    with ClusterInThread(redis_url):
        code, out, _ = chimera("run", sweep, "--log-format", "json", "--broker", redis_url)
    assert (code, out) == (OK, "") and os.environ[logs.LOG_FORMAT] == "json"
    assert lines[0] == "json" and any("on slot(s) s0" in line for line in lines)


def test_an_execution_is_paused_resumed_and_cancelled_by_its_name(
    chimera: Chimera, tmp_path: Path, corpus: Path, store: Store, redis_url: str
) -> None:
    x = Execution(tmp_path, store, runs=1).execution
    store.next_generation(x)
    code, out, err = chimera("pause", x, "--json", "--broker", redis_url)
    assert (code, json.loads(out)["status"], store.status(x)) == (OK, "paused", "paused")
    assert f"chimera resume {x}" in err
    code, out, _ = chimera("cancel", x, "--no-wait", "--broker", redis_url)
    assert code == OK and "0 job(s) that run are finished first" in out and store.status(x) == "cancelled"
    code, _, err = chimera("pause", x, "--broker", redis_url)
    assert code == WRONG and f"{x} can't be paused: it is cancelled" in err
    store.set_finished(x)
    code, out, _ = chimera("resume", x, "--broker", redis_url)
    assert (code, store.status(x)) == (OK, "collected") and "report: results/test/" in out
    code, _, err = chimera("resume", x, "--broker", redis_url)
    assert code == WRONG and "'chimera run' starts anew" in err


def test_running_jobs_are_killed_where_that_is_asked_for(
    chimera: Chimera, tmp_path: Path, corpus: Path, store: Store, redis_url: str
) -> None:
    begun = Execution(tmp_path, store, runs=1)
    store.next_generation(begun.execution)
    store.start_job(begun.execution, begun.jobs()[0].job_id, title="t", slot="s0")
    with store.client.pubsub() as heard:  # type: ignore[no-untyped-call]
        heard.psubscribe("*pidbox*")
        assert heard.get_message(timeout=10) is not None
        code, out, _ = chimera("cancel", begun.execution, "--now", "--no-wait", "--broker", redis_url)
        message = heard.get_message(timeout=10)
    assert code == OK and "1 job(s) that run are killed" in out
    assert message is not None and "pidbox" in str(message["channel"])


def test_the_plan_of_a_sweep_is_a_table(chimera: Chimera, sweep: Path) -> None:
    code, out, _ = chimera("plan", sweep, "--slots", "2")
    assert code == OK and "2 = 2 configurations × 1 runs" in out
    assert "not known: no earlier run of this sweep" in out and "on 2 slot(s)" in out


# --- upkeep -------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate_module, "POLL_S", 0.005)


def test_named_slots_alone_are_calibrated(chimera: Chimera, redis_url: str, quick: None) -> None:
    slots = (a_slot(), a_slot("s1"))
    with ClusterInThread(redis_url, *slots, answer={"floor": a_floor().model_dump(mode="json")}):
        code, out, _ = chimera("calibrate", "--slot", "s0", "--json", "--broker", redis_url)
    assert code == OK and [floor["slot"] for floor in json.loads(out)] == ["s0"]


def test_where_no_slot_could_be_calibrated_the_result_says_no(
    chimera: Chimera, redis_url: str, quick: None
) -> None:
    with ClusterInThread(redis_url, answer={"problem": "no port"}):
        code, out, err = chimera("calibrate", "--broker", redis_url)
    assert code == RESULT_SAYS_NO and "slot s0 was not calibrated: no port" in err and "s0" not in out


@pytest.mark.parametrize(
    ("arguments", "live", "said"),
    [
        (("--slot", "s9"), True, "no live slot s9; live slots: s0"),
        ((), False, "no slot is live. Start one: chimera worker"),
    ],
    ids=["unknown", "none live"],
)
def test_a_slot_that_is_not_there_is_named(
    chimera: Chimera, store: Store, redis_url: str, arguments: tuple[str, ...], live: bool, said: str
) -> None:
    if live:
        store.put_slot(a_slot(), ttl_s=60)
    code, _, err = chimera("calibrate", *arguments, "--broker", redis_url)
    assert code == WRONG and said in err


def test_without_a_broker_this_machine_is_calibrated_and_it_has_no_slots(
    chimera: Chimera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate_module, "calibrate_here", lambda: a_floor(None))
    code, out, _ = chimera("calibrate")
    assert code == OK and "kernel" in out and "+0.100" in out
    code, _, err = chimera("calibrate", "--slot", "s0")
    assert code == WRONG and "--slot needs a broker" in err


def test_the_doctor_prints_a_line_for_each_part_and_what_to_do(
    chimera: Chimera, store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues = {"a@h": [{"name": AGGREGATE_QUEUE}], "s0@h": [{"name": pool_queue("test")}]}
    monkeypatch.setattr(Inspect, "active_queues", lambda _: queues)
    store.put_slot(a_slot(floor=None), ttl_s=60)
    code, out, _ = chimera("doctor", "--broker", redis_url)
    lines = out.splitlines()
    assert code == OK and "ok  aggregator a@h" in lines
    at = lines.index("--  floor      s0 is not calibrated")
    assert lines[at + 1].strip() == "→ measure it: chimera calibrate"
    store.drop_slot("s0")
    code, out, _ = chimera("doctor", "--broker", redis_url)
    assert code == RESULT_SAYS_NO and "!!  slots      none is live" in out.splitlines()


# --- results ------------------------------------------------------------------------------------


@pytest.fixture
def folder(chimera: Chimera, sweep: Path, redis_url: str, tmp_path: Path) -> Path:
    with ClusterInThread(redis_url):
        assert chimera("run", sweep, "--broker", redis_url)[0] == OK
    (found,) = (tmp_path / "results" / "test").iterdir()
    return found


def test_results_are_read_again_by_every_command(chimera: Chimera, folder: Path, tmp_path: Path) -> None:
    code, out, _ = chimera("report", folder, "--out", tmp_path / "again", "--each", "configuration", "--json")
    assert (
        code == OK and json.loads(out)["sweep"] == "test" and (tmp_path / "again" / "report.html").is_file()
    )
    code, out, _ = chimera("compare", folder, folder, "--out", tmp_path / "both")
    assert code == OK and f"written: {tmp_path / 'both' / 'compare.md'}" in out
    code, out, _ = chimera("export", folder, "--out", tmp_path / "stages.csv", "--json")
    assert code == OK and (tmp_path / "stages.csv").is_file() and json.loads(out)


def test_figures_of_a_text_are_checked(chimera: Chimera, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "text.md").write_text("There are 3 files. There are 4711 files.")
    code, out, _ = chimera("ground", "text.md", "--paths", "corpus", "--json")
    verdicts = {row["figure"]: row["verdict"] for row in json.loads(out)}
    assert code == OK and verdicts == {"3": "supported", "4711": "not_found"}


# --- the program itself -------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_s_script_completes_chimera(
    chimera: Chimera, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    # click asks bash for its version
    monkeypatch.setattr("click.shell_completion.BashComplete._check_version", lambda *_: None)
    code, out, _ = chimera("completion", shell)
    assert code == OK and "_CHIMERA_COMPLETE" in out


def test_init_writes_a_file_and_prints_its_document(
    chimera: Chimera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.init.USUAL", {"http://127.0.0.1:1": "nobody"})
    code, out, err = chimera("init", "load.yaml", "--workload", "prompts", "--json")
    assert code == OK and json.loads(out)["file"] == "load.yaml" and "written: load.yaml" in err
    assert (tmp_path / "load.yaml").is_file()


def test_python_m_producer_is_chimera(
    chimera: Chimera, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["chimera", "version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("producer.__main__")
    assert ended.value.code == OK and capsys.readouterr().out.startswith("chimera ")


def test_a_password_in_the_arguments_is_hidden_first(
    chimera: Chimera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys, "orig_argv", ["python", "chimera", "status", "--broker", "redis://:geheim@h:1/0"]
    )

    def execve(path: str, command: list[str], environment: dict[str, str]) -> None:
        raise _Became(command, environment)

    monkeypatch.setattr(os, "execve", execve)
    with pytest.raises(_Became) as became:
        chimera("status", "--broker", "redis://:geheim@h:1/0")
    assert became.value.environment[BROKER] == "redis://:geheim@h:1/0"
    assert not [word for word in became.value.command if "geheim" in word]


# --- completion ---------------------------------------------------------------------------------


def completed(command: str, parameter: str, incomplete: str, broker: str | None) -> list[tuple[str, str]]:
    assert isinstance(cli, click.Group)
    of = cli.commands[command]
    (found,) = (p for p in of.params if p.name == parameter)
    context = click.Context(of)
    context.params = {"broker": broker}
    return [(item.value, item.type) for item in found.shell_complete(context, incomplete)]


@pytest.fixture
def named(tmp_path: Path, corpus: Path, store: Store) -> Iterator[str]:
    x = Execution(tmp_path, store, runs=1).execution
    store.put_slot(a_slot("g0"), ttl_s=60)
    store.put_slot(a_slot("h0"), ttl_s=60)
    yield x


def test_names_of_the_store_are_completed(named: str, redis_url: str) -> None:
    assert completed("status", "which", "", redis_url) == [(named, "plain"), ("test", "plain")]
    assert completed("pause", "which", named[:4], redis_url) == [(named, "plain")]
    assert completed("calibrate", "names", "g", redis_url) == [("g0", "plain")]


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:1/0", "no URL", None], ids=["dead", "wrong", "none"])
def test_where_nobody_tells_files_are_completed_and_nothing_is_said(
    broker: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv(BROKER, raising=False)
    monkeypatch.setenv(HOME, str(tmp_path))
    assert completed("status", "which", "sw", broker) == [("sw", "file")]
    assert completed("calibrate", "names", "", broker) == []
    assert capfd.readouterr() == ("", "")


def test_a_broker_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completing, "ASK_S", 0.01)
    over = threading.Event()

    def waits(*_: Any) -> None:
        over.wait(20)

    monkeypatch.setattr("producer.broker.find_broker", waits)
    try:
        assert completed("calibrate", "names", "", None) == []
    finally:
        over.set()
