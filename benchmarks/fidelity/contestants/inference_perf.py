"""inference-perf (kubernetes-sigs): a ``concurrent`` load stage, prompts from a file in ShareGPT's form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from benchmarks.fidelity.contestants.base import Job
from benchmarks.fidelity.contestants.peer import find, version_of
from benchmarks.fidelity.record import Record
from benchmarks.fidelity.workload import MODEL, number_in, prompt

REPORT = "per_request_lifecycle_metrics.json"


class InferencePerf:
    """Worker processes as many as CPUs (its default), each with its share of the concurrency."""

    name = "inference-perf"
    peer = True
    overhead_s = 16.0
    request_cpu_s = 0.02
    environment: Mapping[str, str] = {"HF_HUB_OFFLINE": "1"}

    def __init__(self, given: Path | None) -> None:
        self._given = given

    def version(self) -> str:
        return version_of(find(self.name, self._given), self.name)

    def command(self, job: Job) -> list[str]:
        data, config = job.folder / "prompts.json", job.folder / "config.yaml"
        data.write_text(json.dumps(_conversations(job)))
        config.write_text(yaml.safe_dump(_config(job, data)))
        return [str(find(self.name, self._given)), "--config_file", str(config)]

    def records(self, job: Job) -> tuple[list[Record], list[str]]:
        entries: list[dict[str, Any]] = json.loads((job.folder / "reports" / REPORT).read_text())
        whole = [entry for entry in entries if entry.get("error") is None]
        failed = [str(entry["error"]) for entry in entries if entry.get("error") is not None]
        return [_record(entry) for entry in whole], failed


def _conversations(job: Job) -> list[dict[str, Any]]:
    # Its reader drops the first conversation, and takes the answer's length as the token limit.
    answer = " ".join(["fox"] * job.workload.tokens)
    return [
        {"conversations": [{"from": "human", "value": prompt(n)}, {"from": "gpt", "value": answer}]}
        for n in (0, *range(job.workload.requests))
    ]


def _config(job: Job, data: Path) -> dict[str, Any]:
    work = job.workload
    return {
        "api": {"type": "completion", "streaming": True},
        "data": {"type": "shareGPT", "path": str(data)},
        "load": {
            "type": "concurrent",
            "interval": 0,
            "stages": [{"num_requests": work.requests, "concurrency_level": work.concurrency}],
        },
        "server": {"type": "vllm", "model_name": MODEL, "base_url": job.url, "ignore_eos": True},
        "tokenizer": {"pretrained_model_name_or_path": str(job.tokenizer)},
        "report": {"request_lifecycle": {"per_request": True}},
        "storage": {"local_storage": {"path": str(job.folder / "reports")}},
    }


def _record(entry: dict[str, Any]) -> Record:
    """TTFT and gaps as its report defines them: from ``start_time`` and ``output_token_times``, s."""
    metrics = entry["info"]["response_metrics"]
    start, times = entry["start_time"], metrics["output_token_times"]
    gaps = tuple(1e3 * (b - a) for a, b in pairwise(times))
    return Record(
        number=number_in(entry["request"]),
        start_ns=round(start * 1e9),
        ttft_ms=1e3 * (times[0] - start) if times else None,
        itl_ms=sum(gaps) / len(gaps) if gaps else None,
        gaps_ms=gaps or None,
    )
