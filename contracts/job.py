"""One job: one run of one configuration, and everything a worker needs to perform it."""

from __future__ import annotations

from typing import Any, Literal

from contracts.base import SCHEMA_VERSION, Strict, content_hash
from contracts.configuration import Configuration
from contracts.sweep import ServerSpec, Warmup
from contracts.workloads import Name, Workload

PROMPTS_VERSION = "1"
"""Version of the agent's prompt files (``worker/workloads/agent/prompts/``): part of what is measured."""


class JobSpec(Strict):
    """Frozen; ``job_id`` hashes what is measured, not when, where or under which sweep's name."""

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["agent", "agent-pair", "prompts"] = "agent"
    sweep: Name
    execution: str
    configuration: Configuration
    run: int
    """1-based."""
    block: int
    """1-based: the randomised block that the job belongs to."""
    load: int | None = None
    """1-based: the load of its plot that the run belongs to; ``None``: the order knows no plots."""
    workload: Workload
    corpus_digest: str
    """Content hash of what the workload reads: the files below its paths (:mod:`contracts.corpus`), or its prompts' file."""
    base_dir: str
    """Folder that relative paths are relative to, on the producer's machine."""
    server: ServerSpec
    warmup: Warmup
    reset: bool = False
    """Unload the model first: Ollama would keep the ``num_gpu`` of the configuration before, where this one
    leaves it to the server."""
    deadline_s: float
    pool: Name

    @property
    def job_id(self) -> str:
        """Content hash, 16 hex digits; the same for the same sweep file and corpus on any machine."""
        return content_hash(self.content())

    def content(self) -> dict[str, Any]:
        """Return what the job's id hashes. Defaults are left out, so that a field that a later version adds changes no id."""
        return {
            "schema_version": self.schema_version,
            "kind": self.kind,
            "configuration": self.configuration.id,
            "run": self.run,
            "workload": self.workload.model_dump(mode="json", exclude_defaults=True),
            "corpus": self.corpus_digest,
            "prompts": PROMPTS_VERSION,
            "server": self.server.model_dump(mode="json", exclude_defaults=True),
            "warmup": self.warmup,
            **({"reset": True} if self.reset else {}),
            "deadline_s": self.deadline_s,
            "pool": self.pool,
        }

    @property
    def title(self) -> str:
        """Name for people, as Flower and the logs show it: sweep / configuration / run."""
        return f"{self.configuration_title} / run {self.run}"

    @property
    def configuration_title(self) -> str:
        """Name for people of what the job is one run of."""
        return f"{self.sweep} / {self.configuration.name}"
