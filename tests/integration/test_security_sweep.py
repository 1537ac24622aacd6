"""One sweep on a Redis as docs/security.md sets it up: mutual TLS, a user for each role, signed messages, Flower.

A worker is killed in the middle, so that leases expire and the reconciler acts. Where no server with TLS is there, all
but what is about TLS is tested without it.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import psutil
import pytest
import yaml
from celery.backends.redis import RedisBackend

from contracts.celery_app import make_app
from contracts.failures import BrokerError
from contracts.redis_client import check, connect
from contracts.settings import FLOWER_AUTH, SIGNING_KEY_FILE
from producer.embedded_redis import free_port
from producer.processes import Child
from tests.support.cluster import POOL, READY_S, Cluster, calls_of, wait_for
from tests.support.secured_redis import MARK, Authority, SecuredRedis, has_tls
from tests.support.sweeps import sweep_tree

FLOWER_USER, FLOWER_PASSWORD = "watcher", f"{MARK}-of-flower"
SIGNING_KEY = f"{MARK}-key-{'0' * 40}"
PAGES = (
    *("/", "/workers", "/workers?json=1&refresh=1", "/worker/s0@{host}", "/tasks", "/broker", "/metrics"),
    *("/api/workers", "/api/tasks?limit=100", "/api/queues/length", "/api/task/types"),
)


@dataclass
class Sweep:
    """What is left of the sweep, and what was seen while it ran."""

    server: SecuredRedis
    cluster: Cluster
    run: Child
    flower: str
    log: str
    children: dict[str, Child]
    command_lines: dict[str, str]
    pages: dict[str, str] = field(default_factory=dict)
    denied: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.cluster.folder

    @property
    def results(self) -> Path:
        (found,) = (self.folder / "results" / "test").iterdir()
        return found


class Secured(Cluster):
    """A cluster whose processes come in as the users of their roles."""

    def __init__(self, server: SecuredRedis, folder: Path) -> None:
        self._server = server
        self._query = server.tls_query if server.authority else {}
        super().__init__(server.url("admin", **self._query), folder)

    def slot(self, name: str, server: str, *, pool: str = POOL, max_deadline: float = 60) -> Child:
        """Start it as a user does, by a command line that holds the model server's password."""
        server = server.replace("://", f"://bob:{MARK}-of-server@")
        arguments = ["worker", "--slot", name, "--server", server, "--pool", pool, "--loglevel", "info"]
        worker = self.python(f"worker-{name}", "-m", "producer", *arguments)
        worker.wait_until(lambda: self.store.slot(name) is not None, seconds=READY_S)
        return worker

    def as_role(self, role: str) -> Secured:
        self.url = self._server.url(role, **self._query)
        return self


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    folder = tmp_path_factory.mktemp("secured")
    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "a.csv").write_text("model,tok_s\nsmall,101.5\nlarge,42.25\n")
    sweep_file = folder / "sweep.yaml"
    sweep_file.write_text(yaml.safe_dump(sweep_tree(runs=2), sort_keys=False))
    keys = folder / "signing.keys"
    keys.write_text(SIGNING_KEY + "\n")
    keys.chmod(0o600)
    authority = Authority(folder / "ca")
    server = SecuredRedis(folder / "redis", authority if has_tls(folder, authority) else None)
    cluster = Secured(server, folder)
    before = {name: os.environ.get(name) for name in (SIGNING_KEY_FILE, FLOWER_AUTH)}
    os.environ |= {SIGNING_KEY_FILE: str(keys), FLOWER_AUTH: f"{FLOWER_USER}:{FLOWER_PASSWORD}"}
    try:
        yield _carry_out(server, cluster, sweep_file)
    finally:
        cluster.stop()
        server.stop()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _carry_out(server: SecuredRedis, cluster: Secured, sweep_file: Path) -> Sweep:
    model_server = cluster.reference_server(ttft_ms=150, itl_ms=10, tokens=40)
    children = {"aggregator": cluster.as_role("aggregator").aggregator()}
    port = free_port()
    flower = cluster.as_role("flower").python("flower", "-m", "producer", "flower", "--port", str(port))
    children |= {"flower": flower, "worker": cluster.as_role("worker").slot("s0", model_server)}
    run = children["run"] = cluster.as_role("producer").start_run(sweep_file)
    wait_for(lambda: len(calls_of(model_server)) >= 1 or not run.alive, what="the first job measures")
    lines = {name: _command_lines(child.pid) for name, child in children.items() if child.alive}
    log = cluster.folder / "worker-s0.log"
    os.kill(children["worker"].pid, signal.SIGKILL)
    children["worker"].wait(10)
    children["worker"] = cluster.as_role("worker").slot("s0", model_server)
    wait_for(lambda: not run.alive, seconds=150, what="the sweep completes")
    made = Sweep(server, cluster, run, f"http://127.0.0.1:{port}", log.read_text(), children, lines)
    _look_at_flower(made)
    made.denied = server.denied()
    return made


def _command_lines(pid: int) -> str:
    process = psutil.Process(pid)
    seen = [" ".join(one.cmdline()) for one in (process, *process.children(recursive=True))]
    return "\n".join(seen)


def _look_at_flower(sweep: Sweep) -> None:
    login = (FLOWER_USER, FLOWER_PASSWORD)

    def get(path: str) -> httpx.Response:
        return httpx.get(sweep.flower + path, auth=login, timeout=20)

    def workers() -> dict[str, Any]:
        sweep.children["flower"].check()
        try:
            found: dict[str, Any] = get("/api/workers?refresh=1").json()
        except (httpx.HTTPError, json.JSONDecodeError):
            return {}
        return found

    names = wait_for(lambda: [n for n in workers() if n.startswith("s0@")], what="Flower knows the worker")
    host = names[0].partition("@")[2]
    for page in (path.format(host=host) for path in PAGES):
        answer = get(page)
        assert answer.status_code == 200, (page, answer.text)
        sweep.pages[page] = answer.text
    for task in json.loads(sweep.pages["/api/tasks?limit=100"]):
        sweep.pages[f"/task/{task}"] = get(f"/task/{task}").text


def test_the_sweep_completes_with_its_report(sweep: Sweep) -> None:
    assert sweep.run.returncode == 0, sweep.run.log.read_text()
    assert (sweep.results / "report.html").is_file()
    summary = json.loads((sweep.results / "summary.json").read_text())
    assert [c["runs"] for c in summary["configurations"]] == [2, 2]
    jobs = [json.loads(line) for line in (sweep.results / "stages.jsonl").read_text().splitlines()]
    assert {line["outcome"] for line in jobs} == {"ok"}
    assert 2 in {line["attempt"] for line in jobs}  # that of the worker that was killed


def test_nobody_was_denied_what_is_needed(sweep: Sweep) -> None:
    assert sorted(set(sweep.denied)) == []


def test_no_password_and_no_key_is_in_any_log_report_or_event(sweep: Sweep) -> None:
    ours = (sweep.folder / "signing.keys",)
    files = [path for path in sweep.folder.rglob("*") if path.is_file() and path not in ours]
    assert {"worker-s0.log", "flower.log", "redis.log", "report.html"} <= {path.name for path in files}
    assert not [path for path in files if MARK.encode() in path.read_bytes()]
    slot = sweep.cluster.store.slot("s0")
    assert slot is not None and slot.server.startswith("http://127.0.0.1:")


def test_no_password_is_in_the_list_of_processes(sweep: Sweep) -> None:
    assert set(sweep.command_lines) >= {"aggregator", "flower", "worker", "run"}
    assert "--slot" in sweep.command_lines["worker"]
    for name, lines in sweep.command_lines.items():
        assert lines and MARK not in lines, name


def test_no_password_is_on_flowers_pages_and_no_argument_either(sweep: Sweep) -> None:
    assert any("test / temperature=0.2 / run 1" in page for page in sweep.pages.values())
    assert len([path for path in sweep.pages if path.startswith("/task/")]) >= 6
    for path, page in sweep.pages.items():
        assert MARK not in page and "PRIVATE KEY" not in page, path
        assert str(sweep.folder / "corpus") not in page, path


def test_flower_shows_queues_and_what_a_worker_takes_from(sweep: Sweep) -> None:
    assert {"chimera.pool.test", "chimera.aggregate"} <= set(
        re.findall(r"chimera[.a-z]+", sweep.pages["/broker"])
    )
    (worker,) = (page for path, page in sweep.pages.items() if path.startswith("/worker/"))
    assert "chimera.slot.s0" in worker


def test_flower_asks_for_the_password_on_every_page_but_its_health(sweep: Sweep) -> None:
    paths = [path for path in sweep.pages if not path.startswith("/task/")]
    for login in (None, (FLOWER_USER, "wrong-password"), ("", "")):
        answers = {path: httpx.get(sweep.flower + path, auth=login, timeout=20) for path in paths}
        assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(paths, 401)
        assert not [path for path, answer in answers.items() if "s0@" in answer.text]
    health = httpx.get(f"{sweep.flower}/healthcheck", timeout=20)
    assert (health.status_code, health.text) == (200, "OK")


def test_flower_shows_and_changes_nothing(sweep: Sweep) -> None:
    login = (FLOWER_USER, FLOWER_PASSWORD)
    (worker,) = (n for n in json.loads(sweep.pages["/api/workers"]) if n.startswith("s0@"))
    for path in (
        f"/api/worker/shutdown/{worker}",
        f"/api/worker/pool/restart/{worker}",
        "/api/task/revoke/x",
    ):
        answer = httpx.post(sweep.flower + path, auth=login, timeout=20)
        assert answer.status_code in (403, 405), (path, answer.text)
    assert sweep.children["worker"].alive


def test_the_doctor_finds_the_cluster_well(sweep: Sweep) -> None:
    doctor = sweep.cluster.as_role("producer").python("doctor", "-m", "producer", "doctor")  # type: ignore[attr-defined]
    doctor.wait(60)
    said = doctor.log.read_text()
    assert doctor.returncode == 0, said
    assert "1 answer: s0@" in said  # remote control is signed as well
    assert "only signed ones accepted: 1 key(s)" in said and "could sign" not in said
    assert MARK not in said
    if sweep.server.authority:
        assert "encrypted, Redis' certificate verified, with this client's certificate" in said


def test_who_has_no_key_reaches_no_worker(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SIGNING_KEY_FILE)
    app = make_app(sweep.cluster.url, max_deadline_s=1)
    assert app.control.inspect(timeout=1).ping() is None
    app.control.broadcast("shutdown")
    monkeypatch.setenv(SIGNING_KEY_FILE, str(sweep.folder / "signing.keys"))
    asked = make_app(sweep.cluster.url, max_deadline_s=1)
    wait_for(
        lambda: len(asked.control.inspect(timeout=1).ping() or {}) == 2, what="both workers answer still"
    )


# --- TLS ---------------------------------------------------------------------------------------


@pytest.fixture
def tls(sweep: Sweep) -> SecuredRedis:
    if sweep.server.authority is None:
        pytest.skip("no redis-server with TLS on PATH; the embedded one is built without")
    return sweep.server


def test_a_client_without_certificate_is_refused(tls: SecuredRedis) -> None:
    url = tls.url("producer", ssl_ca_certs=tls.tls_query["ssl_ca_certs"])
    with pytest.raises(BrokerError, match="can't be reached"):
        check(connect(url, retries=0), url)


def test_a_server_of_another_authority_is_refused(tls: SecuredRedis, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")
    url = tls.url("producer", **tls.tls_query | {"ssl_ca_certs": stranger.ca})
    with pytest.raises(BrokerError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        check(connect(url, retries=0), url)
    assert MARK not in str(caught.value)


def test_a_server_of_another_name_is_refused(tls: SecuredRedis, tmp_path: Path) -> None:
    assert tls.authority is not None
    certificate, key = tls.authority.certificate("elsewhere", subject="DNS:elsewhere.example.org")
    port = free_port()
    settings = f"port 0\ntls-port {port}\nbind 127.0.0.1\ntls-cert-file {certificate}\ntls-key-file {key}\n"
    settings += f'tls-ca-cert-file {tls.authority.ca}\nsave ""\ndir {tmp_path}\n'
    other = Child("redis", [tls.binary, "-"], log=tmp_path / "log", standard_input=settings)
    try:
        other.wait_until(lambda: "Ready to accept" in (tmp_path / "log").read_text(), seconds=15)
        query = "&".join(f"{name}={path}" for name, path in tls.tls_query.items())
        url = f"rediss://127.0.0.1:{port}/0?{query}"
        with pytest.raises(BrokerError, match="CERTIFICATE_VERIFY_FAILED"):
            check(connect(url, retries=0), url)
    finally:
        other.stop_now()


def test_files_from_the_environment_do_as_well(tls: SecuredRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, name in (("CA", "ssl_ca_certs"), ("CERT", "ssl_certfile"), ("KEY", "ssl_keyfile")):
        monkeypatch.setenv(f"CHIMERA_REDIS_{variable}", str(tls.tls_query[name]))
    url = tls.url("producer")
    check(connect(url, retries=0), url)
    app = make_app(url, max_deadline_s=1)
    with app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=0)
    assert cast(RedisBackend, app.backend).client.ping()


def test_a_wrong_password_is_said_so_and_not_shown(sweep: Sweep) -> None:
    query = sweep.server.tls_query if sweep.server.authority else {}
    url = sweep.server.url("producer", **query).replace("producer-", "wrong-", 1)
    with pytest.raises(BrokerError, match="refuses the password") as caught:
        check(connect(url, retries=0), url)
    assert MARK not in str(caught.value)


def test_what_a_user_may_not_do_is_one_sentence(sweep: Sweep) -> None:
    query = sweep.server.tls_query if sweep.server.authority else {}
    admin: Any = sweep.server.admin()  # its types know no such call
    admin.execute_command("ACL", "SETUSER", "nobody", "on", f">{MARK}-nobody", "-@all")
    url = sweep.server.url("admin", **query).replace("admin:", "nobody:", 1)
    url = url.partition("nobody:")[0] + f"nobody:{MARK}-nobody@" + url.rpartition("@")[2]
    with pytest.raises(BrokerError, match="denies this user what Chimera needs") as caught:
        check(connect(url, retries=0), url)
    assert MARK not in str(caught.value)
