"""The one-machine default with a model server that asks for a password: nobody else of the machine may read it."""

from __future__ import annotations

from pathlib import Path

from contracts.settings import HOME
from tests.support.cluster import Shell, start_reference_server, wait_for
from tests.support.secured_redis import MARK
from tests.support.sweeps import write_sweep


def command_lines(shell: Shell) -> dict[str, str]:
    """Return those of all processes that have the shell's home, by pid."""
    marker, found = f"{HOME}={shell.home}".encode(), {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (process / "environ").read_bytes():
                found[process.name] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def test_the_servers_password_is_in_no_argument_log_or_result(tmp_path: Path, corpus: Path) -> None:
    server, url = start_reference_server(tmp_path, ttft_ms=50, itl_ms=5, tokens=10)
    shell = Shell(tmp_path)
    secret = url.replace("://", f"://bob:{MARK}@")
    try:
        process = shell.start("run", str(write_sweep(tmp_path, runs=3)), "--server", secret)
        lines = wait_for(
            lambda: (now := command_lines(shell)) and any("--slot" in line for line in now.values()) and now,
            what="the worker is started",
        )
        assert MARK not in " ".join(lines.values())
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0 and MARK not in output, output
    finally:
        server.stop_now()
    written = [*(tmp_path / "results").rglob("*"), *(shell.home / "logs").iterdir()]
    assert {"worker-local0.log", "report.html", "manifest.json"} <= {path.name for path in written}
    assert not [path for path in written if path.is_file() and MARK.encode() in path.read_bytes()]
