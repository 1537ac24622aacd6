"""Which slot measures what, and in which order: over real Redis, real workers and real HTTP."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from contracts.manifest import Manifest, OrderedJob
from contracts.outcome import JobOutcome
from tests.support.cluster import Cluster, calls_of, wait_for
from tests.support.sweeps import write_sweep

SCHEDULE: dict[str, Any] = {"ttft_ms": 10, "itl_ms": 5, "tokens": 30}
ENDLESS = 500
"""Runs of a sweep that is not waited for."""


def two_slots(cluster: Cluster) -> dict[str, str]:
    """A cluster of two slots and an aggregator; return the addresses of the slots' servers."""
    servers = {slot: cluster.reference_server(f"of-{slot}", **SCHEDULE) for slot in ("s0", "s1")}
    cluster.aggregator()
    for slot, server in servers.items():
        cluster.slot(slot, server)
    return servers


def manifest_of(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / "manifest.json").read_text())


def outcomes_of(cluster: Cluster, execution: str) -> list[JobOutcome]:
    """Return an execution's outcomes in the order in which they began."""
    return sorted(cluster.outcomes(execution), key=lambda one: one.started_ns)


def order_of(folder: Path) -> list[OrderedJob]:
    lines = (folder / "order.jsonl").read_text().splitlines()
    return [OrderedJob.model_validate_json(line) for line in lines]


def sweep_in(folder: Path, name: str, **changes: object) -> Path:
    """Write a sweep file in a folder of its own, over the corpus beside that folder."""
    own = folder / name
    own.mkdir()
    workload = {"kind": "agent", "paths": ["../corpus"]}
    return write_sweep(own, name=name, workload=workload, **changes)


def newest(cluster: Cluster, name: str) -> str:
    """Return the execution of a sweep that runs."""
    found = wait_for(lambda: cluster.store.newest_named(name), what=f"sweep {name} begins")
    return str(found[0].execution)


def test_each_load_of_a_plot_is_measured_on_one_slot_without_another_in_between(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    servers = two_slots(cluster)
    axes = {"num_ctx": [512, 1024, 2048], "temperature": [0.2, 0.8]}
    _, folder = cluster.run(write_sweep(tmp_path, axes=axes, runs=4, order={"kind": "plots", "loads": 2}))

    listed = order_of(folder)
    assert Counter(job.load for job in listed) == {1: 12, 2: 12}
    execution = manifest_of(folder).execution
    outcomes = outcomes_of(cluster, execution)
    assert sorted(o.job_id for o in outcomes) == sorted(job.job_id for job in listed)
    assert {o.job_id: o.load for o in outcomes} == {job.job_id: job.load for job in listed}
    assert not any(o.failed for o in outcomes)
    assert sum(len(calls_of(server)) for server in servers.values()) == 24 * 2
    pieces: Counter[tuple[int | None, int | None]] = Counter()
    for slot in servers:
        own = [o for o in outcomes if o.slot == slot]
        for unit, _ in itertools.groupby(own, key=lambda o: (o.configuration.parameters.num_ctx, o.load)):
            pieces[unit] += 1
    # A unit is in one piece on one slot; at the end of the sweep, an idle slot may take over the rest of one.
    told, _ = cluster.store.told(
        Manifest.model_validate_json((folder / "manifest.json").read_text()).execution
    )
    splits = sum("go to a slot that is free" in line for _, line in told)
    assert len(pieces) == 6 and sum(pieces.values()) <= 6 + splits
    assert set(Counter(o.slot for o in outcomes)) == {"s0", "s1"}


def test_balanced_placement_has_every_slot_measure_its_share(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    two_slots(cluster)
    _, folder = cluster.run(write_sweep(tmp_path, runs=4, order={"placement": "balanced"}))
    made = manifest_of(folder)
    assert made.fixed_slots == ("s0", "s1")
    shares: dict[str, Counter[str]] = defaultdict(Counter)
    for one in outcomes_of(cluster, made.execution):
        shares[one.configuration.name][one.slot] += 1
    assert shares == {name: {"s0": 2, "s1": 2} for name in ("temperature=0.2", "temperature=0.8")}


def test_a_sweep_with_a_higher_priority_comes_first(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server(**SCHEDULE)
    cluster.aggregator()
    cluster.slot("s0", server)
    cluster.start_run(sweep_in(tmp_path, "low", runs=ENDLESS, axes={"temperature": [0.5]}, priority=2))
    wait_for(lambda: calls_of(server), what="the first job measures")
    high = cluster.start_run(sweep_in(tmp_path, "high", runs=5, axes={"temperature": [0.5]}, priority=8))
    wait_for(lambda: not high.alive, seconds=120, what="the later sweep ends")
    assert high.returncode == 0, high.log.read_text()
    late = outcomes_of(cluster, newest(cluster, "high"))
    early = outcomes_of(cluster, newest(cluster, "low"))
    assert len(late) == 5 and len(early) < ENDLESS
    # Once its first job is there, nothing of the other sweep comes in between.
    assert [o for o in early if late[0].started_ns < o.started_ns < late[-1].started_ns] == []


def test_two_sweeps_of_one_priority_share_the_slots(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server(**SCHEDULE)
    cluster.aggregator()
    cluster.slot("s0", server)
    for name in ("one", "two"):
        cluster.start_run(sweep_in(tmp_path, name, runs=ENDLESS, axes={"temperature": [0.5]}))
        newest(cluster, name)
    second = newest(cluster, "two")
    wait_for(lambda: cluster.store.progress(second).done >= 15, what="the later sweep has had its share")
    starts = [
        (outcome.started_ns, name)
        for name in ("one", "two")
        for outcome in outcomes_of(cluster, newest(cluster, name))
    ]
    names = [name for _, name in sorted(starts)]
    both = names[names.index("two") :]
    # Neither is kept waiting for more than a window of the other's.
    turns = [len(list(group)) for _, group in itertools.groupby(both)]
    assert max(turns) <= 10 and len(turns) >= 5, names
    assert 5 <= both.count("one") <= 45, names
