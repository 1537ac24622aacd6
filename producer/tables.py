"""The tables that the commands print."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from analysis.files import json_text
from analysis.rendering.plain import visible
from contracts.configuration import PARAMETER_NAMES, format_value
from contracts.sweep import SweepSpec, Warmup
from contracts.workloads import AgentPairWorkload, PromptsWorkload
from producer.documents import PlanDocument
from producer.plan import Plan
from producer.progress import say_line

SHOWN = 5
"""Blocks or units that a plan lists."""
MOST_LISTED = 50
"""Jobs that it lists of one."""


def show_plan(plan: Plan, job_s: float | None, slots: int | None, inert: list[str], console: Console) -> None:
    """Print configurations, jobs, order and duration of a plan."""
    spec = plan.spec
    given = [n for n in PARAMETER_NAMES if any(n in c.parameters.given() for c in plan.configurations)]
    table = Table(
        *("#", Column("configuration", overflow="fold"), Column("id", no_wrap=True)),
        *(Column(name, overflow="fold") for name in ("model", *given)),
        title=Text(f"{spec.name}: {len(plan.configurations)} configurations"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for index, c in enumerate(plan.configurations, start=1):
        values = [format_value(c.parameters.given().get(name)) for name in given]
        table.add_row(str(index), Text(visible(c.name)), c.id, Text(visible(c.model)), *values)
    console.print(table)

    lines = [
        f"jobs       {jobs_in_words(plan)}, each {_preparation(spec.warmup)} and {work_in_words(plan)}",
        f"pool       {spec.pool}; server kind {spec.server.kind}; deadline {spec.deadline:g} s a job",
        f"order      {order_in_words(plan)}",
    ]
    numbers = {c.id: index for index, c in enumerate(plan.configurations, start=1)}
    lines += _units_in_words(plan, numbers)
    until = until_in_words(spec)
    if until is not None:
        lines.append(f"then       blocks of the configurations that still need runs, until {until}")
    if plan.baseline is not None:
        lines.append(f"baseline   #{numbers[plan.baseline.id]} {plan.baseline.name}")
    lines.append(f"duration   {_duration(plan, job_s, slots or 1)}")
    lines += [f"inert      {line}" for line in inert]
    lines.append(f"sweep id   {plan.sweep_id}")
    for line in lines:
        say_line(console, line)


def jobs_in_words(plan: Plan) -> str:
    """Return how many jobs a plan has, at least and at most."""
    spec, count = plan.spec, len(plan.configurations)
    if spec.until_precise is None:
        return f"{plan.size} = {count} configurations × {spec.first_runs} runs"
    most = f"{plan.size} … {plan.most_jobs}"
    limit = "" if spec.max_jobs is None else f" (max_jobs {spec.max_jobs})"
    return f"{most} = {count} configurations × {spec.first_runs} … {spec.most_runs} runs{limit}"


def work_in_words(plan: Plan) -> str:
    """Return what a job does after its warm-up."""
    workload = plan.spec.workload
    if isinstance(workload, PromptsWorkload):
        what = "made prompts" if workload.synthetic is not None else f"{plan.files} prompts or conversations"
        load = "a search for saturation" if workload.search is not None else "one load"
        ends = [f"{workload.requests} requests"] if workload.requests is not None else []
        ends += [f"{workload.duration:g} s"] if workload.duration is not None else []
        step = " a step" if workload.search is not None else ""
        return f"{load} of {what}: {' or '.join(ends)}{step}"
    agent = f"ingest → analysis → report over {plan.files} files"
    if not isinstance(workload, AgentPairWorkload):
        return agent
    labels = ", ".join(role.label for role in workload.agents)
    alone = sum(len(c.agents) == 1 for c in plan.configurations)
    solo = f"; {alone} of the configurations are agents alone, to compare with" if alone else ""
    return f"{agent}, by {len(workload.agents)} agents at the same time ({labels}; {workload.scenario}){solo}"


def order_in_words(plan: Plan) -> str:
    """Return in which order the jobs run, and where."""
    order, plots = plan.spec.order, plan.plots
    if plots is None:
        line = f"randomised blocks, seed {order.seed}: one run of every configuration per block"
    else:
        line = (
            f"{plots} whole plots (axes that make the server reload), seed {order.seed}: each is loaded {plan.loads} ×, "
            "its runs shared out, and measured by one slot at a time, the longest first"
        )
    if order.placement == "balanced":
        line += "; each configuration's runs are shared out over all slots"
    return line


def _units_in_words(plan: Plan, numbers: Mapping[str, int]) -> list[str]:
    """Return a line for each of the first blocks, or units, by the configurations' numbers."""
    count = len(plan.configurations)
    if plan.plots is None:
        shown, size, word, total = SHOWN, count, "block", plan.spec.first_runs
    else:
        shown, size, word, total = SHOWN, 1, "unit", plan.plots * plan.loads
    units = itertools.islice(plan.units(), min(shown, total) * size)
    lines = []
    for number in range(1, min(shown, total) + 1):
        jobs = [job for unit in itertools.islice(units, size) for job in unit.jobs]
        listed = " ".join(f"#{numbers[job.configuration.id]}" for job in jobs[:MOST_LISTED])
        more = f" … {len(jobs)} jobs" if len(jobs) > MOST_LISTED else ""
        lines.append(f"  {word} {number}  {listed}{more}")
    if total > shown:
        lines.append(f"  … and {total - shown} more {word}s")
    return lines


def until_in_words(spec: SweepSpec) -> str | None:
    """Return what a sweep runs until; ``None``: the number of its runs is fixed."""
    until = spec.until_precise
    if until is None:
        return None
    text = ", ".join(f"{name} ±{100 * target:g} %" for name, target in spec.until.items())
    return text + ("" if until.max_time is None else f"; no block begins after {_minutes(until.max_time)}")


def _preparation(warmup: Warmup) -> str:
    if warmup == "unload":
        return "unloading the model"
    return f"{warmup} warm-up call{'s' * (warmup != 1)}"


def _duration(plan: Plan, job_s: float | None, slots: int) -> str:
    bound = f"at most {_minutes(plan.most_jobs * plan.spec.deadline / slots)} by the deadlines"
    if job_s is None:
        return f"not known: no earlier run of this sweep in the results folder; {bound} on {slots} slot(s)"
    about = _minutes(plan.size * job_s / slots)
    if plan.most_jobs > plan.size:
        about += f" to {_minutes(plan.most_jobs * job_s / slots)}"
    return f"about {about} on {slots} slot(s), at {job_s:.1f} s a job as last time; {bound}"


def _minutes(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def plan_json(plan: Plan, inert: list[str], job_s: float | None = None) -> str:
    """Return the plan as JSON: configurations and the ordered jobs of the start with their ids."""
    until = plan.spec.until_precise
    document = PlanDocument(
        sweep=plan.spec.name,
        sweep_id=plan.sweep_id,
        corpus_digest=plan.corpus_digest,
        files=plan.files,
        configurations=tuple({"id": c.id, **c.model_dump(mode="json")} for c in plan.configurations),
        baseline=plan.baseline.name if plan.baseline else None,
        inert=tuple(inert),
        runs={"min": plan.spec.first_runs, "max": plan.spec.most_runs},
        until=plan.spec.until or None,
        max_time=until.max_time if until else None,
        job_s=job_s,
        jobs_min=plan.size,
        jobs_max=plan.most_jobs,
        jobs=tuple(plan.maker("plan").listed(plan.units())),
    )
    return json_text(document.model_dump(mode="json"), indent=2)
