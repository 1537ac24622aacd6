"""k8s/ as the real kustomize builds it, against the schemas of Kubernetes; and what it is made of, where that can run here."""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import yaml

from contracts import settings
from contracts.redis_client import connect
from producer.embedded_redis import binary, free_port
from producer.flower import command
from producer.processes import Child
from producer.sweep_file import load
from tests.support.cluster import Cluster, wait_for
from tests.support.kubernetes import (
    COMPONENTS,
    FOLDERS,
    K8S,
    MODELS,
    ROOT,
    VERSIONS,
    Object,
    build,
    compose,
    invalid,
    invalid_custom,
    kinds,
    named,
    pods,
    secrets,
)


def test_all_that_is_there_is_built() -> None:
    there = {str(file.parent.relative_to(K8S)) for file in K8S.rglob("kustomization.yaml")}
    inner = {"base", "worker", "overlays/gpu-cluster/h100", "overlays/gpu-cluster/l4"}
    assert there == {*FOLDERS, *inner, *(f"components/{name}" for name in COMPONENTS)}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_applied_is_valid(folder: str, version: str) -> None:
    assert invalid(build(K8S / folder), version) == []


@pytest.mark.parametrize("component", sorted(COMPONENTS))
def test_each_component_is_valid(tmp_path: Path, component: str) -> None:
    assert invalid(compose(tmp_path / "overlay", *COMPONENTS[component]), VERSIONS[-1]) == []


def test_custom_resources_are_valid() -> None:
    custom = [x for x in build(K8S / "overlays" / "gpu-cluster") if x["apiVersion"] in MODELS]
    assert {x["kind"] for x in custom} == {"ScaledObject", "PodMonitor"}
    for x in custom:
        assert invalid_custom(x) == []
        x["spec"]["intervall"] = 5
        assert invalid_custom(x) == [f"{x['kind']}: unknown: .spec.intervall"]


def test_an_unknown_field_is_not_valid() -> None:
    objects = build(K8S / "overlays" / "single-node")
    named(objects, "StatefulSet", "redis")["spec"]["replica"] = 1
    (problem,) = invalid(objects, VERSIONS[-1])
    assert "StatefulSet redis" in problem and "replica" in problem


def test_the_single_node_asks_for_what_the_documentation_says() -> None:
    containers = [
        c["resources"]["requests"]
        for pod in pods(build(K8S / "overlays" / "single-node"))
        if pod.long_running
        for c in pod.containers
    ]
    cpus = sum(float(c["cpu"].removesuffix("m")) / (1000 if "m" in c["cpu"] else 1) for c in containers)
    memory = sum(float(c["memory"][:-2]) * {"Gi": 1.0, "Mi": 2.0**-10}[c["memory"][-2:]] for c in containers)
    said = f"{cpus:g} CPUs and {memory:g} GiB"
    assert said in (ROOT / "docs" / "kubernetes.md").read_text()
    assert said in (K8S / "overlays" / "single-node" / "kustomization.yaml").read_text()


def test_the_classes_of_a_cluster_share_nothing_but_redis() -> None:
    objects = build(K8S / "overlays" / "gpu-cluster")
    for kind in ("StatefulSet", "Service", "PodDisruptionBudget"):
        assert {"worker-h100", "worker-l4"} <= {x["metadata"]["name"] for x in kinds(objects, kind)}
    for name in ("h100", "l4"):
        claims = named(objects, "StatefulSet", f"worker-{name}")["spec"]["template"]["spec"]["volumes"]
        used = {v["persistentVolumeClaim"]["claimName"] for v in claims if "persistentVolumeClaim" in v}
        assert used == {"corpus", f"models-{name}"}
        for claim in used:  # mounted on several nodes
            spec = named(objects, "PersistentVolumeClaim", claim)["spec"]
            assert spec["accessModes"] == ["ReadWriteMany"]
    replicas = {x["metadata"]["name"]: x["spec"].get("replicas") for x in kinds(objects, "StatefulSet")}
    assert replicas == {"redis": 1, "worker-h100": 8, "worker-l4": None}, (
        "KEDA's own replicas are not set back"
    )


def test_a_suffix_reaches_the_claim_of_a_device(tmp_path: Path) -> None:
    compose(tmp_path / "overlay", *COMPONENTS["gpu-telemetry"])
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "kustomization.yaml").write_text("resources: [../overlay]\nnameSuffix: -x\n")
    objects = build(tmp_path / "class")
    (template,) = kinds(objects, "ResourceClaimTemplate")
    spec = named(objects, "StatefulSet", "worker-x")["spec"]["template"]["spec"]
    (claim,) = spec["resourceClaims"]
    assert template["metadata"]["name"] == "gpu-x" == claim["resourceClaimTemplateName"]


def test_the_sweep_can_be_run_on_the_slots_of_the_single_node() -> None:
    sweep = load(K8S / "sweep" / "sweep.yaml")
    objects = build(K8S / "overlays" / "single-node")
    worker = named(objects, "StatefulSet", "worker")["spec"]["template"]
    values = {x["name"]: x.get("value") for x in worker["spec"]["containers"][0]["env"]}
    assert worker["metadata"]["labels"]["chimera-pool"] == sweep.pool
    assert sweep.deadline is not None and sweep.deadline <= float(values["MAX_DEADLINE"] or 0)
    pull = named(objects, "Job", "model-pull")["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "MODEL", "value": sweep.model} in pull["env"]
    assert str(sweep.workload.paths[0]).startswith(f"{values['CHIMERA_DATA_ROOT']}/")  # type: ignore[union-attr]


@pytest.mark.parametrize("server", ["ollama", "vllm", "llama-cpp"])
def test_what_is_pulled_is_what_is_served(tmp_path: Path, server: str) -> None:
    objects = compose(tmp_path / "overlay", server)
    pull = named(objects, "Job", "model-pull")["spec"]["template"]["spec"]["containers"][0]
    (serve,) = named(objects, "StatefulSet", "worker")["spec"]["template"]["spec"]["initContainers"]
    assert pull["image"] == serve["image"]
    script = pull["args"][0]
    if pull["command"][0] == "sh":
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    else:
        compile(script, "model-pull", "exec")
    told = {x["name"]: x.get("value") for x in pull["env"]}
    served = {x["name"]: x.get("value") for x in serve["env"]}
    if server == "vllm":
        assert told["MODEL"] == served["MODEL"]


def test_the_scripts_have_no_syntax_errors() -> None:
    subprocess.run(["bash", "-n", str(K8S / "secrets.sh")], check=True)


def redis_settings(folder: Path, users: str, port: int) -> str:
    """Return k8s/base/redis.conf with the folders of this machine."""
    config = named(build(K8S / "base"), "ConfigMap", _config_name())["data"]["redis.conf"]
    (folder / "users.acl").write_text(users)
    changed: str = config.replace("/etc/redis/acl/users.acl", str(folder / "users.acl"))
    changed = changed.replace("dir /data", f"dir {folder}")
    assert str(folder) in changed and changed.count(str(folder)) == 2
    return f"{changed}\nbind 127.0.0.1\nport {port}\n"


def _config_name() -> str:
    (config,) = kinds(build(K8S / "base"), "ConfigMap")
    name: str = config["metadata"]["name"]
    return name


def test_redis_takes_its_configuration_and_each_role_its_secret(tmp_path: Path) -> None:
    made = secrets()
    port = free_port()
    text = redis_settings(tmp_path, made["redis-acl"]["users.acl"], port)
    server = Child("Redis", [binary(), "-"], log=tmp_path / "redis.log", standard_input=text)
    try:
        anyone = redis.Redis(port=port, socket_timeout=5)

        def refused() -> bool:
            try:
                anyone.ping()
            except redis.AuthenticationError:  # NOAUTH: what the probes take for an answer
                return True
            except redis.ConnectionError:
                server.check()
            return False

        wait_for(refused, what="Redis answers without letting anybody in")
        for role in ("producer", "aggregator", "worker", "flower"):
            url = made[f"broker-{role}"]["url"]
            assert url.startswith(f"redis://chimera-{role}:") and url.endswith("@redis:6379/0")
            client = connect(url.replace("@redis:6379", f"@127.0.0.1:{port}"), retries=0)
            assert client.ping()
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.flushall()
        password = made["redis-admin"]["password"]
        admin = redis.Redis(port=port, username="admin", password=password, decode_responses=True)
        config: Any = admin.config_get("appendonly", "maxmemory-policy")
        assert config == {"appendonly": "yes", "maxmemory-policy": "noeviction"}
        server.stop_now()
        assert (tmp_path / "appendonlydir").is_dir()
    finally:
        server.stop_now()


def line_of(
    container: Object, known: dict[str, str], changes: dict[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the environment that Kubernetes gives a container, with some texts changed."""
    environment = {x["name"]: known[x["name"]] if "valueFrom" in x else x["value"] for x in container["env"]}
    arguments = []
    for argument in container["args"]:
        for name, value in environment.items():
            argument = argument.replace(f"$({name})", value)
        for old, new in changes.items():
            argument = argument.replace(old, new)
        arguments.append(argument)
    return ["-m", "producer", *arguments], environment


def test_the_containers_command_lines_measure_a_sweep(tmp_path: Path, corpus: Path) -> None:
    """Processes on loopback instead of containers: Redis with its users, aggregator, worker and the sweep's Job."""
    made, port = secrets(), free_port()
    (tmp_path / "redis").mkdir()
    text = redis_settings(tmp_path / "redis", made["redis-acl"]["users.acl"], port)
    server = Child("Redis", [binary(), "-"], log=tmp_path / "redis.log", standard_input=text)
    admin = f"redis://admin:{made['redis-admin']['password']}@127.0.0.1:{port}/0"
    wait_for(lambda: _answers(admin), what="Redis answers")
    cluster, children = Cluster(admin, tmp_path), list[Child]()
    try:
        model_server = cluster.reference_server(ttft_ms=5, itl_ms=1, tokens=20)
        spec = yaml.safe_load((K8S / "sweep" / "sweep.yaml").read_text())
        spec["workload"]["paths"], spec["model"], spec["runs"] = [str(corpus)], "ref", 1
        (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(spec))
        objects = [*build(K8S / "overlays" / "single-node"), *build(K8S / "sweep")]
        changes = {
            "/sweep/sweep.yaml": str(tmp_path / "sweep.yaml"),
            "=/results": f"={tmp_path / 'results'}",
            "0.0.0.0": "127.0.0.1",
        }

        def start(kind: str, name: str, role: str) -> tuple[Child, int]:
            (container,) = named(objects, kind, name)["spec"]["template"]["spec"]["containers"]
            url = made[f"broker-{role}"]["url"].replace("@redis:6379", f"@127.0.0.1:{port}")
            known = {"CHIMERA_BROKER": url, "POD_NAME": "worker-0", "POOL": spec["pool"]}
            own = free_port()
            ports = {f"port={p['containerPort']}": f"port={own}" for p in container.get("ports", [])}
            arguments, environment = line_of(container, known, changes | ports)
            environment |= {"CHIMERA_SERVER": model_server, "CHIMERA_DATA_ROOT": str(tmp_path)}
            child = Child(
                role, [sys.executable, *arguments], log=tmp_path / f"{role}.log", environment=environment
            )
            children.append(child)
            return child, own

        for kind, name, role in (
            ("Deployment", "aggregator", "aggregator"),
            ("StatefulSet", "worker", "worker"),
        ):
            child, own = start(kind, name, role)
            child.wait_until(partial(_ready, own), seconds=60)
        run, _ = start("Job", "sweep", "producer")
        wait_for(lambda: not run.alive, seconds=120, what="the sweep's Job ends")
        assert run.returncode == 0, run.log.read_text()
        (stages,) = (tmp_path / "results").glob("*/*/stages.jsonl")
        assert {json.loads(line)["slot"] for line in stages.read_text().splitlines()} == {"worker-0"}
    finally:
        for child in children:
            child.stop_now()
        cluster.stop()
        server.stop_now()


def _answers(url: str) -> bool:
    try:
        return bool(connect(url, retries=0).ping())
    except redis.RedisError:
        return False


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def test_secrets_are_new_each_time_and_certificates_are_accepted(tmp_path: Path) -> None:
    plain, tls = secrets(), secrets("--tls")
    assert tls["broker-worker"]["url"].startswith("rediss://")
    assert plain["broker-worker"]["url"].rpartition("@")[0] != tls["broker-worker"]["url"].rpartition("@")[0]
    assert plain.keys() | {"redis-tls", "client-tls"} == tls.keys()
    for role in ("redis", "client"):
        for name, text in tls[f"{role}-tls"].items():
            (tmp_path / f"{role}-{name}").write_text(text)
    client = ssl.create_default_context(cafile=str(tmp_path / "client-ca.crt"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python does from 3.13 on
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "redis-ca.crt"))
    server.verify_mode, server.verify_flags = ssl.CERT_REQUIRED, client.verify_flags
    for context, role in ((client, "client"), (server, "redis")):
        context.load_cert_chain(tmp_path / f"{role}-tls.crt", tmp_path / f"{role}-tls.key")
    for host in ("redis", "redis.chimera.svc"):
        shake_hands(client, server, host)


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> None:
    """Have a client and the server at ``host`` check each other; raise where one refuses the other."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for side in sides * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert all(side.version() for side in sides)


def test_flower_keeps_its_state_where_everybody_may_write_into_the_volume(tmp_path: Path) -> None:
    objects = build(K8S / "overlays" / "single-node")
    (flower,) = named(objects, "Deployment", "flower")["spec"]["template"]["spec"]["containers"]
    (given,) = [Path(x["value"]) for x in flower["env"] if x["name"] == settings.FLOWER_STATE]
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)  # as the provisioner of kind and k3s makes it
    assert command("127.0.0.1", 0, tmp_path / given.relative_to("/"))


def test_the_dashboard_in_the_cluster_is_the_one_of_compose() -> None:
    objects = build(K8S / "overlays" / "gpu-cluster")
    (config,) = [x for x in kinds(objects, "ConfigMap") if "dashboards" in x["metadata"]["name"]]
    files = {file.name: file.read_text() for file in (ROOT / "deploy" / "grafana" / "dashboards").iterdir()}
    assert config["data"] == files


def test_every_manifest_is_used() -> None:
    for file in K8S.rglob("kustomization.yaml"):
        content = yaml.safe_load(file.read_text())
        named_ = {str(x) for x in content.get("resources", [])}
        named_ |= {p["path"] for p in content.get("patches", []) if "path" in p}
        named_ |= {*content.get("configurations", [])}
        named_ |= {f for g in content.get("configMapGenerator", []) for f in g.get("files", [])}
        there = {x.name for x in file.parent.iterdir() if x.is_file()} - {"kustomization.yaml"}
        assert there <= named_, file
