"""What Prometheus and Grafana are given: their own tools accept it, and a real sweep answers every question in it."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from contracts.settings import FLOWER_AUTH
from producer.embedded_redis import free_port
from producer.processes import Child
from tests.support.cluster import Cluster, wait_for
from tests.support.sweeps import write_sweep
from tests.support.watched import read

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARD = GRAFANA / "dashboards" / "chimera.json"
PASSWORD = "a-password-to-watch"

Told = dict[str, set[str]]
"""Metric → the names of its labels."""


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on PATH (Debian's package prometheus has it)")
    return found


@cache
def board() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def panels() -> list[dict[str, Any]]:
    return [panel for panel in board()["panels"] if panel["type"] != "row"]


def questions() -> list[str]:
    """Every expression of the dashboard, as Grafana would send it for a short time."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    filled = [
        expression.replace("$__rate_interval", "20s").replace("$pool", ".*").replace("$sweep", ".*")
        for expression in found
    ]
    assert not [expression for expression in filled if "$" in expression]
    return filled


def alarms() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def configuration(folder: Path, targets: dict[str, str]) -> Path:
    """Write the shipped configuration with targets, places and intervals of this machine; all else stays."""
    tree = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert {job["job_name"] for job in tree["scrape_configs"]} == set(targets)
    for job in tree["scrape_configs"]:
        for kind in ("dns_sd_configs", "file_sd_configs", "static_configs"):
            job.pop(kind, None)
        job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
        if "basic_auth" in job:
            (folder / "password").write_text(PASSWORD)
            job["basic_auth"]["password_file"] = str(folder / "password")
    tree["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    tree["rule_files"] = [str(PROMETHEUS / name) for name in tree["rule_files"]]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(tree))
    return path


def test_prometheus_accepts_the_configuration(tmp_path: Path) -> None:
    promtool = tool("promtool")
    for name in ("prometheus.yml", "rules.yml"):
        shutil.copy(PROMETHEUS / name, tmp_path)
    secret = tmp_path / "flower"
    secret.write_text(PASSWORD)
    path = tmp_path / "prometheus.yml"
    assert "/run/secrets/flower" in path.read_text()
    path.write_text(path.read_text().replace("/run/secrets/flower", str(secret)))
    checked = subprocess.run([promtool, "check", "config", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(alarms())} rules found" in checked.stdout


def test_each_alarm_fires_where_it_should() -> None:
    promtool = tool("promtool")
    tried = subprocess.run(
        [promtool, "test", "rules", "rules_test.yml"], cwd=PROMETHEUS, capture_output=True, text=True
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_each_alarm_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    fires: set[str] = set()
    quiet: set[str] = set()
    for case in yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]:
        for asked in case["alert_rule_test"]:
            (fires if asked.get("exp_alerts") else quiet).add(asked["alertname"])
    names = {rule["alert"] for rule in alarms()}
    assert fires == quiet == names
    assert all(rule["annotations"].keys() == {"summary", "action"} for rule in alarms())


def test_grafana_knows_every_key_of_the_dashboard() -> None:
    # Grafana's own models of what a dashboard may hold drop what they don't know.
    sdk = "grafana_foundation_sdk"
    models = pytest.importorskip(f"{sdk}.models.dashboard", reason="no grafana-foundation-sdk")
    encoder, plugins = import_module(f"{sdk}.cog.encoder"), import_module(f"{sdk}.cog.plugins")
    plugins.register_default_plugins()
    kept = json.loads(encoder.JSONEncoder().encode(models.Dashboard.from_json(board())))
    assert list(lost(board(), kept)) == []


def lost(given: Any, kept: Any, where: str = "") -> Iterator[str]:
    """Yield the places at which something given was not kept."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            yield from lost(value, kept[key], f"{where}/{key}") if key in kept else [f"{where}/{key}"]
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for at, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(one, other, f"{where}/{at}")
    elif given != kept:
        yield where


def test_the_dashboard_says_what_it_shows() -> None:
    assert len({panel["id"] for panel in board()["panels"]}) == len(board()["panels"])
    assert len({panel["title"] for panel in panels()}) == len(panels())
    for panel in panels():
        assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters), panel["title"]
    taken: dict[tuple[int, int], str] = {}
    for panel in board()["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_grafana_finds_its_dashboard_and_its_prometheus() -> None:
    provisioning = GRAFANA / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "chimera.yml").read_text())["providers"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    grafana = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    mounts = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    scraped_every = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped_every
    assert source["type"] == board()["templating"]["list"][0]["query"]


def test_every_question_is_answered_while_a_sweep_runs(
    cluster: Cluster, tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = {"chimera-workers": free_port(), "chimera-cluster": free_port(), "flower": free_port()}
    targets = {job: f"127.0.0.1:{port}" for job, port in ports.items()}
    cluster.store.client.config_set("maxmemory", 2**30)
    try:
        monkeypatch.setenv(FLOWER_AUTH, f"watcher:{PASSWORD}")
        cluster.python("flower", "-m", "producer", "flower", "--port", str(ports["flower"]))
        monkeypatch.delenv(FLOWER_AUTH)
        server = cluster.reference_server(ttft_ms=5, itl_ms=1, tokens=10)
        told = ("--metrics-port", str(ports["chimera-cluster"]))
        cluster.python("aggregator", "-m", "worker", "--aggregator", *told)
        slot = ("--slot", "s0", "--server", server, "--pool", "test", "--max-deadline", "60")
        cluster.python("worker", "-m", "worker", *slot, "--metrics-port", str(ports["chimera-workers"]))
        wait_for(lambda: cluster.store.slot("s0") and cluster.store.has_aggregator(), what="all live")
        # Two models are two plots, so that jobs wait in the slot's own queue. It ends with the test.
        models = {"model": ["ref", "ref:abort"], "temperature": [0.2, 0.8]}
        cluster.start_run(write_sweep(tmp_path, model=None, axes=models, runs=500, order={"loads": 100}))

        said: Told = {}
        wait_for(lambda: not missing(said, targets), what="all that is asked for is told")
        names_are_real(said)
        if shutil.which("prometheus") is None:
            pytest.skip("no prometheus on PATH: only names and labels of the expressions were checked")
        answered_by_prometheus(tmp_path, targets)
    finally:
        cluster.store.client.config_set("maxmemory", 0)


def everything_asked() -> set[str]:
    """Every metric of Chimera that the dashboard or an alarm asks for."""
    asked = [*questions(), *(rule["expr"] for rule in alarms())]
    return {name for expression in asked for name in re.findall(r"\bchimera_\w+", expression)}


def missing(said: Told, targets: dict[str, str]) -> set[str]:
    """Take in what is told now; return what was never told."""
    for job, target in targets.items():
        try:
            password = ("watcher", PASSWORD) if job == "flower" else None
            text = httpx.get(f"http://{target}/metrics", auth=password, timeout=10).text
        except httpx.TransportError:
            continue
        for name, labels in read(text):
            said.setdefault(name, set()).update(dict(labels))
    return everything_asked() - said.keys()


def names_are_real(said: Told) -> None:
    """Every label of every expression is one of the metric that it stands beside."""
    for expression in [*questions(), *(rule["expr"] for rule in alarms())]:
        for metric, matchers in re.findall(r"\b(chimera_\w+)\{([^}]*)\}", expression):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", matchers))
            assert labels <= said[metric], f"{metric} has no {labels - said[metric]}: {expression}"
        whole = set().union(*(said[name] for name in re.findall(r"\bchimera_\w+", expression)))
        for by in re.findall(r"\b(?:by|on)\s*\(([\w, ]*)\)", expression):
            grouped = set(re.findall(r"\w+", by))
            assert grouped <= whole, f"nothing has {grouped - whole}: {expression}"
    for variable in board()["templating"]["list"][1:]:
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
        assert label in said[metric]


def answered_by_prometheus(folder: Path, targets: dict[str, str]) -> None:
    port = free_port()
    options = [f"--config.file={configuration(folder, targets)}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    options.append(f"--web.listen-address=127.0.0.1:{port}")
    prometheus = Child("prometheus", [tool("prometheus"), *options], log=folder / "prometheus.log")
    try:
        ask_prometheus(prometheus, f"http://127.0.0.1:{port}/api/v1", targets)
    finally:
        prometheus.stop_now()


def ask_prometheus(prometheus: Child, page: str, targets: dict[str, str]) -> None:
    def ask(path: str, **parameters: str) -> Any:
        prometheus.check()
        try:
            answer = httpx.get(f"{page}/{path}", params=parameters, timeout=10)
        except httpx.TransportError:
            return None
        if answer.status_code == 503:  # it starts
            return None
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def scraped() -> set[str]:
        answer = ask("query", query="up == 1") or {"result": []}
        return {one["metric"]["job"] for one in answer["result"]}

    wait_for(lambda: scraped() == set(targets), what="Prometheus scrapes all three")
    left = questions()

    def answered() -> bool:
        left[:] = [expression for expression in left if not figures(ask("query", query=expression))]
        return not left

    try:
        wait_for(answered, what="every question has an answer")
    except AssertionError:
        pytest.fail(f"no answer to {left}")
    rules = wait_for(lambda: judged(ask("rules")), what="the alarms were looked at")
    assert {rule["name"]: (rule["health"], rule["state"]) for rule in rules} == {
        rule["alert"]: ("ok", "inactive" if rule["alert"] not in EXPECTED else "pending") for rule in alarms()
    }


EXPECTED = {"ChimeraJobsFail"}
"""Half of the jobs of this sweep do; the alarm waits some minutes."""


def judged(rules: Any) -> list[dict[str, Any]] | None:
    found = [rule for group in rules["groups"] for rule in group["rules"]]
    failing = [rule for rule in found if rule["name"] in EXPECTED and rule["state"] == "inactive"]
    return None if failing or any(rule["health"] == "unknown" for rule in found) else found


def figures(answer: Any) -> list[float]:
    """The numbers of an answer, without NaN."""
    found = [float(one["value"][1]) for one in answer["result"]] if answer else []
    return [figure for figure in found if not math.isnan(figure)]
