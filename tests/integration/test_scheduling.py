"""Which slot measures what, and in which order: over real Redis, real workers and real HTTP."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from contracts.manifest import Manifest, OrderedJob
from contracts.outcome import JobOutcome
from producer.processes import Child
from tests.support.cluster import Cluster, calls_of, wait_for
from tests.support.sweeps import write_sweep

SCHEDULE = {"ttft_ms": 10, "itl_ms": 5, "tokens": 30}


def two_slots(cluster: Cluster) -> dict[str, str]:
    """A cluster of two slots and an aggregator; return the addresses of the slots' servers."""
    servers = {slot: cluster.reference_server(f"of-{slot}", **SCHEDULE) for slot in ("s0", "s1")}
    cluster.aggregator()
    for slot, server in servers.items():
        cluster.slot(slot, server)
    return servers


def outcomes_of(cluster: Cluster, folder: Path) -> list[JobOutcome]:
    """Return an execution's outcomes in the order in which they began."""
    made = Manifest.model_validate_json((folder / "manifest.json").read_text())
    return sorted(cluster.outcomes(made.execution), key=lambda one: one.started_ns)


def order_of(folder: Path) -> list[OrderedJob]:
    lines = (folder / "order.jsonl").read_text().splitlines()
    return [OrderedJob.model_validate_json(line) for line in lines]


def sweep_in(folder: Path, name: str, **changes: object) -> Path:
    """Write a sweep file in a folder of its own, over the corpus beside that folder."""
    own = folder / name
    own.mkdir()
    workload = {"kind": "agent", "paths": ["../corpus"]}
    return write_sweep(own, name=name, workload=workload, **changes)


def ended(runs: Iterable[Child]) -> None:
    for run in runs:
        wait_for(lambda r=run: not r.alive, seconds=120, what="chimera run ends")
        assert run.returncode == 0, run.log.read_text()


def folder_of(cluster: Cluster, name: str) -> Path:
    (folder,) = (cluster.folder / "results" / name).iterdir()
    return folder


def test_each_load_of_a_plot_is_measured_on_one_slot_without_another_in_between(
    cluster: Cluster, tmp_path: Path, corpus: Path
) -> None:
    servers = two_slots(cluster)
    axes = {"num_ctx": [512, 1024, 2048], "temperature": [0.2, 0.8]}
    _, folder = cluster.run(write_sweep(tmp_path, axes=axes, runs=4, order={"kind": "plots", "loads": 2}))

    listed = order_of(folder)
    assert Counter(job.load for job in listed) == {1: 12, 2: 12}
    outcomes = outcomes_of(cluster, folder)
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
    made = Manifest.model_validate_json((folder / "manifest.json").read_text())
    assert made.fixed_slots == ("s0", "s1")
    shares: dict[str, Counter[str]] = defaultdict(Counter)
    for one in outcomes_of(cluster, folder):
        shares[one.configuration.name][one.slot] += 1
    assert shares == {name: {"s0": 2, "s1": 2} for name in ("temperature=0.2", "temperature=0.8")}


def test_a_sweep_with_a_higher_priority_comes_first(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server(**SCHEDULE)
    cluster.aggregator()
    cluster.slot("s0", server)
    low = cluster.start_run(sweep_in(tmp_path, "low", runs=15, axes={"temperature": [0.5]}, priority=2))
    wait_for(lambda: calls_of(server), what="the first job measures")
    high = cluster.start_run(sweep_in(tmp_path, "high", runs=3, axes={"temperature": [0.5]}, priority=8))
    ended([low, high])
    late = outcomes_of(cluster, folder_of(cluster, "high"))
    early = outcomes_of(cluster, folder_of(cluster, "low"))
    # Once its first job is there, nothing of the other sweep comes in between, but for what had begun.
    between = [o for o in early if late[0].started_ns < o.started_ns < late[-1].started_ns]
    assert len(between) <= 1, between
    assert early[-1].started_ns > late[-1].started_ns


def test_two_sweeps_of_one_priority_share_the_slots(cluster: Cluster, tmp_path: Path, corpus: Path) -> None:
    server = cluster.reference_server(**SCHEDULE)
    cluster.aggregator()
    cluster.slot("s0", server)
    runs = []
    for name in ("one", "two"):
        runs.append(cluster.start_run(sweep_in(tmp_path, name, runs=30, axes={"temperature": [0.5]})))
        count = len(runs)
        wait_for(lambda n=count: len(cluster.store.running_in("test")) == n, what=f"sweep {name} begins")
    ended(runs)
    both = sorted(
        (o.started_ns, name)
        for name in ("one", "two")
        for o in outcomes_of(cluster, folder_of(cluster, name))
    )
    names = [name for _, name in both]
    first = names.index("two")
    last = max(place for place, name in enumerate(names) if name == "one")
    # While both have jobs, neither is kept waiting for more than a window of the other's.
    lengths = [len(list(group)) for _, group in itertools.groupby(names[first : last + 1])]
    assert first < 30 and max(lengths) <= 10, names
    assert len(lengths) >= 6, names
