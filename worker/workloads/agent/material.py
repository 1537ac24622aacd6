"""The ingest stage: the files below the roots → what the agent's prompts are made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contracts.call import Outcome
from contracts.corpus import discover, root_names
from contracts.outcome import IngestResult, StageResult
from contracts.workloads import CorpusWorkload
from worker.workloads.agent.digest import table_digest
from worker.workloads.agent.ingest import UNREAD, Ingested, ingest
from worker.workloads.agent.prompts import load_prompts
from worker.workloads.agent.timed import Start

INGEST = "ingest"


@dataclass(frozen=True)
class Material:
    """What ingest came to."""

    stage: StageResult
    result: IngestResult | None
    """``None``: ingest failed, as the stage says."""
    digest: str = ""
    """Of the tables, for the prompts."""
    analysis_prompt: str = ""


def read_material(
    workload: CorpusWorkload, roots: list[Path], *, expected_digest: str | None, inside: Path | None = None
) -> Material:
    """Read the files and make of them what the calls need: it takes CPU, and nothing of it may fall into a call.

    Args:
        workload: budget of the digest; its paths give the roots' names.
        roots: the resolved paths, in order.
        expected_digest: :func:`contracts.corpus.digest` of the files that the job is about; other
            contents fail the ingest. ``None``: any contents are right.
        inside: the only folder that is read on this machine; ``None``: a workload may name any.
    """
    started = Start.now()
    try:
        ingested = _ingest(roots, root_names(workload.paths), expected_digest, inside)
    except _IngestFailed as failure:
        return Material(started.stage(INGEST, Outcome.LOST, f"ingest failed: {failure}"), None)
    digest = table_digest(ingested.tables, ingested.result.counts, workload.digest_tokens)
    prompt = load_prompts().analysis(digest)
    return Material(started.stage(INGEST, Outcome.OK), ingested.result, digest, prompt)


class _IngestFailed(Exception):
    """The message says why, for people."""


def _ingest(
    roots: list[Path], names: list[str], expected_digest: str | None, inside: Path | None
) -> Ingested:
    try:
        ingested = ingest(discover(roots, names, inside=inside))
    except OSError as error:
        raise _IngestFailed(str(error)) from error
    if expected_digest is None or ingested.corpus_digest == expected_digest:
        return ingested
    if ingested.corpus_digest is None:
        unread = [f"{name} {why}" for name, why in ingested.result.unparsed.items() if why.startswith(UNREAD)]
        raise _IngestFailed(unread[0] if unread else "a file can't be read")
    raise _IngestFailed(
        f"the files are not those that the job was planned for "
        f"(digest {ingested.corpus_digest}, planned {expected_digest})"
    )
