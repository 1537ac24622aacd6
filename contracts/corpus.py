"""Which files a workload's roots hold, in which order, and the hash of their contents.

Both sides need it: the producer for the job ids, the worker to read the same files. What lies below a root may be
anybody's: no link is followed there, nothing but regular files is opened, and all is bounded. A corpus beyond a bound
is refused as a whole: one that is cut would be another workload under the same name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

KINDS = {".csv": "csv", ".json": "json", ".md": "md"}
"""Endings that are read. Nothing is decompressed: an archive is none of these."""

MAX_FILES = 100_000
"""Files of these kinds below all roots."""
MAX_ENTRIES = 1_000_000
"""Names of any kind that are looked at, below all roots."""
MAX_DEPTH = 64
"""Folders below a root."""
MAX_BYTES = 1 << 30
"""Of one file."""
MAX_BYTES_IN_ALL = 8 << 30
"""Of all files; each run reads them once, at about 1 GB/s."""

_CHUNK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe that took a file's place after the walk must not block.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class CorpusTooLarge(OSError):
    """The files are beyond one of the bounds above."""


@dataclass(frozen=True)
class CorpusFile:
    """One file: its kind, its path, and the name it is shown by (root's name / path below the root)."""

    kind: str
    path: Path
    shown: str
    root: Path | None = None
    """The folder below which no link is followed; ``None``: the file's own."""


def resolve_roots(paths: tuple[str, ...], base_dir: Path) -> list[Path]:
    """Return the roots in the order given; relative ones below ``base_dir``."""
    return [Path(os.path.normpath(base_dir / Path(path).expanduser())) for path in paths]


def root_names(paths: tuple[str, ...]) -> list[str]:
    """Return the name that each root is shown by: the last part of the path as written.

    Empty for ``.`` and ``..``: the name of that folder belongs to the machine, not to the sweep file.
    """
    names = [os.path.basename(os.path.normpath(path)) for path in paths]  # noqa: PTH119
    return ["" if name in (".", "..") else name for name in names]


def discover(
    roots: list[Path], names: list[str] | None = None, *, inside: Path | None = None
) -> list[CorpusFile]:
    """Walk the roots for csv, json and md files; ``names`` are what the roots are shown by.

    Roots keep their order; within a root files are sorted case-insensitively by path. A root may be a link; below it
    links are not followed, neither to folders nor to files. A file below two roots counts once.

    Args:
        roots: as of :func:`resolve_roots`.
        names: as of :func:`root_names`.
        inside: a folder that no root may lead out of; ``None``: they may be anywhere.

    Raises:
        FileNotFoundError: a root does not exist.
        CorpusTooLarge: there is more than the bounds of this module allow.
        PermissionError: a root leads out of ``inside``.
        OSError: a folder can't be listed.
    """
    found: list[CorpusFile] = []
    seen: set[Path] = set()
    walk = _Walk()
    for root, name in zip(roots, names or [root.name for root in roots], strict=True):
        real = root.resolve()
        if not real.exists():
            raise FileNotFoundError(f"{root}: no such file or folder")
        if inside is not None and not real.is_relative_to(inside.resolve()):
            raise PermissionError(f"{root} leads out of {inside}, the only folder that is read here")
        top = real if real.is_dir() else real.parent
        # The path itself breaks ties: a folder lists "A.md" and "a.md" in the file system's order.
        for path in sorted(walk.files(real), key=lambda p: (p.as_posix().lower(), p.as_posix())):
            if path in seen:
                continue
            seen.add(path)
            shown = (Path(name) / path.relative_to(real)).as_posix()
            found.append(CorpusFile(KINDS[path.suffix.lower()], path, shown, top))
    return found


def open_file(file: CorpusFile) -> BinaryIO:
    """Open a file for reading, whatever took its place, or that of a folder on the way, since the walk.

    Raises:
        OSError: it is gone, it is no regular file, or a link is on the way from its root.
    """
    root = file.root or file.path.parent
    *folders, name = file.path.relative_to(root).parts
    folder = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
    try:
        for part in folders:
            below = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = below
        opened = os.open(name, _FILE, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(errno.EINVAL, "not a regular file")
    return os.fdopen(opened, "rb")


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield a file's bytes.

    Raises:
        CorpusTooLarge: there are more than :data:`MAX_BYTES`, as where it grows while it is read.
    """
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > MAX_BYTES:
            raise CorpusTooLarge(errno.EFBIG, f"larger than {MAX_BYTES >> 20} MiB")
        yield chunk


def digest(files: list[CorpusFile]) -> str:
    """Return the content hash (16 hex digits) over shown names and contents; no times, no absolute paths.

    Raises:
        OSError: a file can't be read.
    """
    return digest_of_hashes((file.shown, _sha256(file)) for file in files)


def digest_of_hashes(hashes: Iterable[tuple[str, str]]) -> str:
    """Return :func:`digest` from each file's shown name and the SHA-256 (hex) of its contents, in order."""
    whole = hashlib.sha256()
    for shown, content in hashes:
        whole.update(f"{shown}\0{content}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()[:16]


def _sha256(file: CorpusFile) -> str:
    whole = hashlib.sha256()
    with open_file(file) as stream:
        for chunk in chunks(stream):
            whole.update(chunk)
    return whole.hexdigest()


class _Walk:
    """Walks roots within the bounds, which hold for all of them together."""

    def __init__(self) -> None:
        self._entries = self._files = self._bytes = 0

    def files(self, root: Path) -> list[Path]:
        """Return the files of our kinds at or below ``root``, a resolved path, in no order."""
        if not root.is_dir():
            if root.suffix.lower() not in KINDS or not root.is_file():
                return []
            self._count(root, root.stat().st_size)
            return [root]
        folder = os.open(root, _FOLDER)
        try:
            return list(self._below(folder, root, depth=0))
        finally:
            os.close(folder)

    def _below(self, folder: int, path: Path, depth: int) -> Iterator[Path]:
        """Yield the files below an open folder: by its descriptor, so that no link can take its place."""
        folders = []
        with os.scandir(folder) as entries:
            for entry in entries:
                self._entries += 1
                if self._entries > MAX_ENTRIES:
                    raise CorpusTooLarge(f"{path}: more than {MAX_ENTRIES} names are below the paths")
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif Path(entry.name).suffix.lower() in KINDS and entry.is_file(follow_symlinks=False):
                    self._count(path / entry.name, entry.stat(follow_symlinks=False).st_size)
                    yield path / entry.name
        if folders and depth == MAX_DEPTH:
            raise CorpusTooLarge(f"{path}: folders are nested deeper than {MAX_DEPTH} levels")
        for name in folders:
            try:
                below = os.open(name, _FOLDER, dir_fd=folder)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path / name)) from None
            try:
                yield from self._below(below, path / name, depth + 1)
            finally:
                os.close(below)

    def _count(self, path: Path, size: int) -> None:
        self._files += 1
        self._bytes += size
        if self._files > MAX_FILES:
            raise CorpusTooLarge(f"{path}: more than {MAX_FILES} csv, json and md files are below the paths")
        if size > MAX_BYTES:
            raise CorpusTooLarge(f"{path}: larger than {MAX_BYTES >> 20} MiB; leave it out of the paths")
        if self._bytes > MAX_BYTES_IN_ALL:
            raise CorpusTooLarge(f"{path}: with it the files hold more than {MAX_BYTES_IN_ALL >> 30} GiB")
