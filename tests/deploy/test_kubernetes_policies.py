"""The manifests of k8s/ hold to their policies, and each policy catches a mistake that is planted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kubernetes import COMPONENTS, K8S, Object, build, compose, kinds, named, secrets
from tests.support.kubernetes_policies import network, problems

OVERLAYS = ("gpu-cluster", "single-node")


def whole(overlay: str) -> list[Object]:
    """Return an overlay with what is applied beside it."""
    return [*build(K8S / "overlays" / overlay), *build(K8S / "sweep"), *build(K8S / "files")]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_holds_to_the_policies(overlay: str) -> None:
    objects = whole(overlay)
    assert problems(objects, secrets("--tls")) == []
    assert list(network(objects)) == []
    (namespace,) = kinds(objects, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("component", sorted(COMPONENTS))
def test_a_component_holds_to_the_policies(tmp_path: Path, component: str) -> None:
    objects = compose(tmp_path / "overlay", *COMPONENTS[component])
    # A component with the GPU says nothing of nodes: that is the class's.
    expected = ["StatefulSet worker: the pool default is not that of its nodes"]
    assert problems(objects, secrets("--tls")) == (expected if component.startswith("gpu") else [])


def test_with_tls_every_client_has_a_certificate() -> None:
    objects = build(K8S / "overlays" / "gpu-cluster")
    clients = [x for x in kinds(objects, "StatefulSet", "Deployment") if x["metadata"]["name"] != "redis"]
    assert {x["metadata"]["name"] for x in clients} == {"aggregator", "flower", "worker-h100", "worker-l4"}
    for x in clients:
        spec = x["spec"]["template"]["spec"]
        variables = {v["name"] for v in spec["containers"][0]["env"]}
        assert {"CHIMERA_REDIS_CA", "CHIMERA_REDIS_CERT", "CHIMERA_REDIS_KEY"} <= variables
        assert spec["securityContext"]["fsGroup"] == 10001, "the key is readable for its group alone"


def pod(objects: list[Object], kind: str, name: str) -> Object:
    spec: Object = named(objects, kind, name)["spec"]["template"]["spec"]
    return spec


def worker(objects: list[Object]) -> Object:
    container: Object = pod(objects, "StatefulSet", "worker")["containers"][0]
    return container


def server(objects: list[Object]) -> Object:
    container: Object = pod(objects, "StatefulSet", "worker")["initContainers"][0]
    return container


def variable(container: Object, name: str) -> Object:
    (found,) = (x for x in container["env"] if x["name"] == name)
    assert isinstance(found, dict)
    return found


def policy(objects: list[Object], name: str) -> Object:
    spec: Object = named(objects, "NetworkPolicy", name)["spec"]
    return spec


def remove(objects: list[Object], kind: str, name: str) -> None:
    objects.remove(named(objects, kind, name))


Plant = Callable[[list[Object]], object]

MISTAKES: dict[str, tuple[Plant, str]] = {
    "root": (
        lambda x: pod(x, "StatefulSet", "redis")["securityContext"].update(runAsUser=0),
        "StatefulSet redis: runs as root",
    ),
    "writable root": (
        lambda x: worker(x)["securityContext"].update(readOnlyRootFilesystem=False),
        "worker: its security context is not the restricted one",
    ),
    "a capability": (
        lambda x: server(x)["securityContext"]["capabilities"].update(add=["SYS_PTRACE"]),
        "server: its security context is not the restricted one",
    ),
    "a folder of the host": (
        lambda x: pod(x, "StatefulSet", "worker")["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
        "volume {'name': 'x'",
    ),
    "a token": (
        lambda x: pod(x, "Deployment", "aggregator").pop("automountServiceAccountToken"),
        "Deployment aggregator: gets a token",
    ),
    "no memory limit": (lambda x: server(x)["resources"]["limits"].pop("memory"), "server: no requests or"),
    "half a CPU": (
        lambda x: worker(x)["resources"].update(
            requests={"cpu": "500m", "memory": "2Gi"}, limits={"cpu": "500m", "memory": "2Gi"}
        ),
        "worker: not guaranteed whole CPUs",
    ),
    "no liveness": (lambda x: worker(x).pop("livenessProbe"), "worker: no livenessProbe"),
    "a probe of no port": (
        lambda x: server(x)["startupProbe"]["httpGet"].update(port="http"),
        "startupProbe asks a port http that is not there",
    ),
    "latest": (lambda x: server(x).update(image="ollama/ollama:latest"), "has no version"),
    "a service of nothing": (
        lambda x: named(x, "Service", "worker")["spec"]["selector"].update({"app.kubernetes.io/name": "x"}),
        "Service worker: selects 0 workloads",
    ),
    "a budget of nothing": (
        lambda x: named(x, "PodDisruptionBudget", "worker")["spec"]["selector"].update(
            matchLabels={"a": "b"}
        ),
        "PodDisruptionBudget worker: selects nothing",
    ),
    "a policy of nothing": (
        lambda x: policy(x, "redis")["ingress"][0]["from"][0]["podSelector"].update(matchLabels={"a": "b"}),
        "NetworkPolicy redis: a peer selects nothing",
    ),
    "no account": (lambda x: remove(x, "ServiceAccount", "worker"), "no account worker"),
    "no claim": (lambda x: remove(x, "PersistentVolumeClaim", "models"), "no claim models"),
    "no config": (
        lambda x: pod(x, "StatefulSet", "redis")["volumes"][0]["configMap"].update(name="redis-config"),
        "no config redis-config",
    ),
    "no priority": (lambda x: remove(x, "PriorityClass", "chimera-slot"), "no priority chimera-slot"),
    "no such secret": (
        lambda x: variable(worker(x), "CHIMERA_BROKER")["valueFrom"]["secretKeyRef"].update(key="broker"),
        "no Secret broker-worker with broker",
    ),
    "a secret in git": (
        lambda x: x.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}),
        "Secret s: stands in the manifests",
    ),
    "an option that is none": (lambda x: worker(x)["args"].append("--slots=2"), "No such option"),
    "a command that is none": (
        lambda x: pod(x, "Deployment", "aggregator")["containers"][0]["args"].__setitem__(0, "aggregate"),
        "there is no command 'aggregate'",
    ),
    "a variable that nobody reads": (
        lambda x: worker(x)["env"].append({"name": "CHIMERA_DATAROOT", "value": "/data"}),
        "nobody reads CHIMERA_DATAROOT",
    ),
    "a variable that is not set": (
        lambda x: worker(x)["args"].append("--gpu=$(GPU)"),
        "$(GPU) is not set",
    ),
    "another port": (
        lambda x: worker(x)["ports"][0].update(containerPort=9102),
        "listens on 9101, and its port metrics is 9102",
    ),
    "another server": (
        lambda x: variable(worker(x), "CHIMERA_SERVER").update(value="http://127.0.0.1:8000"),
        "no model server listens on",
    ),
    "a short grace period": (
        lambda x: variable(worker(x), "GRACE").update(value="60"),
        "the grace period is over before a job's deadline",
    ),
    "killed early": (
        lambda x: pod(x, "StatefulSet", "worker").update(terminationGracePeriodSeconds=300),
        "is killed before the grace period is over",
    ),
    "a server that ends first": (
        lambda x: server(x).pop("restartPolicy"),
        "no model server that outlives the worker",
    ),
    "all is allowed": (lambda x: remove(x, "NetworkPolicy", "deny-all"), "no policy denies"),
    "a slot that reaches the internet": (
        lambda x: policy(x, "redis-clients")["egress"].append({"ports": [{"port": 443}]}),
        "may reach everything at [443]",
    ),
    "a server that others reach": (
        lambda x: policy(x, "metrics")["ingress"][0].pop("ports"),
        "more than its metrics can be reached",
    ),
}


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_a_planted_mistake_is_found(mistake: str) -> None:
    plant, said = MISTAKES[mistake]
    objects = whole("single-node")
    plant(objects)
    found = [*problems(objects, secrets("--tls")), *network(objects)]
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            ("template", "spec", "nodeSelector"),
            {"chimera-pool": "h100"},
            "the pool l4 is not that of its nodes",
        ),
        (("template", "metadata", "labels", "chimera-pool"), "l40", "does not select its own pods"),
    ],
    ids=["nodes of another class", "another label"],
)
def test_a_class_that_is_not_one_is_found(path: tuple[str, ...], value: object, said: str) -> None:
    objects = whole("gpu-cluster")
    at = named(objects, "StatefulSet", "worker-l4")["spec"]
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    assert any(said in problem for problem in problems(objects, secrets("--tls")))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("valueLocation", 'chimera_queue_depth{queue="chimera.pool.h100"}'),
        ("url", "http://aggregator.elsewhere.svc:9100/metrics"),
    ],
    ids=["another queue", "another namespace"],
)
def test_a_class_that_is_scaled_by_something_else_is_found(key: str, value: str) -> None:
    objects = whole("gpu-cluster")
    (trigger,) = named(objects, "ScaledObject", "worker-l4")["spec"]["triggers"]
    trigger["metadata"][key] = value
    assert any("scaled by" in problem for problem in problems(objects, secrets("--tls")))
