"""Which files a workload's roots hold, in which order, and the hash of their contents.

Both sides need it: the producer for the job ids, the worker to read the same files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KINDS = {".csv": "csv", ".json": "json", ".md": "md"}


@dataclass(frozen=True)
class CorpusFile:
    """One file: its kind, its path, and the name it is shown by (root's name / path below the root)."""

    kind: str
    path: Path
    shown: str


def resolve_roots(paths: tuple[str, ...], base_dir: Path) -> list[Path]:
    """Return the roots in the order given; relative ones below ``base_dir``."""
    return [Path(os.path.normpath(base_dir / Path(path).expanduser())) for path in paths]


def root_names(paths: tuple[str, ...]) -> list[str]:
    """Return the name that each root is shown by: the last part of the path as written.

    Empty for ``.`` and ``..``: the name of that folder belongs to the machine, not to the sweep file.
    """
    names = [os.path.basename(os.path.normpath(path)) for path in paths]  # noqa: PTH119
    return ["" if name in (".", "..") else name for name in names]


def discover(roots: list[Path], names: list[str] | None = None) -> list[CorpusFile]:
    """Walk the roots for csv, json and md files; ``names`` are what the roots are shown by.

    Roots keep their order; within a root files are sorted case-insensitively by path. Links are
    not followed, neither to folders nor to files. A file below two roots counts once.

    Raises:
        FileNotFoundError: a root does not exist.
        OSError: a folder can't be listed.
    """
    found: list[CorpusFile] = []
    seen: set[Path] = set()
    for root, name in zip(roots, names or [root.name for root in roots], strict=True):
        # The path itself breaks ties: os.walk lists "A.md" and "a.md" in the file system's order.
        for path in sorted(_files(root), key=lambda p: (p.as_posix().lower(), p.as_posix())):
            kind = KINDS.get(path.suffix.lower())
            if kind is None or path in seen:
                continue
            seen.add(path)
            found.append(CorpusFile(kind, path, (Path(name) / path.relative_to(root.resolve())).as_posix()))
    return found


def digest(files: list[CorpusFile]) -> str:
    """Return the content hash (16 hex digits) over shown names and contents; no times, no absolute paths.

    Raises:
        OSError: a file can't be read.
    """
    return digest_of_hashes((file.shown, _sha256(file.path)) for file in files)


def digest_of_hashes(hashes: Iterable[tuple[str, str]]) -> str:
    """Return :func:`digest` from each file's shown name and the SHA-256 (hex) of its contents, in order."""
    whole = hashlib.sha256()
    for shown, content in hashes:
        whole.update(f"{shown}\0{content}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()[:16]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(root: Path) -> list[Path]:
    real = root.resolve()
    if not real.exists():
        raise FileNotFoundError(f"{root}: no such file or folder")
    if real.is_file():
        return [real]

    def fail(error: OSError) -> None:
        raise error

    return [
        path
        for folder, _, names in os.walk(real, onerror=fail)
        for name in names
        if not (path := Path(folder, name)).is_symlink() and path.is_file()
    ]
