"""What built manifests must hold to beyond the schemas. Each rule returns what is wrong, a line each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from contracts import settings
from contracts.queues import pool_queue
from producer.cli import cli
from tests.support.kubernetes import Object, Pod, is_sidecar, kinds, pods

MARGIN_S = 30
"""A job's outcome is stored, and pods are ended, in less."""
VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
"""Those of the pod security standard 'restricted' that are used here."""
COMMANDS = {"chimera-worker", "chimera-producer"}
"""Images whose entrypoint is ``chimera``."""
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def security(objects: list[Object]) -> Iterator[str]:
    """The pod security standard 'restricted', and more: no writable root, no token, no account of others."""
    for pod in pods(objects):
        spec, context = pod.spec, pod.spec.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
            yield f"{pod.name}: runs as root"
        if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{pod.name}: no seccomp profile"
        for key in ("hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace"):
            if key in spec:
                yield f"{pod.name}: {key}"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.name}: gets a token"
        if spec.get("serviceAccountName", "default") == "default":
            yield f"{pod.name}: the default account"
        for volume in spec.get("volumes", []):
            if not volume.keys() - {"name"} <= VOLUMES:
                yield f"{pod.name}: volume {volume}"
        for container in pod.containers:
            if container.get("securityContext") != RESTRICTED:
                yield f"{pod.name}: {container['name']}: its security context is not the restricted one"
            if any("hostPort" in port for port in container.get("ports", [])):
                yield f"{pod.name}: {container['name']}: a port of the host"
    for account in kinds(objects, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount {account['metadata']['name']}: its pods get tokens"
    for x in kinds(objects, "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        yield f"{x['kind']} {x['metadata']['name']}: nobody here needs the API"


def images(objects: list[Object]) -> Iterator[str]:
    """Every image has a version."""
    for pod in pods(objects):
        for container in pod.containers:
            _, _, tag = container["image"].rpartition("/")[2].partition(":")
            if not tag or "latest" in tag:
                yield f"{pod.name}: {container['image']} has no version"


def resources(objects: list[Object]) -> Iterator[str]:
    """Requests and limits everywhere; a slot's are equal and its CPUs whole, so that it gets CPUs of its own."""
    for pod in pods(objects):
        for container in pod.containers:
            asked, most = (container.get("resources", {}).get(what, {}) for what in ("requests", "limits"))
            where = f"{pod.name}: {container['name']}"
            if not {"cpu", "memory"} <= asked.keys() or not {"cpu", "memory"} <= most.keys():
                yield f"{where}: no requests or limits"
            elif _is_slot(pod) and (asked != most or not str(asked["cpu"]).isdecimal()):
                yield f"{where}: not guaranteed whole CPUs"
        for volume in pod.spec.get("volumes", []):
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield f"{pod.name}: {volume['name']}: no size limit"


def probes(objects: list[Object]) -> Iterator[str]:
    """What runs on is probed: startup and liveness, and readiness where there is more than a sidecar; at ports it has."""
    for pod in pods(objects):
        for container in pod.containers:
            sidecar = is_sidecar(container)
            wanted = {"startupProbe", "livenessProbe"} | (set() if sidecar else {"readinessProbe"})
            if not pod.long_running or (container in pod.spec.get("initContainers", []) and not sidecar):
                wanted = set()
            missing = wanted - container.keys()
            if missing:
                yield f"{pod.name}: {container['name']}: no {', '.join(sorted(missing))}"
            ports = {port["name"] for port in container.get("ports", [])}
            for probe in wanted & container.keys():
                http = container[probe].get("httpGet")
                if http and http["port"] not in ports:
                    yield f"{pod.name}: {container['name']}: {probe} asks a port {http['port']} that is not there"
            if "preStop" in container.get("lifecycle", {}):
                yield f"{pod.name}: {container['name']}: preStop takes from the grace period"


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(
        {"In": labels.get(x["key"]) in x.get("values", ()), "Exists": x["key"] in labels}[x["operator"]]
        for x in selector.get("matchExpressions", [])
    )


def selectors(objects: list[Object]) -> Iterator[str]:
    """Every selector matches the pods of something here; targets of scaling and headless services exist."""
    all_pods = pods(objects)

    def empty(selector: Mapping[str, Any]) -> bool:
        return not any(_matches(selector, pod.labels) for pod in all_pods)

    for x in objects:
        name, spec = f"{x['kind']} {x['metadata']['name']}", x.get("spec", {})
        match x["kind"]:
            case "Service":
                chosen = [pod for pod in all_pods if _matches({"matchLabels": spec["selector"]}, pod.labels)]
                if len(chosen) != 1:
                    yield f"{name}: selects {len(chosen)} workloads"
                for pod in chosen:
                    ports = {port["name"] for c in pod.containers for port in c.get("ports", [])}
                    wrong = {port["targetPort"] for port in spec["ports"]} - ports
                    if wrong:
                        yield f"{name}: no port {', '.join(wrong)}"
            case "PodDisruptionBudget" | "PodMonitor":
                if empty(spec["selector"]):
                    yield f"{name}: selects nothing"
            case "StatefulSet" | "Deployment":
                if not _matches(spec["selector"], spec["template"]["metadata"]["labels"]):
                    yield f"{name}: does not select its own pods"
                own = [p for p in all_pods if _matches(spec["selector"], p.labels)]
                if len(own) > 1:
                    yield f"{name}: selects pods of others"
                if x["kind"] == "StatefulSet" and not _has(objects, "Service", spec["serviceName"]):
                    yield f"{name}: no service {spec['serviceName']}"
            case "ScaledObject":
                target = spec["scaleTargetRef"]
                if not _has(objects, target["kind"], target["name"]):
                    yield f"{name}: no {target['kind']} {target['name']} to scale"
            case "NetworkPolicy":
                yield from (f"{name}: {what} selects nothing" for what in _policy_selectors(spec, empty))


def _policy_selectors(spec: Object, empty: Callable[[Mapping[str, Any]], bool]) -> Iterator[str]:
    if empty(spec["podSelector"]):
        yield "podSelector"
    for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
        for peer in [*rule.get("from", []), *rule.get("to", [])]:
            if "podSelector" in peer and "namespaceSelector" not in peer and empty(peer["podSelector"]):
                yield "a peer"


def _has(objects: list[Object], kind: str, name: str) -> bool:
    return any(x["metadata"]["name"] == name for x in kinds(objects, kind))


def references(objects: list[Object], secrets: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """What is referred to exists: accounts, priorities, config, claims, and Secrets with their keys."""
    for secret in kinds(objects, "Secret"):
        yield f"Secret {secret['metadata']['name']}: stands in the manifests"
    for pod in pods(objects):
        spec = pod.spec
        claimed = {c["metadata"]["name"] for c in pod.owner["spec"].get("volumeClaimTemplates", [])}
        volumes = {v["name"] for v in spec.get("volumes", [])} | claimed
        if not _has(objects, "ServiceAccount", spec["serviceAccountName"]):
            yield f"{pod.name}: no account {spec['serviceAccountName']}"
        priority = spec.get("priorityClassName")
        if priority and not _has(objects, "PriorityClass", priority):
            yield f"{pod.name}: no priority {priority}"
        for claimed_device in spec.get("resourceClaims", []):
            template = claimed_device["resourceClaimTemplateName"]
            if not _has(objects, "ResourceClaimTemplate", template):
                yield f"{pod.name}: no claim {template} of a device"
        for volume in spec.get("volumes", []):
            claim, config = volume.get("persistentVolumeClaim"), volume.get("configMap")
            if claim and not _has(objects, "PersistentVolumeClaim", claim["claimName"]):
                yield f"{pod.name}: no claim {claim['claimName']}"
            if config and not _has(objects, "ConfigMap", config["name"]):
                yield f"{pod.name}: no config {config['name']}"
            if "secret" in volume and volume["secret"]["secretName"] not in secrets:
                yield f"{pod.name}: no Secret {volume['secret']['secretName']}"
        for container in pod.containers:
            mounts = {m["name"] for m in container.get("volumeMounts", [])}
            if not mounts <= volumes:
                yield f"{pod.name}: {container['name']}: no volume {', '.join(mounts - volumes)}"
            for variable in container.get("env", []):
                key = variable.get("valueFrom", {}).get("secretKeyRef")
                if key and not key.get("optional") and key["key"] not in secrets.get(key["name"], {}):
                    yield f"{pod.name}: {variable['name']}: no Secret {key['name']} with {key['key']}"


_KNOWN = {value for name, value in vars(settings).items() if name.isupper() and isinstance(value, str)}
_VARIABLE = re.compile(r"\$\((\w+)\)")


def commands(objects: list[Object]) -> Iterator[str]:
    """The command line knows every command of our images with its options, and the packages every variable."""
    for pod in pods(objects):
        for container in pod.containers:
            image = container["image"].partition(":")[0]
            if image not in COMMANDS or "command" in container:
                continue
            where = f"{pod.name}: {container['name']}"
            environment = {x["name"]: str(x.get("value", "1")) for x in container.get("env", [])}
            for name in environment:
                if name.startswith("CHIMERA_") and name not in _KNOWN:
                    yield f"{where}: nobody reads {name}"
            used = {name for argument in container["args"] for name in _VARIABLE.findall(argument)}
            for name in used - environment.keys():
                yield f"{where}: $({name}) is not set"
            options, problem = parsed([_expanded(a, environment) for a in container["args"]], environment)
            if problem:
                yield f"{where}: {problem}"
            yield from (f"{where}: {what}" for what in _ports(options, container, pod, environment))


def _expanded(argument: str, environment: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: environment.get(found[1], "1"), argument)


def parsed(line: list[str], environment: Mapping[str, str]) -> tuple[dict[str, Any], str | None]:
    """Return the options that ``chimera`` makes of a command line, and why it would refuse it."""
    command = cli.commands.get(line[0])
    if command is None:
        return {}, f"there is no command {line[0]!r}"
    given = {
        f"--{p.name}".replace("_", "-"): environment[p.envvar]
        for p in command.params
        if isinstance(p.envvar, str) and p.envvar in environment and not p.multiple
    }
    arguments = [*line[1:], *(f"{name}={value}" for name, value in given.items())]
    try:
        return command.make_context(line[0], arguments).params, None
    except click.ClickException as error:
        return {}, error.format_message()


def _ports(
    options: Mapping[str, Any], container: Object, pod: Pod, environment: Mapping[str, str]
) -> Iterator[str]:
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
    for option, name in (("metrics_port", "metrics"), ("port", "http")):
        if options.get(option) != ports.get(name):
            yield f"listens on {options.get(option)}, and its port {name} is {ports.get(name)}"
    server = environment.get(settings.SERVER)
    if server:
        beside = {p["containerPort"] for c in pod.containers if c is not container for p in c["ports"]}
        if not server.startswith("http://127.0.0.1:") or int(server.rpartition(":")[2]) not in beside:
            yield f"no model server listens on {server}"


def _is_slot(pod: Pod) -> bool:
    return pod.labels.get("app.kubernetes.io/name") == "worker"


def slots(objects: list[Object]) -> Iterator[str]:
    """Deadline, grace and termination follow each other; the server is a sidecar; pool, node and queue are one."""
    for pod in filter(_is_slot, pods(objects)):
        servers = [c for c in pod.spec.get("initContainers", []) if c["name"] == "server"]
        if len(servers) != 1 or not is_sidecar(servers[0]):
            yield f"{pod.name}: no model server that outlives the worker"
        (worker,) = pod.spec["containers"]
        times = {
            x["name"]: float(x["value"]) for x in worker["env"] if x["name"] in ("MAX_DEADLINE", "GRACE")
        }
        if times["GRACE"] < times["MAX_DEADLINE"] + MARGIN_S:
            yield f"{pod.name}: the grace period is over before a job's deadline"
        if pod.spec["terminationGracePeriodSeconds"] < times["GRACE"] + MARGIN_S:
            yield f"{pod.name}: is killed before the grace period is over"
        pool = pod.labels.get("chimera-pool")
        on_gpu = any(
            "nvidia.com/gpu" in c["resources"]["limits"] or "claims" in c["resources"] for c in servers
        )
        if pool is None or (on_gpu and pod.spec.get("nodeSelector") != {"chimera-pool": pool}):
            yield f"{pod.name}: the pool {pool} is not that of its nodes"
        for scaled in kinds(objects, "ScaledObject"):
            target = scaled["spec"]["scaleTargetRef"]["name"]
            (trigger,) = scaled["spec"]["triggers"]
            wanted = f'chimera_queue_depth{{queue="{pool_queue(pool or "")}"}}'
            if target == pod.owner["metadata"]["name"] and trigger["metadata"]["valueLocation"] != wanted:
                yield f"{pod.name}: scaled by {trigger['metadata']['valueLocation']}"
            url = f"http://aggregator.{scaled['metadata']['namespace']}.svc:9100/metrics"
            if trigger["metadata"]["url"] != url:
                yield f"{pod.name}: scaled by what {trigger['metadata']['url']} tells"


def network(objects: list[Object]) -> Iterator[str]:
    """Nothing may but what is allowed; slots reach Redis and names alone, and nobody reaches their model server."""
    policies = kinds(objects, "NetworkPolicy")
    if not any(
        p["spec"]["podSelector"] == {} and sorted(p["spec"]["policyTypes"]) == ["Egress", "Ingress"]
        for p in policies
    ):
        yield "no policy denies what is not allowed"
    for pod in filter(_is_slot, pods(objects)):
        mine = [p["spec"] for p in policies if _matches(p["spec"]["podSelector"], pod.labels)]
        for rule in (rule for spec in mine for rule in spec.get("egress", [])):
            for peer in rule.get("to") or [{}]:
                redis = peer == {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "redis"}}}
                ports = {port["port"] for port in rule.get("ports", [])}
                names = "kube-dns" in str(peer)
                if (redis, ports) != (True, {6379}) and (names, ports) != (True, {53}):
                    yield f"{pod.name}: may reach {peer or 'everything'} at {sorted(ports) or 'every port'}"
        for rule in (rule for spec in mine for rule in spec.get("ingress", [])):
            if [port["port"] for port in rule.get("ports", [])] != ["metrics"]:
                yield f"{pod.name}: more than its metrics can be reached"


def problems(objects: list[Object], secrets: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return all that is wrong, but for the network's rules, which are a component's."""
    rules = (security, images, resources, probes, selectors, commands, slots)
    return [problem for rule in rules for problem in rule(objects)] + list(references(objects, secrets))
