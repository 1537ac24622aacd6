"""What every artefact carries: what was measured, by which code, on what, and how to do it again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from contracts.base import Strict

CHIMERA = "chimera-bench"
"""The distribution's name among a manifest's versions."""


class ModelOf(Strict):
    """One model, as the servers told; more than one value: not the same in all runs."""

    name: str
    digests: tuple[str, ...] = ()
    quantisations: tuple[str, ...] = ()


class ServerOf(Strict):
    """One version of one model server, and the slots that it stood behind."""

    kind: str | None
    """``ollama``, ``llama.cpp``, ``openai``; ``None``: not known."""
    software: str | None = None
    version: str | None
    slots: tuple[str, ...] = ()


class HostOf(Strict):
    """One machine."""

    host: str
    system: str | None = None
    """Operating system and architecture."""
    cpu: str | None = None
    gpus: tuple[str, ...] | None = None
    """Names; ``None``: not known."""
    drivers: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()


class Provenance(Strict):
    """``None`` or empty: not known."""

    name: str | None
    """By the convention of :mod:`analysis.naming`."""
    sweep: str | None
    execution: str | None
    sweep_id: str | None
    """Content hash of spec, corpus and prompts' version: the same for the same experiment."""
    spec_hash: str | None = None
    """Content hash of the sweep file as understood, its defaults left out."""
    corpus_digest: str | None
    versions: dict[str, str]
    """Distribution → version, Python's and the prompts' among them."""
    git_commit: str | None
    """Of the checkout that holds the sweep file."""
    created_at: datetime | None
    finished_at: datetime | None
    resumed: int | None
    order_seed: int | None
    pools: tuple[str, ...]
    models: tuple[ModelOf, ...]
    servers: tuple[ServerOf, ...]
    hosts: tuple[HostOf, ...]
    reproduce: tuple[str, ...]
    """Commands of a shell, a line each; a line that begins with ``#`` explains."""

    @property
    def code(self) -> str | None:
        """Version of Chimera that planned it."""
        return code_version(self.versions)

    @property
    def title(self) -> str:
        """The shortest name that tells it apart."""
        return self.name or self.execution or self.sweep or "results without a manifest"


def code_version(versions: Mapping[str, str]) -> str | None:
    """Return Chimera's own version; ``None``: not known."""
    return versions.get(CHIMERA) or versions.get("chimera")
