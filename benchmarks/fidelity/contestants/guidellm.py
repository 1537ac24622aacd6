"""GuideLLM: the ``concurrent`` profile, prompts from a JSON Lines file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.fidelity.contestants.base import Job
from benchmarks.fidelity.contestants.peer import find, version_of
from benchmarks.fidelity.record import Record
from benchmarks.fidelity.workload import MODEL, number_in, prompt


class GuideLLM:
    """Its own worker processes, as many as it takes."""

    name = "guidellm"
    peer = True
    overhead_s = 45.0
    request_cpu_s = 0.06
    environment: Mapping[str, str] = {"HF_HUB_OFFLINE": "1"}

    def __init__(self, given: Path | None) -> None:
        self._given = given

    def version(self) -> str:
        return version_of(find(self.name, self._given), self.name)

    def command(self, job: Job) -> list[str]:
        work, data = job.workload, job.folder / "prompts.jsonl"
        rows = ({"prompt": prompt(n), "output_tokens_count": work.tokens} for n in range(work.requests))
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return [
            *(str(find(self.name, self._given)), "run", "--disable-console-interactive"),
            *("--backend", f"kind=openai_http,target={job.url},model={MODEL},request_format=/v1/completions"),
            *("--profile", f"kind=concurrent,streams={work.concurrency}"),
            *("--constraint", f"kind=max_requests,count={work.requests}"),
            *("--data", f"kind=json_file,path={data}"),
            *("--tokenizer", f"kind=huggingface_auto,model={job.tokenizer}"),
            *("--output", f"kind=json,path={job.folder / 'report.json'}"),
        ]

    def records(self, job: Job) -> tuple[list[Record], list[str]]:
        (benchmark,) = json.loads((job.folder / "report.json").read_text())["benchmarks"]
        requests = benchmark["requests"]
        failed = [str(entry["info"].get("error")) for entry in requests["errored"]]
        return [_record(entry, job.clock_offset_ns) for entry in requests["successful"]], failed


def _record(entry: dict[str, Any], clock_offset_ns: int) -> Record:
    return Record(
        number=number_in(entry["request_args"]),
        start_ns=round(entry["request_start_time"] * 1e9) - clock_offset_ns,
        ttft_ms=entry["time_to_first_token_ms"],
        itl_ms=entry["inter_token_latency_ms"],
    )
