"""Plan → manifest of a new execution."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from contracts.job import PROMPTS_VERSION
from contracts.manifest import Manifest
from producer.plan import Plan

_RECORDED = ("chimera-bench", "celery", "kombu", "redis", "httpx", "pydantic", "msgpack", "xllamacpp")


def make_manifest(plan: Plan, fixed_slots: tuple[str, ...] = ()) -> Manifest:
    """Return the manifest of an execution that begins now."""
    now = datetime.now(UTC)
    execution = f"{now:%Y%m%dT%H%M%S.%f}"[:-3] + f"Z-{plan.sweep_id[:8]}"
    return Manifest(
        sweep=plan.spec.name,
        execution=execution,
        sweep_id=plan.sweep_id,
        corpus_digest=plan.corpus_digest,
        created_at=now,
        spec=plan.spec,
        configurations=plan.configurations,
        order_seed=plan.spec.order.seed,
        fixed_slots=fixed_slots,
        baseline=plan.baseline.name if plan.baseline else None,
        versions=versions(),
        git_commit=_git_commit(plan.base_dir),
    )


def versions() -> dict[str, str]:
    """Return the versions of what a measurement depends on, by name; what is not installed is left out."""
    found = {"python": platform.python_version(), "prompts": PROMPTS_VERSION}
    for name in _RECORDED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git_commit(folder: Path) -> str | None:
    """Return the commit of the checkout that holds the sweep file, ``+dirty`` with local changes."""
    try:
        head = _git(folder, "rev-parse", "HEAD")
        return f"{head}+dirty" if _git(folder, "status", "--porcelain") else head
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()
