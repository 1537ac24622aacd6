"""One of the two results: its stages, aggregated anew, so that one version computes both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from analysis.models import ConfigurationSummary, SweepSummary
from analysis.provenance import Provenance, provenance_of_records
from analysis.summary import summarise_records
from contracts.base import SCHEMA_VERSION, content_hash
from contracts.facts import Facts
from contracts.job import PROMPTS_VERSION
from contracts.manifest import Manifest, SlotIdentity
from contracts.records import StageRecord
from contracts.workloads import AgentPairWorkload


@dataclass(frozen=True)
class Result:
    """What was measured, as far as stages and manifest tell."""

    path: str
    """As given on the command line."""
    records: Sequence[StageRecord]
    manifest: Manifest | None
    facts: Facts | None = None
    """What is known of the ingested files; ``None``: no text is checked, and ``ungrounded`` has no figure."""

    @cached_property
    def summary(self) -> SweepSummary:
        return summarise_records(self.records, self.manifest, facts=self.facts)

    @cached_property
    def provenance(self) -> Provenance:
        return provenance_of_records(self.records, self.manifest)

    @cached_property
    def server_versions(self) -> dict[tuple[str, str], frozenset[str]]:
        """(config, agent) → versions of the servers that its calls ran on."""
        found: dict[tuple[str, str], set[str]] = {}
        for record in self.records:
            if record.server_version is not None:
                found.setdefault((record.config, record.agent), set()).add(record.server_version)
        return {key: frozenset(versions) for key, versions in found.items()}

    @cached_property
    def clocks(self) -> dict[tuple[str, str], frozenset[str]]:
        """(config, agent) → who stamped the arrivals of its measured calls."""
        found: dict[tuple[str, str], set[str]] = {}
        for record in self.records:
            if record.arrival_clock is not None and record.phase == "measured":
                found.setdefault((record.config, record.agent), set()).add(record.arrival_clock)
        return {key: frozenset(clocks) for key, clocks in found.items()}

    def slots_of(self, configurations: Sequence[ConfigurationSummary]) -> list[SlotIdentity]:
        """Return the slots that measured the configurations, as the manifest identifies them."""
        names = {slot for c in configurations for slot in c.slots}
        return [slot for slot in self.summary.slots if slot.slot in names]

    @property
    def prompts_version(self) -> str | None:
        """Told by the manifest, or found by the sweep's id, which hashes it; ``None``: not known."""
        if self.manifest is None:
            return None
        told = self.manifest.versions.get("prompts")
        return told or (PROMPTS_VERSION if _sweep_id(self.manifest) == self.manifest.sweep_id else None)


def _sweep_id(manifest: Manifest) -> str:
    """Return the id that the sweep has with today's prompts."""
    spec = manifest.spec.model_dump(mode="json", exclude_defaults=True)
    content = {
        "spec": spec,
        "corpus": manifest.corpus_digest,
        "schema": SCHEMA_VERSION,
        "prompts": PROMPTS_VERSION,
    }
    if isinstance(manifest.spec.workload, AgentPairWorkload):
        content["configurations"] = [c.id for c in manifest.configurations]
    return content_hash(content)
