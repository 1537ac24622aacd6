"""One convention for the names of results: ``<sweep>_<model>_<utc>_<hash>``.

``quickstart_gemma3-270m_20261121T120000.123Z_abcdef01``: safe on every file system, at most
:data:`LONGEST` characters, and read back from the right, as only the sweep's part may hold an underscore.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from analysis.models import SweepSummary
from contracts.manifest import Manifest

SWEEP_LONGEST = 132
"""Two of the longest sweep names and ``-vs-``."""
MODEL_LONGEST = 40
HASH_LENGTH = 8
LONGEST = SWEEP_LONGEST + MODEL_LONGEST + len("20261121T120000.123Z") + HASH_LENGTH + 3

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_DASHES = re.compile(r"-{2,}")
_NAME = re.compile(
    r"(?P<sweep>[A-Za-z0-9][A-Za-z0-9._-]*)_(?P<model>[A-Za-z0-9][A-Za-z0-9.-]*)"
    r"_(?P<utc>\d{8}T\d{6}(?:\.\d{1,6})?Z)_(?P<hash>[0-9a-f]{8})"
)
# Windows takes these for devices, with any extension.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class ResultName:
    """The parts of a name; sweep and model are slugs."""

    sweep: str
    model: str
    utc: datetime
    hash: str

    def __str__(self) -> str:
        return f"{self.sweep}_{self.model}_{timestamp(self.utc)}_{self.hash}"


def result_name(sweep: str | None, models: Iterable[str], at: datetime, digest: str) -> str:
    """Return the name of a result.

    Args:
        sweep: ``None``: not known; the name begins with ``results``.
        models: one: its slug; several: ``3-models``; none: ``unknown-model``.
        at: when it was begun; aware.
        digest: at least eight hex digits, of which the first eight are taken.

    Raises:
        ValueError: ``digest`` is not hexadecimal or too short, or ``at`` is naive.
    """
    if not re.fullmatch(r"[0-9a-f]{8,}", digest):
        raise ValueError(f"at least {HASH_LENGTH} lower-case hex digits are needed, not {digest!r}")
    return str(ResultName(sweep_slug(sweep), models_slug(models), at, digest[:HASH_LENGTH]))


def execution_name(manifest: Manifest) -> str:
    """Return the name of an execution's results; it ends with the execution's own ``<utc>-<hash>``."""
    models = [c.model for c in manifest.configurations]
    return _of(manifest.sweep, models, manifest.execution, manifest.created_at, manifest.sweep_id)


def summary_name(summary: SweepSummary) -> str | None:
    """Return the same from a summary; ``None`` where it has no manifest: nothing tells when it was begun."""
    if summary.execution is None or summary.created_at is None or summary.sweep_id is None:
        return None
    return _of(summary.sweep, summary.models, summary.execution, summary.created_at, summary.sweep_id)


def parse_name(name: str) -> ResultName | None:
    """Return the parts of a name of the convention; ``None`` where it is none."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    text = found["utc"]
    form = "%Y%m%dT%H%M%S.%fZ" if "." in text else "%Y%m%dT%H%M%SZ"
    try:
        utc = datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
    return ResultName(found["sweep"], found["model"], utc, found["hash"])


def timestamp(at: datetime) -> str:
    """Return ``20261121T120000.123Z``: basic ISO 8601, UTC, cut to milliseconds.

    Raises:
        ValueError: ``at`` is naive.
    """
    if at.tzinfo is None:
        raise ValueError("a time without a zone is no UTC")
    utc = at.astimezone(UTC)
    return f"{utc:%Y%m%dT%H%M%S}.{utc.microsecond // 1000:03d}Z"


def sweep_slug(sweep: str | None) -> str:
    """Return the sweep's part: its name as it is, where it is safe on every file system."""
    slug = _slug(sweep or "", SWEEP_LONGEST) or "results"
    return f"sweep-{slug}"[:SWEEP_LONGEST] if _DEVICES.match(slug) else slug


def model_slug(model: str) -> str:
    """Return ``gemma3-latest`` from ``gemma3:latest``, ``org-model-tag`` from ``org/model:tag``.

    Other characters than ASCII letters, digits and points become dashes; accents are taken off. Two models may
    have the same slug: a name tells results apart by time and hash, not by it.
    """
    return _slug(model.replace("_", "-"), MODEL_LONGEST) or "model"


def models_slug(models: Iterable[str]) -> str:
    """Return the slug of one model, or ``3-models``, or ``unknown-model``."""
    distinct = sorted(set(models))
    if not distinct:
        return "unknown-model"
    return model_slug(distinct[0]) if len(distinct) == 1 else f"{len(distinct)}-models"


def file_slug(text: str) -> str:
    """Return a name for a file of anything, without extension; different texts may get the same."""
    return _slug(text, SWEEP_LONGEST) or "unnamed"


def _slug(text: str, longest: int) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _DASHES.sub("-", _UNSAFE.sub("-", plain)).lstrip("-._")[:longest].rstrip("-.")


def _of(sweep: str | None, models: Iterable[str], execution: str, created_at: datetime, sweep_id: str) -> str:
    utc, _, digest = execution.rpartition("-")
    name = f"{sweep_slug(sweep)}_{models_slug(models)}_{utc}_{digest}"
    return name if _NAME.fullmatch(name) else result_name(sweep, models, created_at, sweep_id)
