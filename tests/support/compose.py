"""docker-compose.yml as the tests read it, and the rules that its services keep."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
TWO_GPUS = ROOT / "deploy" / "compose" / "two-gpus.yml"
EXAMPLE = ROOT / ".env.example"
VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::\?[^}]*|-)?\})")

ONE_SHOTS = {"prepare", "models", "producer"}
"""They end by themselves."""
PUBLISHED = {"flower", "grafana"}
WAYS_OUT = {"front", "download"}
"""Networks that lead out of the machine."""


class _Loader(yaml.SafeLoader):
    """Knows compose's ``!override``."""


def _override(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node, deep=True)


_Loader.add_constructor("!override", _override)


def example_settings() -> dict[str, str]:
    """Return the variables of ``.env.example``."""
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


def variables(file: Path) -> set[str]:
    """Return the names of the variables that a compose file asks for."""
    return {name for name in VARIABLE.findall(file.read_text()) if name}


def read(file: Path = FILE, settings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a compose file with the settings put in, by default the example's."""
    given = example_settings() if settings is None else settings
    text = VARIABLE.sub(lambda found: given[found[1]] if found[1] else "$$", file.read_text())
    model: dict[str, Any] = yaml.load(text, _Loader)
    return model


def options(service: Mapping[str, Any]) -> dict[str, str]:
    """Return the ``--name=value`` of a service's command."""
    words = [word for word in service.get("command", []) if word.startswith("--") and "=" in word]
    return {name: value for name, _, value in (word.removeprefix("--").partition("=") for word in words)}


def seconds(duration: str) -> float:
    """Return a duration such as ``1m30s``, s."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))


def problems(model: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a compose model, a line each."""
    for name, service in model["services"].items():
        for problem in (*_locked(service), *_lasting(name, service), *_reached(name, service, model)):
            yield f"{name}: {problem}"
    yield from _secrets(model)
    used = {mount.partition(":")[0] for service in model["services"].values() for mount in _mounts(service)}
    yield from (f"volume {name} is used by nobody" for name in model["volumes"] if name not in used)
    named = {source for source in used if not source.startswith((".", "/"))}
    yield from (f"volume {name} is not declared" for name in named - set(model["volumes"]))


def _locked(service: Mapping[str, Any]) -> Iterator[str]:
    tag = service["image"].rpartition(":")[2]
    if tag == "local":
        if "build" not in service:
            yield "its image is nowhere made"
    elif not re.fullmatch(r"v?\d+\.\d+\.\d+(-\w+)?", tag):
        yield f"{service['image']} is no exact version"
    if str(service.get("user", "0")).partition(":")[0] in {"0", "root", ""}:
        yield "it runs as root"
    if not service.get("read_only"):
        yield "its file system can be written to"
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add") or service.get("privileged"):
        yield "it has capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "it may gain privileges"
    yield from (f"no {limit}" for limit in ("mem_limit", "pids_limit") if limit not in service)
    if "max-size" not in service.get("logging", {}).get("options", {}):
        yield "its log has no bound"
    if "cpus" in service:
        yield "a quota of CPU time stops a measurement in its midst"


def _lasting(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    if name in ONE_SHOTS:
        if service["restart"] != "no":
            yield "it would be done again and again"
        return
    if service["restart"] != "unless-stopped":
        yield "it does not come back"
    check = service.get("healthcheck", {}).get("test", [""])
    if not check[-1] or service["healthcheck"].get("disable"):
        yield "nobody asks whether it works"
    if "stop_grace_period" not in service:
        yield "nobody said how long it may take to stop"
    given = options(service)
    if "grace" in given:
        stop, grace = seconds(service["stop_grace_period"]), float(given["grace"])
        if not stop >= grace + 15:
            yield f"it is killed {stop:g} s after it was asked to end, and has {grace:g} s to end its job"
        if not grace > float(given["max-deadline"]):
            yield "a job may take longer than the worker has left to end it"
    port = given.get("metrics-port")
    if port is not None and f":{port}/" not in check[-1]:
        yield "the health check asks at another port"


def _reached(name: str, service: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    ports = service.get("ports", [])
    if (name in PUBLISHED) != bool(ports) or not all(port.startswith("127.0.0.1:") for port in ports):
        yield f"it is published: {ports}"
    networks = set(service.get("networks", []))
    if service.get("network_mode", "none") != "none" or (not networks and "network_mode" not in service):
        yield "it is on a network that nobody named"
    yield from (f"network {one} is not declared" for one in networks - set(model["networks"]))
    open_ones = {
        one for one in networks & set(model["networks"]) if not (model["networks"][one] or {}).get("internal")
    }
    if open_ones - WAYS_OUT or (open_ones and name not in PUBLISHED | {"models"}):
        yield f"it has a way out: {sorted(open_ones)}"


def _secrets(model: Mapping[str, Any]) -> Iterator[str]:
    owners: dict[str, set[str]] = {}
    for name, service in model["services"].items():
        environment = service.get("environment", {})
        for key, value in environment.items():
            secret = re.search(r"PASSWORD|SECRET|TOKEN|AUTH|BROKER", key) and not key.endswith("__FILE")
            if secret or "@" in str(value):
                yield f"{name}: {key} is shown by 'docker inspect'"
        if any("@" in str(word) for word in service.get("command", [])):
            yield f"{name}: its command line holds a password"
        for mount in _mounts(service):
            source = mount.partition(":")[0]
            if source.endswith("-secrets") and name != "prepare":
                owners.setdefault(source, set()).add(name.removesuffix("-gpu").rstrip("0123456789"))
                if not mount.endswith(":ro"):
                    yield f"{name}: it can change {source}"
    for source, names in owners.items():
        role = source.removesuffix("-secrets")
        if names - ({"prometheus", "grafana"} if role == "monitoring" else {role}):
            yield f"{source} is read by {sorted(names)}"


def _mounts(service: Mapping[str, Any]) -> Iterator[str]:
    for mount in service.get("volumes", []):
        yield mount if isinstance(mount, str) else f"{mount['source']}:{mount['target']}"
