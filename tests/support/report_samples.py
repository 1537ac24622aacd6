"""Summaries that have something to show in every chart, and hostile ones, for tests of the report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from analysis.models import (
    AxisEffect,
    AxisLevel,
    Comparison,
    Figure,
    GapQuantiles,
    InteractionEffect,
    MainEffects,
    RunOutlier,
    SweepSummary,
    TextGrounding,
)
from analysis.statistics.interval import Interval
from analysis.summary import summarise_records
from tests.support.synthetic import AXES, Shape, demo, synthetic

TEXT = "Report: 4 files were read, 3 of them CSV. It took 12.5 seconds."


def full_summary() -> SweepSummary:
    """The demo sweep, with effects, an outlier and checked texts put in, whatever the statistics find."""
    summary = demo().summary()
    changed = [
        c.model_copy(
            update={
                "outliers": (RunOutlier(metric="throughput_tok_s", run=2, value=1.0, low=2.0, high=3.0),)
                if index == 0
                else (),
                "conditions": c.conditions
                and c.conditions.model_copy(
                    update={"itl_gaps": GapQuantiles(n=900, median_ms=9.5, p99_ms=14.0)}
                ),
                "groundings": (grounding(),),
            }
        )
        for index, c in enumerate(summary.configurations)
    ]
    return summary.model_copy(
        update={
            "configurations": tuple(changed),
            "main_effects": tuple(map(effects, ("throughput_tok_s", "ttft_ms"))),
        }
    )


def many(configurations: int, text: str = "") -> SweepSummary:
    """The demo sweep's configurations over and over under names of their own, ranked as they stand, with texts of a
    model's usual length. (The statistics of as many sweeps would take a test's time.)"""
    summary = demo().summary()
    words = text or "The throughput of this configuration is 112.5 tok/s over 3 files. " * 90
    some = [
        c.model_copy(update={"shown": c.shown and c.shown.model_copy(update={"text": words})})
        for c in summary.configurations
    ]
    ranks = {r.config: r for r in summary.ranking}
    compared: dict[str, list[Comparison]] = {}
    for entry in summary.comparisons:
        compared.setdefault(entry.candidate, []).append(entry)
    made, ranking, comparisons = [], [], []
    for index in range(configurations):
        c = some[index % len(some)]
        factor = 1 - 0.0001 * index
        rate = c.over_runs.throughput_tok_s
        ttft = c.over_runs.ttft_ms
        over_runs = c.over_runs.model_copy(
            update={
                "throughput_tok_s": replace(rate, mean=(rate.mean or 0.0) * factor),
                "ttft_ms": replace(ttft, mean=(ttft.mean or 0.0) * (0.9 + (index * 7919 % 1000) / 5000)),
            }
        )
        name = f"{c.config},top_k={index}"
        made.append(
            c.model_copy(
                update={
                    "config": name,
                    "over_runs": over_runs,
                    "parameters": {**(c.parameters or {}), "top_k": index},
                }
            )
        )
        ranking.append(ranks[c.config].model_copy(update={"config": name, "rank": index + 1}))
        own = compared.get(c.config) or next(iter(compared.values()), [])
        comparisons += [
            entry.model_copy(update={"candidate": name, "baseline": made[0].config}) for entry in own if index
        ]
    return summary.model_copy(
        update={
            "configurations": tuple(made),
            "ranking": tuple(ranking),
            "comparisons": tuple(comparisons),
            "baseline": made[0].config,
        }
    )


def hostile(text: str) -> SweepSummary:
    """``text`` in every field that a person, a file, a server or a model fills."""
    name = text if text.strip() else "x"

    def change(columns: dict[str, Any]) -> dict[str, Any]:
        second = columns["config"].endswith("0.8")
        own: dict[str, Any] = {
            "config": f"{name}{' second' * second}",
            "agent": name,
            "model": name,
            "text": text,
        }
        own |= {"slot": name, "host": name, "pool": name, "data_summary": text, "model_digest": name}
        own |= {"findings": (text,), "recommendations": (text,)} if columns["stage"] == "analysis" else {}
        if columns["stage"] == "report":
            own |= {"stage": name}
            own |= {"outcome": "server_error", "reason": text} if columns["run"] == 2 else {}
        return columns | own

    made = synthetic({"temperature": AXES["temperature"]}, runs=4, shape=Shape(gpu=True, change=change))
    summary = summarise_records(made.records)  # without the manifest, whose names are not hostile
    marks = tuple(
        Figure(figure="x", kind="number", context=text, verdict="contradicted", truth=text, start=0, end=1)
        for _ in "1"
    )
    return summary.model_copy(
        update={
            "sweep": name,
            "main_effects": (effects("throughput_tok_s", name), effects("ttft_ms", name)),
            "configurations": tuple(
                c.model_copy(
                    update={
                        "groundings": tuple(
                            TextGrounding(run=r, stage=name, figures=marks) for r in (1, 3, 4)
                        )
                    }
                )
                for c in summary.configurations
            ),
        }
    )


def grounding() -> TextGrounding:
    figures = (("4", "contradicted", "3"), ("3", "supported", "data summary"), ("12.5", "not_found", None))
    return TextGrounding(
        run=8,
        stage="report",
        figures=tuple(
            Figure.model_validate(
                {"figure": words, "kind": "number", "context": TEXT, "verdict": verdict, "truth": truth}
                | {"start": TEXT.index(words), "end": TEXT.index(words) + len(words)}
            )
            for words, verdict, truth in figures
        ),
    )


def effects(metric: str, name: str = "") -> MainEffects:
    """Three axes of which one is inert; a name that is not empty stands for every name in it."""
    mean = 100.0 if metric == "throughput_tok_s" else 55.0

    def level(value: str, factor: float) -> AxisLevel:
        low, high = mean * factor * 0.99, mean * factor * 1.01
        return AxisLevel(
            value=name or value,
            runs=32,
            mean=mean * factor,
            interval=Interval(low=low, high=high, method="t"),
        )

    return MainEffects(
        metric=metric,
        agent=name or "chimera",
        runs=64,
        axes=(
            AxisEffect(
                axis=name or "num_gpu",
                levels=(level("40", 1.0), level("80", 1.12)),
                share=0.81,
                largest_percent=12.0,
            ),
            AxisEffect(
                axis=name or "temperature",
                levels=(level("0.2", 1.05), level("0.8", 1.06)),
                share=0.01,
                largest_percent=1.0,
            ),
            AxisEffect(
                axis=name or "num_ctx",
                levels=(level("1024", 1.055), level("2048", 1.056)),
                share=0.0,
                largest_percent=0.1,
                inert=True,
            ),
        ),
        interactions=(InteractionEffect(axes=(name or "num_gpu", name or "temperature"), share=0.02),),
        slot_share=0.1,
        block_share=0.01,
        residual_share=0.05,
        balanced=True,
        notes=(name,) if name else (),
    )
