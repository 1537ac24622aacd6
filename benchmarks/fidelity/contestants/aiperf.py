"""AIPerf: ``profile`` with ``--concurrency``, prompts from a ``single_turn`` JSON Lines file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.fidelity.contestants.base import Job
from benchmarks.fidelity.contestants.peer import find, version_of
from benchmarks.fidelity.record import Record
from benchmarks.fidelity.workload import MODEL, number_in, prompt


class AIPerf:
    """Its own services and worker processes, as many as it takes."""

    name = "aiperf"
    peer = True
    overhead_s = 18.0
    request_cpu_s = 0.02
    # Not HF_HUB_OFFLINE: with it 0.13 takes the tokenizer's path for a repository's name and fails.
    environment: Mapping[str, str] = {}

    def __init__(self, given: Path | None) -> None:
        self._given = given

    def version(self) -> str:
        return version_of(find(self.name, self._given), self.name)

    def command(self, job: Job) -> list[str]:
        work, data = job.workload, job.folder / "prompts.jsonl"
        data.write_text("".join(json.dumps(_row(n, work.tokens)) + "\n" for n in range(work.requests)))
        return [
            *(str(find(self.name, self._given)), "profile", "--model", MODEL, "--url", job.url),
            *("--endpoint-type", "completions", "--streaming", "--use-server-token-count"),
            *("--concurrency", str(work.concurrency), "--request-count", str(work.requests)),
            *("--input-file", str(data), "--custom-dataset-type", "single_turn"),
            *("--dataset-sampling-strategy", "sequential"),
            *("--tokenizer", str(job.tokenizer), "--ui", "none"),
            *("--output-artifact-dir", str(job.folder / "artifacts")),
        ]

    def records(self, job: Job) -> tuple[list[Record], list[str]]:
        lines = (job.folder / "artifacts" / "profile_export.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        whole = [entry for entry in entries if entry.get("error") is None]
        failed = [str(entry["error"]) for entry in entries if entry.get("error") is not None]
        return [_record(entry, job.clock_offset_ns) for entry in whole], failed


def _row(number: int, tokens: int) -> dict[str, Any]:
    # The session id comes back in the export, the seed goes to the server.
    return {
        "session_id": f"n{number:06d}",
        "text": prompt(number),
        "output_length": tokens,
        "extra": {"seed": number},
    }


def _record(entry: dict[str, Any], clock_offset_ns: int) -> Record:
    about, metrics = entry["metadata"], entry["metrics"]
    gaps = metrics.get("inter_chunk_latency", {}).get("value")
    return Record(
        number=number_in(about["conversation_id"]),
        start_ns=about["request_start_ns"] - clock_offset_ns,
        ttft_ms=metrics["time_to_first_token"]["value"],
        itl_ms=metrics["inter_token_latency"]["value"],
        gaps_ms=None if gaps is None else tuple(gaps),
    )
